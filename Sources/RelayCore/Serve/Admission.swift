import ReflectorModel

/// Declared egress capacity (design §7, "Overload"). A node that is nearly full refuses subscriptions and asks children
/// to end extra paths: a second copy of a stream is worth less than a first one.
///
///     0 ───────────── 80 % ───────── 90 % ──── 95 % ── 100 %
///      all are taken  │ no extra paths │         │ none: "busy, try next"
///                     │                └ extra paths are asked to end
///                     └ until the load is 80 % again    rest: control, retransmits, backlogs
struct Admission {
    /// The egress of one stream.
    struct Load {
        /// Bits per second of one copy; nil if unknown.
        var rate: Double?
        var copies: Int
        /// How many of the copies go to children that have the stream by another path as well.
        var extraCopies: Int
    }

    /// The capacity that a subscription reserved.
    struct Grant {
        /// In bits per second.
        var rate: Double
        var isExtra: Bool
        /// When the count was made to which the grant was added; nil if capacity is unlimited.
        var countedAt: MonotonicInstant?
    }

    private static let shareForExtraPaths = 0.8
    private static let shareToShed = 0.9
    private static let shareForAll = 0.95
    private static let countInterval: TimeSpan = .milliseconds(100)
    private static let shedInterval: TimeSpan = .milliseconds(100)

    /// The node is about to stop and accepts nothing new. Set by `drain`, never cleared.
    private(set) var isDraining = false
    /// Average bits per second of one copy of a stream. A stream of unknown rate counts with this value.
    private(set) var averageCopy = 0.0
    /// Bits per second; 0 is unlimited.
    private let capacity: Double
    /// Bits per second sent at the last count, plus those of the copies admitted since.
    private var egress = 0.0
    /// The part of `egress` that extra paths account for.
    private var extraEgress = 0.0
    private var countedAt: MonotonicInstant?
    /// Children are not asked to end extra paths again before this.
    private var shedNext = MonotonicInstant.zero

    init(bitsPerSecond: UInt64) { capacity = Double(bitsPerSecond) }

    mutating func drain() { isDraining = true }

    /// Reserves capacity for one more copy. Nil if it does not fit.
    ///
    /// - Parameters:
    ///   - rate: the rate of the copy, called after `loads`; nil if unknown.
    ///   - loads: what each stream sends, called only when a new count is due.
    mutating func admit(
        isExtra: Bool, rate: () -> Double?, loads: () -> [Load], at now: MonotonicInstant
    ) -> Grant? {
        guard capacity > 0 else { return Grant(rate: 0, isExtra: false, countedAt: nil) }
        count(loads, at: now)
        let more = rate() ?? averageCopy
        // A first copy may replace extra ones, since children can be asked to end those.
        let fits =
            isExtra
            ? egress + more <= capacity * Self.shareForExtraPaths
            : egress - extraEgress + more <= capacity * Self.shareForAll
        guard fits else { return nil }
        egress += more
        if isExtra { extraEgress += more }
        return Grant(rate: more, isExtra: isExtra, countedAt: countedAt)
    }

    /// Gives reserved capacity back. If the streams have been counted again since the reservation, there is nothing to
    /// do: the next count will leave the copy out.
    mutating func takeBack(_ grant: Grant) {
        guard grant.countedAt != nil, grant.countedAt == countedAt else { return }
        egress = max(egress - grant.rate, 0)
        if grant.isExtra { extraEgress = max(extraEgress - grant.rate, 0) }
    }

    /// How many bits per second of extra paths must end now; nil if none.
    mutating func takeExcess(loads: () -> [Load], at now: MonotonicInstant) -> Double? {
        guard capacity > 0 else { return nil }
        count(loads, at: now)
        guard egress > capacity * Self.shareToShed, now >= shedNext else { return nil }
        shedNext = now + Self.shedInterval
        return egress - capacity * Self.shareForExtraPaths
    }

    /// Adds up what all streams send, at most ten times a second; between two counts, only the newly admitted copies
    /// are added. So the cost of admitting a child does not depend on the number of streams, even if a thousand
    /// children subscribe at once. A stream of unknown rate counts as the average of the others.
    private mutating func count(_ loads: () -> [Load], at now: MonotonicInstant) {
        guard countedAt.map({ now - $0 >= Self.countInterval }) ?? true else { return }
        countedAt = now
        var (known, knownCopies, unknownCopies) = (0.0, 0.0, 0.0)
        var (knownExtra, unknownExtraCopies) = (0.0, 0.0)
        for load in loads() {
            let (copies, extraCopies) = (Double(load.copies), Double(load.extraCopies))
            if let rate = load.rate {
                known += rate * copies
                knownExtra += rate * extraCopies
                knownCopies += copies
            } else {
                unknownCopies += copies
                unknownExtraCopies += extraCopies
            }
        }
        averageCopy = knownCopies > 0 ? known / knownCopies : 0
        egress = known + averageCopy * unknownCopies
        extraEgress = knownExtra + averageCopy * unknownExtraCopies
    }
}
