/// The bytes in which a node keeps its packets, got from wherever its owner thinks best, and given back with this.
public final class PacketMemory {
    let bytes: UnsafeMutableRawBufferPointer
    private let free: (UnsafeMutableRawBufferPointer) -> Void

    /// Bytes that so many packets take.
    public static func length(packets: Int) -> Int { max(packets, packetsMin) * PacketLog.slotLength }
    static let packetsMin = 64

    /// - Parameters:
    ///   - bytes: `length(packets:)` of them at least, aligned to 64.
    ///   - free: gives them back; called once.
    public init(_ bytes: UnsafeMutableRawBufferPointer, free: @escaping (UnsafeMutableRawBufferPointer) -> Void) {
        self.bytes = bytes
        self.free = free
    }

    /// From the heap: its pages are touched as packets come, so that an idle node stays small.
    convenience init(packets: Int) {
        self.init(.allocate(byteCount: Self.length(packets: packets), alignment: 64)) { $0.deallocate() }
    }

    deinit { free(bytes) }
}
