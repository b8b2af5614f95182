import ReflectorModel

/// Replies to datagrams of one socket. They are collected while a batch is received, and are sent together after it.
/// Each is written in place and sent from the address to which its question was sent. A `ReplyBatch` is reused.
public final class ReplyBatch {
    struct Reply {
        var destination: Endpoint
        var source: IPAddress
        var interface: UInt32
        var offset: Int
        var length: Int
    }

    /// Maximum number of replies.
    public let countMax: Int
    private let capacity: Int
    let memory: UnsafeMutableRawPointer
    private var used = 0
    /// Current number of replies.
    public private(set) var count = 0
    private let entries: UnsafeMutablePointer<Reply>

    /// - Parameters:
    ///   - countMax: maximum number of replies.
    ///   - capacity: maximum number of bytes of all replies together.
    public init(countMax: Int = 64, capacity: Int = 262_144) {
        self.countMax = countMax
        self.capacity = capacity
        memory = .allocate(byteCount: capacity, alignment: 16)
        entries = .allocate(capacity: countMax)
    }

    deinit {
        memory.deallocate()
        entries.deallocate()
    }

    public var isEmpty: Bool { count == 0 }

    /// Valid until the next append.
    var replies: UnsafeBufferPointer<Reply> { UnsafeBufferPointer(start: entries, count: count) }

    /// True if another reply of at most `lengthMax` bytes fits.
    public func hasRoom(lengthMax: Int) -> Bool { count < countMax && lengthMax <= capacity - used }

    /// Appends a reply to `question`. `fill` writes it in place and returns its length, or 0 for no reply. The caller
    /// must check `hasRoom` first.
    public func append(
        to question: ReceivedDatagram, lengthMax: Int, fill: (UnsafeMutableRawBufferPointer) -> Int
    ) {
        precondition(hasRoom(lengthMax: lengthMax), "ReplyBatch: append without room")
        let length = fill(UnsafeMutableRawBufferPointer(start: memory + used, count: lengthMax))
        precondition(length <= lengthMax, "ReplyBatch: reply longer than its room")
        guard length > 0 else { return }
        (entries + count).initialize(
            to: Reply(
                destination: question.source, source: question.local, interface: question.interface, offset: used,
                length: length))
        count += 1
        used += length
    }

    public func removeAll() {
        count = 0
        used = 0
    }
}
