import DequeModule
import ReflectorModel
import RelayWire

/// The packets queued for one child, and how many were sent to it. `EgressScheduler` fills and empties the queues.
struct ChildQueues {
    /// A queued packet. Before it is sent, `EgressScheduler` checks again that the log still holds it.
    struct Packet {
        var slot: Int32
        var sequence: SequenceNumber
        var tag: IncarnationTag
        var isRetransmit: Bool
    }

    enum Kind {
        /// Packets forwarded as they arrive.
        case live
        /// Retransmits and backlog, which wait for live packets.
        case repair
    }

    private var live = Deque<Packet>()
    private var repair = Deque<Packet>()
    /// The link is in the list of links that have packets queued.
    private var isListed = false
    /// The link number of the next packet. Read by heartbeats.
    private(set) var nextLinkNumber: UInt32 = 1
    /// Packets sent, and retransmits among them. Read by the status.
    private(set) var packetsSent: UInt64 = 0
    private(set) var retransmitsSent: UInt64 = 0
    /// Retransmits and backlog packets sent since `burstStart`.
    private var burst = 0
    /// How many subscriptions of the link have a backlog. Each of them is paced for itself, so the burst of the link grows
    /// with them: otherwise a link of hundreds of streams could never catch up.
    private var backlogs = 0
    private var burstStart = MonotonicInstant.zero
    /// Live packets sent since residence (how long a packet stays in this node) was last sampled, and when that was.
    private var unsampled = 0
    private var sampledAt = MonotonicInstant.zero
    /// When a backlog last became live. Packets that arrived before then waited as part of the backlog, so their wait
    /// does not show that this node is slow.
    private var caughtUp = MonotonicInstant.zero

    /// Residence is sampled this often, because a record in a histogram would double the cost of sending a packet to a
    /// child. Each sample represents all packets since the sample before. A wait of at least this long is not missed.
    private static var sampleInterval: TimeSpan { .milliseconds(10) }

    // MARK: Queueing

    @inline(__always) func count(_ kind: Kind) -> Int {
        switch kind {
        case .live: live.count
        case .repair: repair.count
        }
    }

    /// Slot of the live packet that goes out next.
    var firstLive: Int32? { @inline(__always) get { live.first?.slot } }

    /// Queues a live packet. False if this dropped the oldest one.
    @inline(__always) mutating func appendLive(_ packet: Packet, countMax: Int) -> Bool {
        let hasRoom = live.count < countMax
        if !hasRoom { live.removeFirst() }
        live.append(packet)
        return hasRoom
    }

    @inline(__always) mutating func appendRepair(_ packet: Packet) { repair.append(packet) }

    /// Marks the link as listed. True if the caller must enter it in the list of links that have packets queued.
    @inline(__always) mutating func takeListing() -> Bool {
        guard !isListed else { return false }
        isListed = true
        return true
    }

    /// True if the link is in the list of links that have packets queued.
    var hasPackets: Bool { isListed }

    /// The backlog has reached the newest packet. Its queued packets move to the live queue, ahead of all later live
    /// packets. This keeps the order at the transition.
    mutating func becomeLive(at now: MonotonicInstant) {
        live.append(contentsOf: repair)
        repair.removeAll()
        caughtUp = now
    }

    // MARK: Sending

    /// Hands at most `most` packets of a queue to `send`, and stops when `send` returns false. Returns how many `send`
    /// accepted.
    @inline(__always)
    mutating func drain(_ kind: Kind, most: Int, _ send: (Packet) -> Bool) -> Int {
        switch kind {
        case .live: Self.drain(&live, most: most, send)
        case .repair: Self.drain(&repair, most: most, send)
        }
    }

    @inline(__always)
    private static func drain(_ queue: inout Deque<Packet>, most: Int, _ send: (Packet) -> Bool) -> Int {
        var taken = 0
        while taken < queue.count, taken < most, send(queue[taken]) { taken += 1 }
        queue.removeFirst(taken)
        return taken
    }

    /// Packets were sent; the next packet gets the link number `nextNumber`.
    @inline(__always) mutating func noteSent(nextNumber: UInt32, retransmits: Int) {
        packetsSent &+= UInt64(nextNumber &- nextLinkNumber)
        retransmitsSent &+= UInt64(retransmits)
        nextLinkNumber = nextNumber
    }

    mutating func noteBacklogs(_ count: Int) { backlogs = count }

    /// How many retransmits and backlog packets may be sent now: one burst per interval, and a packet more for each
    /// backlog.
    mutating func burstLeft(of burstMax: Int, interval: TimeSpan, at now: MonotonicInstant) -> Int {
        if now - burstStart >= interval {
            burst = 0
            burstStart = now
        }
        return max(burstMax + backlogs - burst, 0)
    }

    mutating func spendBurst(_ count: Int) { burst += count }

    /// Everything that may be sent now has been sent. True if packets wait for the next burst.
    mutating func finishFlush() -> Bool {
        if repair.isEmpty { isListed = false }
        return isListed
    }

    /// `sent` live packets were sent, and the oldest of them had arrived at `arrived`. Returns how many packets its
    /// residence represents; nil if the residence should not be recorded.
    @inline(__always) mutating func sample(_ sent: Int, arrived: MonotonicInstant, at now: MonotonicInstant) -> Int? {
        unsampled += sent
        guard now - sampledAt >= Self.sampleInterval, arrived > caughtUp else { return nil }
        defer { unsampled = 0 }
        sampledAt = now
        return unsampled
    }
}
