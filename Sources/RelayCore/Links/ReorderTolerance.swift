import ReflectorModel

/// How far a link has recently reordered packets, in packets and in time. A missing packet does not count as lost while
/// it is within that range. The maximum of the last 10 to 20 s applies ([A] §IV-A's out-of-order tolerance k, adapted
/// to the link).
struct ReorderTolerance {
    /// A packet that arrives later than this after its successor counts as lost and recovered, not as reordered:
    /// otherwise one straggler would delay every repair.
    static let lateMax = TimeSpan.milliseconds(30)
    /// Minimum number of later packets that must arrive before a missing one counts as lost. [A] Fig. 8: the cost falls
    /// sharply from k = 1 to k = 2.
    static let packetsMin: UInt32 = 2
    private static let timeMin = TimeSpan.milliseconds(2)
    private static let span = TimeSpan.seconds(10)

    private var newest = (packets: UInt32(0), time: TimeSpan.zero)
    private var before = (packets: UInt32(0), time: TimeSpan.zero)
    private var since = MonotonicInstant.zero

    /// A packet arrived out of order: `behind` numbers after its place, and `late` after its successor. Each is zero if
    /// it is not known.
    mutating func note(behind: UInt32, late: TimeSpan, at now: MonotonicInstant) {
        guard late <= Self.lateMax else { return }
        turn(at: now)
        newest.packets = max(newest.packets, behind)
        newest.time = max(newest.time, late)
    }

    /// Forgets old observations.
    mutating func turn(at now: MonotonicInstant) {
        guard now - since >= Self.span else { return }
        before = now - since >= Self.span * 2 ? (0, .zero) : newest
        newest = (0, .zero)
        since = now
    }

    /// k: a packet is lost once this many later packets have arrived.
    var packets: UInt32 { max(max(newest.packets, before.packets) &+ 1, Self.packetsMin) }

    /// After this time a missing packet counts as lost, however few packets follow. A link without known reordering
    /// gets a quarter of its round trip, but at least 2 ms and at most 20 ms.
    func time(_ roundTrip: RoundTrip) -> TimeSpan {
        let seen = max(newest.time, before.time)
        let usual = min((roundTrip.smoothed ?? .zero) / 4, .milliseconds(20))
        return max(Self.timeMin, usual, seen * 5 / 4)
    }
}
