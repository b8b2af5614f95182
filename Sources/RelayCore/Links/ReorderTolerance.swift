import ReflectorModel

/// How far a link has recently put packets out of order, in packets and in time: what is missing within that is not taken
/// for lost. The largest of the last 10 to 20 s counts ([A] §IV-A's out-of-order tolerance k, adapted to the link).
struct ReorderTolerance {
    /// A packet that comes later than this after its successor is counted as lost and found, not as reordered: otherwise
    /// one straggler would put off every repair.
    static let lateMax = TimeSpan.milliseconds(30)
    /// Fewest later packets seen before one is lost. [A] Fig. 8: the cost falls quickly from 1 to 2.
    static let packetsMin: UInt32 = 2
    private static let timeMin = TimeSpan.milliseconds(2)
    private static let span = TimeSpan.seconds(10)

    private var newest = (packets: UInt32(0), time: TimeSpan.zero)
    private var before = (packets: UInt32(0), time: TimeSpan.zero)
    private var since = MonotonicInstant.zero

    /// A packet came `behind` numbers after its place and, where that is known, `late` after its successor.
    mutating func note(behind: UInt32, late: TimeSpan, at now: MonotonicInstant) {
        guard late <= Self.lateMax else { return }
        turn(at: now)
        newest.packets = max(newest.packets, behind)
        newest.time = max(newest.time, late)
    }

    /// Lets what is long ago be forgotten.
    mutating func turn(at now: MonotonicInstant) {
        guard now - since >= Self.span else { return }
        before = now - since >= Self.span * 2 ? (0, .zero) : newest
        newest = (0, .zero)
        since = now
    }

    /// k: this many later packets mean that one is lost.
    var packets: UInt32 { max(max(newest.packets, before.packets) &+ 1, Self.packetsMin) }

    /// After this time it is lost, however few packets follow. A link that is not known to reorder gets a quarter of its
    /// round trip.
    func time(_ roundTrip: RoundTrip) -> TimeSpan {
        let seen = max(newest.time, before.time)
        let usual = min((roundTrip.smoothed ?? .zero) / 4, .milliseconds(20))
        return max(Self.timeMin, usual, seen * 5 / 4)
    }
}
