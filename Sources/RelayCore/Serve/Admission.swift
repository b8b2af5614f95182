import ReflectorModel

/// Declared egress capacity (design §7, "Overload"): which subscriptions a node that is nearly full refuses, and which
/// extra paths it asks to end. A copy that a child has twice is worth less than one that a child lacks.
///
///     0 ───────────── 80 % ───────── 90 % ──── 95 % ── 100 %
///      all are taken  │ no extra paths │         │ none: "busy, try next"
///                     │                └ extra paths are asked to end
///                     └ until it is this again          rest: control, retransmits, backlogs
struct Admission {
    /// What one stream sends.
    struct Load {
        /// Bits a second of a copy; nil if not known.
        var rate: Double?
        var copies: Int
        /// Of those, copies for children that have the stream by another path as well.
        var extraCopies: Int
    }

    /// What a subscription added to what the node counts on sending.
    struct Grant {
        /// In bits a second.
        var rate: Double
        var isExtra: Bool
        /// The count on top of which it was added; nil if capacity is unlimited.
        var countedAt: MonotonicInstant?
    }

    private static let shareForExtraPaths = 0.8
    private static let shareToShed = 0.9
    private static let shareForAll = 0.95
    private static let countInterval: TimeSpan = .milliseconds(100)
    private static let shedInterval: TimeSpan = .milliseconds(100)

    /// The node is about to stop and takes nothing new. Set by `drain`, never cleared.
    private(set) var isDraining = false
    /// Bits a second of a copy of a stream, on average; stands for a stream of unknown rate.
    private(set) var averageCopy = 0.0
    /// Bits a second; 0 is unlimited.
    private let capacity: Double
    /// Bits a second that went out when they were last added up, and what was admitted since.
    private var egress = 0.0
    /// The part of it that extra paths take.
    private var extraEgress = 0.0
    private var countedAt: MonotonicInstant?
    /// Extra paths are not asked to end again before this.
    private var shedNext = MonotonicInstant.zero

    init(bitsPerSecond: UInt64) { capacity = Double(bitsPerSecond) }

    mutating func drain() { isDraining = true }

    /// Whether what goes out now and one more copy fit. If so, the copy counts as sent from now on; nil if not.
    ///
    /// - Parameters:
    ///   - rate: of the copy, asked after `loads`; nil if not known.
    ///   - loads: what each stream sends, asked only when it is time to add up.
    mutating func admit(
        isExtra: Bool, rate: () -> Double?, loads: () -> [Load], at now: MonotonicInstant
    ) -> Grant? {
        guard capacity > 0 else { return Grant(rate: 0, isExtra: false, countedAt: nil) }
        count(loads, at: now)
        let more = rate() ?? averageCopy
        // Extra paths end if they must.
        let fits =
            isExtra
            ? egress + more <= capacity * Self.shareForExtraPaths
            : egress - extraEgress + more <= capacity * Self.shareForAll
        guard fits else { return nil }
        egress += more
        if isExtra { extraEgress += more }
        return Grant(rate: more, isExtra: isExtra, countedAt: countedAt)
    }

    /// What was admitted is not sent any more. If it was counted since, the next count leaves it out.
    mutating func takeBack(_ grant: Grant) {
        guard grant.countedAt != nil, grant.countedAt == countedAt else { return }
        egress = max(egress - grant.rate, 0)
        if grant.isExtra { extraEgress = max(extraEgress - grant.rate, 0) }
    }

    /// How many bits a second of extra paths are to end now; nil if none.
    mutating func takeExcess(loads: () -> [Load], at now: MonotonicInstant) -> Double? {
        guard capacity > 0 else { return nil }
        count(loads, at: now)
        guard egress > capacity * Self.shareToShed, now >= shedNext else { return nil }
        shedNext = now + Self.shedInterval
        return egress - capacity * Self.shareForExtraPaths
    }

    /// What goes out is added up ten times a second at most, and what is admitted meanwhile on top: when a thousand
    /// children of a neighbour come at once, each costs the same however many streams there are. Streams of unknown rate
    /// count as the others on average.
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
