import ReflectorModel

/// When queued packets leave. While few packets come, they leave at once: a wait would collect nothing, cost a wake-up
/// and add delay. While many come, they wait for `interval`, so that several share a system call.
struct SendCoalescer {
    /// Waiting is worthwhile if at least this many packets came in an interval.
    static let packetsMin = 4

    private let interval: TimeSpan
    private var windowStart: MonotonicInstant = .zero
    private var packets = 0
    /// Packets of the interval before the current one.
    private var packetsBefore = 0

    init(interval: TimeSpan) { self.interval = interval }

    /// A packet that goes to children has come.
    mutating func note(at now: MonotonicInstant) {
        let age = now - windowStart
        if age >= interval {
            packetsBefore = age < interval * 2 ? packets : 0
            packets = 0
            windowStart = now
        }
        packets += 1
    }

    /// When what is queued now should leave.
    func due(at now: MonotonicInstant) -> MonotonicInstant {
        packetsBefore >= Self.packetsMin ? now + interval : now
    }
}
