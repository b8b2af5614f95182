import NIOCore
import ReflectorModel

/// The name of a segment in its URL: its slot, and a hash of its content. A name always means the same bytes, at every
/// edge: an encoder that restarts, or another source that repeats a part, gives other names for the same slots.
struct SegmentName: Hashable {
    var slot: Int64
    var mark: UInt32

    init(slot: Int64, mark: UInt32) {
        self.slot = slot
        self.mark = mark
    }

    /// - Parameter bytes: the segment without the tables.
    init(slot: Int64, bytes: [ByteBuffer]) {
        var hash = UInt64(bytes.reduce(0) { $0 + $1.readableBytes })
        var left = Self.markedBytesMax
        for buffer in bytes where left > 0 {
            for byte in buffer.readableBytesView.prefix(left) { hash = (hash ^ UInt64(byte)) &* Self.prime }
            left -= buffer.readableBytes
        }
        self.init(slot: slot, mark: UInt32(truncatingIfNeeded: FixedHash.mix(hash)))
    }

    /// The hash covers the length and the first packets, which differ from content to content.
    private static let markedBytesMax = 4 * TransportPacket.length
    /// The prime of FNV-1a.
    private static let prime: UInt64 = 0x0000_0100_0000_01b3

    /// `seg123-0f3a9c55.ts`.
    var file: String {
        let digits = String(mark, radix: 16)
        return "seg\(slot)-\(String(repeating: "0", count: 8 - digits.count))\(digits).ts"
    }

    /// Nil for any text that `file` cannot produce.
    init?(file: some StringProtocol) {
        guard file.hasPrefix("seg"), file.hasSuffix(".ts") else { return nil }
        let parts = file.dropFirst(3).dropLast(3).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let slot = Int64(parts[0]), let mark = UInt32(parts[1], radix: 16) else {
            return nil
        }
        self.init(slot: slot, mark: mark)
        guard self.file == file else { return nil }
    }
}
