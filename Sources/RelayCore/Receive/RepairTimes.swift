import ReflectorModel

/// When a missing packet is requested on one path (design §7): at once when it is known to be lost, again after SRTT +
/// 4·RTTVAR, and finally in two spaced tries, as late as an answer can still meet the play-out deadline.
///
///     lost ──▶ try 1 · · · ──SRTT+4·RTTVAR──▶ try 2 · · ·        last try · last try · · │  round trip  │ deadline
///
/// A NAK is short, but its loss costs as much as the loss of the packet. So until the packet arrives, the same NAK is
/// repeated (the dots). This causes no further retransmit, because the parent answers each try once. On a link that
/// loses datagrams in bursts, even in rare ones, only such repeats get through in time.
struct RepairTimes {
    let roundTrip: TimeSpan
    let retry: TimeSpan
    /// Counted from the detection of the loss.
    let deadline: TimeSpan
    /// Whether requests continue after the deadline: true at a relay, because an edge's deadline may be longer.
    let goesOn: Bool

    /// What to send for a gap.
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

    /// An answer may take a whole `retry` interval. So the last tries begin `retry` plus this span before the
    /// deadline.
    static let lastTriesSpan = TimeSpan.milliseconds(10)
    private static let lastSpacing = TimeSpan.milliseconds(2)
    /// Number of tries after which requests become rarer: a parent that has the packet would have sent it by then.
    private static let eagerTries: UInt8 = 5
    private static let triesMax: UInt8 = 127

    /// Interval between the repeats of a try. It is short for the first two repeats of the first try and for the last
    /// tries. Otherwise it is about an eighth of the round trip, and it grows with every try after the second.
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

    /// After this instant no answer can arrive in time.
    private func tooLate(_ gap: GapTable.Gap) -> MonotonicInstant {
        gap.detected + deadline - roundTrip
    }

    private func isLastTry(_ gap: GapTable.Gap, at now: MonotonicInstant) -> Bool {
        gap.lastTries < 2 && now >= lastFrom(gap) && now < tooLate(gap)
    }

    /// True if the next request for the gap is a new try, not a repeat of the last one.
    func beginsTry(_ gap: GapTable.Gap, at now: MonotonicInstant) -> Bool {
        gap.tries == 0 || now >= gap.triedAt + retryAfter(gap) || isLastTry(gap, at: now)
    }

    /// What to send now for a gap that is due; nil to send nothing. Also sets when the gap is due again.
    ///
    /// - Parameter isRepeated: whether tries are repeated; false while so much is missing that repeats would cause a
    ///   storm.
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
