import ReflectorModel

/// When queued packets leave. While few come, at once: a wait would gather nothing, cost a wake-up and add delay. While
/// so many come that a wait gathers runs, which cost a fraction of as many single packets, they wait for `interval`.
struct FlushPace {
    /// Packets an interval from which waiting pays.
    static let packetsMin = 4

    private let interval: TimeSpan
    private var windowStart: MonotonicInstant = .zero
    private var packets = 0
    /// Packets of the interval before the one under way.
    private var packetsBefore = 0

    init(interval: TimeSpan) { self.interval = interval }

    /// A packet came that goes to children.
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
