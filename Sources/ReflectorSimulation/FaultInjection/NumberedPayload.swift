import ReflectorModel

/// A payload that identifies itself: it begins with stream, encoder session and number, and all other bytes follow from
/// these. So a receiver detects every wrong, changed, repeated or missing payload.
struct NumberedPayload: Equatable {
    var stream: Int
    /// The entrypoint and its start count: one session for each incarnation.
    var session: UInt64
    /// Counts from 1 in each session.
    var number: UInt64

    static let lengthMax = 104
    private var length: Int { 32 + Int(FixedHash.mix(number) % 73) }

    func write(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        buffer.storeBytes(of: UInt64(stream), toByteOffset: 0, as: UInt64.self)
        buffer.storeBytes(of: session, toByteOffset: 8, as: UInt64.self)
        buffer.storeBytes(of: number, toByteOffset: 16, as: UInt64.self)
        let length = length
        for offset in 32..<length { buffer[offset] = UInt8(truncatingIfNeeded: number &+ UInt64(offset)) }
        buffer.storeBytes(of: checksum(UnsafeRawBufferPointer(buffer), length), toByteOffset: 24, as: UInt64.self)
        return length
    }

    /// Reads a payload. Nil unless its length and checksum are right.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 32, bytes.count <= Self.lengthMax else { return nil }
        let stream = bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
        guard stream < 256 else { return nil }
        self.stream = Int(stream)
        session = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        number = bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
        let written = bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
        guard bytes.count == length,
            written == checksum(bytes, bytes.count)
        else { return nil }
    }

    init(stream: Int, session: UInt64, number: UInt64) {
        self.stream = stream
        self.session = session
        self.number = number
    }

    private func checksum(_ buffer: UnsafeRawBufferPointer, _ length: Int) -> UInt64 {
        var hash = KeyedHash(key: 7)
        hash.add(UnsafeRawBufferPointer(rebasing: buffer[0..<24]))
        hash.add(UnsafeRawBufferPointer(rebasing: buffer[32..<length]))
        return hash.value
    }
}
