import ReflectorModel

/// Whether a link loses so much, for so long, that sending more over it can only make it worse (design §7, "Overload").
/// There is no TCP-like control: a live stream has the rate it has, and what can be given up is the extra copies of it
/// and the streams that have not begun (compare RFC 8083's circuit breaker for RTP).
///
/// ```
/// closed ──over 20 % for 10 s──▶ shedsPaths ──over 20 % for another 10 s──▶ refusesStreams
///    ◀───────── under 10 % for 10 s, or nothing to count for 10 s ──────────────────┘
/// ```
///
/// Judged in periods of a second or, on a slow link, of as many packets as tell something. Ten bad seconds are a run of
/// periods that lost more than a fifth in all and none of them less than a tenth: so a period that looks better than the
/// link is, by the chance of few packets, does not restart the count, and one outage of two seconds is not ten bad ones.
struct CircuitBreaker: Sendable {
    enum Level: Int, Comparable, Sendable, CustomStringConvertible {
        /// As it should be.
        case closed
        /// No extra path of a stream uses this link.
        case shedsPaths
        /// Nor does a stream begin on it.
        case refusesStreams

        /// As `/status` says it.
        var description: String {
            switch self {
            case .closed: "closed"
            case .shedsPaths: "shedding"
            case .refusesStreams: "refusing"
            }
        }

        static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
    }

    /// Share of packets lost, 0 to 1, over which the breaker opens, and under which it closes again.
    static let openShare = 0.2
    static let closeShare = 0.1
    /// How long either must last, and how long a link is idle before it may be tried again.
    static let span = TimeSpan.seconds(10)
    /// One that opens again when it is tried has to be idle for twice as long the next time, up to this: a line that is
    /// full all evening is tried for 10 s in 170.
    static let idleSpanMax = TimeSpan.seconds(160)
    private static let periodMin = TimeSpan.seconds(1)
    /// Fewer packets tell nothing.
    private static let packetsMin: UInt32 = 40

    /// Link packets counted from `since` on.
    private struct Run {
        var since: MonotonicInstant
        var expected = 0.0
        var missed = 0.0
        var share: Double { missed / expected }
    }

    private var reached = Level.closed
    /// Over the upper limit, and under the lower one, without a break.
    private var bad: Run?
    private var good: Run?
    /// Totals at the beginning of the period under way, and when that was.
    private var period: (expected: UInt32, received: UInt32, at: MonotonicInstant)?
    private var newest: UInt32 = 0
    private var lastPackets = MonotonicInstant.zero
    /// How often it has opened since the link was last well.
    private var openings = 0

    /// What must be given up now. One that has been idle long enough is closed without having been told.
    func level(at now: MonotonicInstant) -> Level { now - lastPackets < idleSpan ? reached : .closed }

    private var idleSpan: TimeSpan {
        min(Self.span * Int64(1 << min(max(openings - 1, 0), 8)), Self.idleSpanMax)
    }

    /// Takes the totals of a link into account; to be called now and then while packets flow.
    ///
    /// - Parameters:
    ///   - expected: link packets that should have come so far, modulo 2³².
    ///   - received: those that came, modulo 2³².
    /// - Returns: true if the level has risen by this.
    mutating func note(expected: UInt32, received: UInt32, at now: MonotonicInstant) -> Bool {
        // Reports can overtake each other.
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

    /// Takes the newest period into account. True if the level has risen by it.
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

    /// The run with a period more, or one that begins with it, or none: it goes on while its share in all is what it
    /// must be, and no period of it is quite the contrary.
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
