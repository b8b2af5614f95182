import ReflectorModel

/// How a stream arrives at this node, or is produced here if this is its entrypoint: when, how fast and how much. The
/// receiver and the origin write this record; the other parts of the node read it.
struct Arrivals {
    /// When the last authentic packet arrived.
    private(set) var lastArrival: MonotonicInstant = .zero
    /// When the last new packet was stored, or when the stream last changed to another incarnation or was rewound.
    private(set) var lastKept: MonotonicInstant = .zero
    /// When the stream last switched to an incarnation, the first one included; nil if it never has.
    private(set) var adoptedAt: MonotonicInstant?
    /// When an incarnation last took the place of another one; nil if that never happened.
    private(set) var replacedAt: MonotonicInstant?
    private(set) var rate = ArrivalRate()
    /// When backlog packets were last seen arriving (`StreamState.isFilling`).
    private(set) var filledAt: MonotonicInstant?
    private(set) var packetsIn: UInt64 = 0
    private(set) var bytesIn: UInt64 = 0
    private(set) var repaired: UInt64 = 0
    private(set) var duplicates: UInt64 = 0
    /// At an edge: packets that arrived after they had been given up, or after the log had overwritten them. They are
    /// among the duplicates, too.
    private(set) var late: UInt64 = 0

    @inline(__always) mutating func noteArrival(at now: MonotonicInstant) { lastArrival = now }

    mutating func noteDuplicate() { duplicates += 1 }

    /// A packet arrived whose number has been passed without it.
    mutating func noteLate() {
        duplicates += 1
        late += 1
    }

    mutating func noteRepair() { repaired += 1 }

    /// A packet was stored.
    @inline(__always) mutating func noteKept(at now: MonotonicInstant) { lastKept = now }

    /// A packet counts for the rate.
    @inline(__always) mutating func noteRate(at now: MonotonicInstant) { rate.note(at: now) }

    @inline(__always) mutating func notePayload(bytes: Int) {
        packetsIn += 1
        bytesIn += UInt64(max(bytes, 0))
    }

    /// The stream has switched to an incarnation, its first or another one.
    mutating func noteAdopted(at now: MonotonicInstant) {
        if adoptedAt != nil { replacedAt = now }
        adoptedAt = now
        lastKept = now
    }

    mutating func noteFilling(at now: MonotonicInstant) { filledAt = now }
}
