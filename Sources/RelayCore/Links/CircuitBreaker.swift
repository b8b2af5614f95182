import ReflectorModel

/// Detects a link whose loss is so heavy and lasts so long that sending more over it can only make things worse (design
/// §7, "Overload"). There is no TCP-like congestion control, because a live stream has a fixed rate: only the extra
/// copies of a stream, and streams that have not begun, can be dropped (compare RFC 8083's circuit breaker for RTP).
///
/// ```
/// closed ──over 20 % for 10 s──▶ shedsPaths ──over 20 % for another 10 s──▶ refusesStreams
///    ◀───────── under 10 % for 10 s, or no packets for 10 to 160 s ─────────────────┘
/// ```
///
/// The loss is measured in periods of at least one second, or on a slow link, of enough packets to be significant.
/// "Over 20 % for 10 s" means a run of periods that lost more than a fifth in total, and none of them less than a
/// tenth. So a period with few packets that looks good by chance does not restart the count, and an outage of two
/// seconds does not count as ten bad seconds.
struct CircuitBreaker: Sendable {
    enum Level: Int, Comparable, Sendable, CustomStringConvertible {
        /// The normal state.
        case closed
        /// No extra path of a stream uses this link.
        case shedsPaths
        /// No extra path uses this link, and no stream starts on it.
        case refusesStreams

        /// As shown in `/status`.
        var description: String {
            switch self {
            case .closed: "closed"
            case .shedsPaths: "shedding"
            case .refusesStreams: "refusing"
            }
        }

        static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
    }

    /// Loss ratio, 0 to 1, above which the breaker opens, and below which it closes again.
    static let openShare = 0.2
    static let closeShare = 0.1
    /// How long the loss must stay above or below the limit, and how long a link must be idle before it is tried again.
    static let span = TimeSpan.seconds(10)
    /// A breaker that opens again after such a try needs twice the idle time before the next try, up to this maximum: a
    /// line that is congested all evening is tried for only 10 s in every 170 s.
    static let idleSpanMax = TimeSpan.seconds(160)
    private static let periodMin = TimeSpan.seconds(1)
    /// A period with fewer packets is not significant.
    private static let packetsMin: UInt32 = 40

    /// Link packets counted since `since`.
    private struct Run {
        var since: MonotonicInstant
        var expected = 0.0
        var missed = 0.0
        var share: Double { missed / expected }
    }

    private var reached = Level.closed
    /// The current run above the upper limit, and the current run below the lower limit; nil if there is none.
    private var bad: Run?
    private var good: Run?
    /// Totals at the start of the current period, and when it started.
    private var period: (expected: UInt32, received: UInt32, at: MonotonicInstant)?
    private var newest: UInt32 = 0
    private var lastPackets = MonotonicInstant.zero
    /// How often it has opened since the link was last healthy.
    private var openings = 0

    /// The level that decides what must be dropped now. A breaker that has been idle long enough counts as closed, even
    /// if `note` is not called again.
    func level(at now: MonotonicInstant) -> Level { now - lastPackets < idleSpan ? reached : .closed }

    private var idleSpan: TimeSpan {
        min(Self.span * Int64(1 << min(max(openings - 1, 0), 8)), Self.idleSpanMax)
    }

    /// Processes the totals of a link. Call it regularly while packets flow.
    ///
    /// - Parameters:
    ///   - expected: link packets that should have arrived so far, modulo 2³².
    ///   - received: those that arrived, modulo 2³².
    /// - Returns: true if this raised the level.
    mutating func note(expected: UInt32, received: UInt32, at now: MonotonicInstant) -> Bool {
        // Reports can arrive out of order.
        guard period == nil || Int32(bitPattern: expected &- newest) > 0 else { return false }
        newest = expected
        reached = level(at: now)
        let wasIdle = now - lastPackets >= Self.span
        lastPackets = now
        guard let begun = period, !wasIdle else {
            (bad, good) = (nil, nil)
            period = (expected, received, now)
            return false
        }
        let packets = expected &- begun.expected
        guard now - begun.at >= Self.periodMin, packets >= Self.packetsMin else { return false }
        let came = min(UInt32(max(Int32(bitPattern: received &- begun.received), 0)), packets)
        period = (expected, received, now)
        return judge(
            Run(since: begun.at, expected: Double(packets), missed: Double(packets - came)), at: now)
    }

    /// Processes the newest period. True if it raised the level.
    private mutating func judge(_ newest: Run, at now: MonotonicInstant) -> Bool {
        bad = Self.longer(bad, by: newest) {
            $0 > Self.openShare
        } unless: {
            $0 < Self.closeShare
        }
        good = Self.longer(good, by: newest) {
            $0 < Self.closeShare
        } unless: {
            $0 > Self.openShare
        }
        if let good, now - good.since >= Self.span {
            reached = .closed
            openings = 0
        }
        guard let run = bad, now - run.since >= Self.span,
            let next = Level(rawValue: reached.rawValue + 1)
        else {
            return false
        }
        if reached == .closed { openings += 1 }
        reached = next
        bad = nil
        return true
    }

    /// Returns the run extended by the newest period, a new run that starts with this period, or nil. A run continues
    /// while its total loss ratio is beyond its own limit and no single period is beyond the opposite limit.
    private static func longer(
        _ run: Run?, by newest: Run, while isRight: (Double) -> Bool,
        unless isContrary: (Double) -> Bool
    ) -> Run? {
        if let run, !isContrary(newest.share) {
            let longer = Run(
                since: run.since, expected: run.expected + newest.expected,
                missed: run.missed + newest.missed)
            if isRight(longer.share) { return longer }
        }
        return isRight(newest.share) ? newest : nil
    }
}
