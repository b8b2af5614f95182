import ReflectorModel

/// When a missing packet is asked for on one path (design §7): at once when it is known to be lost, again after SRTT +
/// 4·RTTVAR, and in the end twice, spaced, as late as an answer can still make the play-out deadline.
///
///     lost ──▶ try 1 · · · ──SRTT+4·RTTVAR──▶ try 2 · · ·        last try · last try · · │  round trip  │ deadline
///
/// A NAK is short, and its loss costs as much as the packet's. So until the packet comes, the same NAK is repeated now and
/// then (the dots), which costs no retransmit: the parent answers each try once. On a link that loses its datagrams in
/// runs, however far apart they are, nothing else gets through in time.
struct RepairTimes {
    let roundTrip: TimeSpan
    let retry: TimeSpan
    /// From the detection of the loss.
    let deadline: TimeSpan
    /// A relay goes on after its deadline: an edge's may be longer.
    let goesOn: Bool

    /// What to say of a gap.
    struct Ask: Equatable {
        var tryNumber: UInt8
        var isLast: Bool
    }

    init(_ measured: RoundTrip, deadline: TimeSpan, goesOn: Bool) {
        retry = measured.retransmitTimeout
        roundTrip = measured.smoothed ?? retry
        self.deadline = deadline
        self.goesOn = goesOn
    }

    /// The last tries begin this long before the instant from which no answer can come in time.
    static let lastTriesSpan = TimeSpan.milliseconds(10)
    private static let lastSpacing = TimeSpan.milliseconds(2)
    /// Tries before asking becomes rarer: whoever has it would have sent it.
    private static let eagerTries: UInt8 = 5
    private static let triesMax: UInt8 = 127

    /// Time from one saying of a try to the next: twice soon, then eight a round trip, and rarer with every try after the
    /// second.
    private func spacing(_ gap: GapTable.Gap) -> TimeSpan {
        if gap.lastTries > 0 { return Self.lastSpacing }
        let usual = min(max(roundTrip / 8, .milliseconds(2)), .milliseconds(20))
        if gap.tries == 1, gap.copies < 2 { return min(usual, .milliseconds(2)) }
        return usual * (1 << Int64(min(max(gap.tries, 2) - 2, 4)))
    }

    private func retryAfter(_ gap: GapTable.Gap) -> TimeSpan {
        retry * (1 << Int64(min(gap.tries - min(gap.tries, Self.eagerTries), 4)))
    }

    private func lastFrom(_ gap: GapTable.Gap) -> MonotonicInstant {
        gap.detected + deadline - retry - Self.lastTriesSpan + Self.lastTriesSpan / 2
            * Int64(gap.lastTries)
    }

    /// From then on no answer can come in time.
    private func tooLate(_ gap: GapTable.Gap) -> MonotonicInstant {
        gap.detected + deadline - roundTrip
    }

    private func isLastTry(_ gap: GapTable.Gap, at now: MonotonicInstant) -> Bool {
        gap.lastTries < 2 && now >= lastFrom(gap) && now < tooLate(gap)
    }

    /// True if what is next to be said of the gap is a new try, and not the old one once more.
    func beginsTry(_ gap: GapTable.Gap, at now: MonotonicInstant) -> Bool {
        gap.tries == 0 || now >= gap.triedAt + retryAfter(gap) || isLastTry(gap, at: now)
    }

    /// What to say now of a gap that is due, and when it is due again. Nil if nothing is to be said.
    ///
    /// - Parameter isRepeated: whether tries are repeated; not while so much is missing that it would be a storm.
    func next(_ gap: inout GapTable.Gap, isRepeated: Bool, at now: MonotonicInstant) -> Ask? {
        let isTooLate = now >= tooLate(gap)
        if isLastTry(gap, at: now) {
            gap.lastTries += 1
            begin(&gap, at: now)
        } else if beginsTry(gap, at: now) {
            if isTooLate, !goesOn {
                gap.due = .distantFuture
                return nil
            }
            if isTooLate { gap.lastTries = 0 }
            begin(&gap, at: now)
        } else {
            gap.copies = min(gap.copies + 1, .max - 1)
        }
        gap.due = gap.triedAt + retryAfter(gap)
        if !isTooLate {
            if isRepeated { gap.due = min(gap.due, now + spacing(gap)) }
            if gap.lastTries < 2, lastFrom(gap) > now { gap.due = min(gap.due, lastFrom(gap)) }
        }
        return Ask(tryNumber: gap.tries, isLast: gap.lastTries > 0)
    }

    private func begin(_ gap: inout GapTable.Gap, at now: MonotonicInstant) {
        gap.tries = min(gap.tries + 1, Self.triesMax)
        gap.triedAt = now
        gap.copies = 0
    }
}
