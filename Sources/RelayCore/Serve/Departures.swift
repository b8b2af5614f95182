import ReflectorModel

/// Departures of a stream's packets, and how long each one stayed in the node: at a relay until the flush, at an edge
/// until it was delivered in order.
struct Departures {
    /// Copies queued for children.
    private(set) var packetsOut: UInt64 = 0
    private(set) var residence = DelayBuckets()
    /// Live packets that wait for the flush, and when the first of them arrived.
    private(set) var waiting: UInt64 = 0
    private var waitingSince: MonotonicInstant = .zero

    @inline(__always) mutating func noteCopies(_ count: UInt64) { packetsOut += count }

    /// A live packet that arrived now waits for the flush. True if it is the first.
    @inline(__always) mutating func noteWaiting(at now: MonotonicInstant) -> Bool {
        waiting += 1
        guard waiting == 1 else { return false }
        waitingSince = now
        return true
    }

    /// The waiting packets were sent; the wait of the first one is recorded for all of them. Returns that wait and
    /// their number.
    mutating func takeFlushed(at now: MonotonicInstant) -> (span: TimeSpan, count: UInt64) {
        defer { waiting = 0 }
        let span = now - waitingSince
        residence.note(span, count: waiting)
        return (span, waiting)
    }

    /// A packet is delivered.
    @inline(__always) mutating func noteHandedOut(after span: TimeSpan) { residence.note(span) }
}
