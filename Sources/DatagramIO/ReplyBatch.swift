import ReflectorModel

/// Answers to datagrams of one socket, collected while a batch is received and sent together when it ends. Each is
/// written in place and leaves from the address its question was sent to. Reused for ever.
public final class ReplyBatch {
    struct Reply {
        var destination: Endpoint
        var source: IPAddress
        var interface: UInt32
        var offset: Int
        var length: Int
    }

    /// Most replies.
    public let countMax: Int
    private let capacity: Int
    let memory: UnsafeMutableRawPointer
    private var used = 0
    private(set) var replies: [Reply] = []

    /// - Parameters:
    ///   - countMax: most replies.
    ///   - capacity: bytes for all of them together.
    public init(countMax: Int = 64, capacity: Int = 262_144) {
        self.countMax = countMax
        self.capacity = capacity
        memory = .allocate(byteCount: capacity, alignment: 16)
        replies.reserveCapacity(countMax)
    }

    deinit { memory.deallocate() }

    public var isEmpty: Bool { replies.isEmpty }
    public var count: Int { replies.count }

    /// True when another reply of at most `lengthMax` bytes fits.
    public func hasRoom(lengthMax: Int) -> Bool { replies.count < countMax && lengthMax <= capacity - used }

    /// Appends a reply to `question`. `fill` writes it in place and returns its length, or 0 for no reply. The caller
    /// has asked `hasRoom` before.
    public func append(
        to question: ReceivedDatagram, lengthMax: Int, fill: (UnsafeMutableRawBufferPointer) -> Int
    ) {
        precondition(hasRoom(lengthMax: lengthMax), "ReplyBatch: append without room")
        let length = fill(UnsafeMutableRawBufferPointer(start: memory + used, count: lengthMax))
        precondition(length <= lengthMax, "ReplyBatch: reply longer than its room")
        guard length > 0 else { return }
        replies.append(
            Reply(
                destination: question.source, source: question.local, interface: question.interface, offset: used,
                length: length))
        used += length
    }

    public func removeAll() {
        replies.removeAll(keepingCapacity: true)
        used = 0
    }
}
