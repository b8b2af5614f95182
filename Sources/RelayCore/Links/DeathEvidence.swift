import ReflectorModel

/// Evidence that the process at the other end of a link is dead: its host says by ICMP that nobody listens on the port.
///
/// An ICMP message can be forged, so it only makes this node ask the peer. The link is dead if the peer answers neither
/// of two questions, and its host refuses both. A peer that answers ends the doubt, and its link ignores such messages
/// for a while.
///
/// ```
/// trusted ──refusal, or silence──▶ asked ──refusal, half of the patience──▶ asked twice ──refusal, the rest──▶ dead
///    ▲                               │                                           │
///    └────── anything arrives ───────┴───────────────────────────────────────────┘
/// ```
struct DeathEvidence {
    /// What to do now.
    enum Step: Equatable {
        case nothing
        /// Send something that the peer answers at once.
        case ask
        case dead
    }

    private struct Doubt {
        let since: MonotonicInstant
        /// How long the peer may take to answer.
        let patience: TimeSpan
        /// A refusal began it, and not silence alone.
        let isByRefusal: Bool
        var questions = 1
        /// Refusals of questions, at most one for each.
        var refusals = 0
    }

    private var doubt: Doubt?
    /// Refusals are ignored until then.
    private var trustedUntil = MonotonicInstant(nanoseconds: .min / 2)
    private var trust = Self.trustMin
    private var wasRefuted = false

    /// How long refusals are ignored after the peer has answered although its host had refused a question. Doubles each
    /// time.
    private static let trustMin = TimeSpan.seconds(1)
    private static let trustMax = TimeSpan.seconds(64)
    /// A doubt without a refusal ends after this many times the patience.
    private static let memory: Int64 = 4

    /// The link's timer has fired. Returns what to do, and when to call this again.
    ///
    /// - Parameters:
    ///   - heardAt: when anything last arrived from the peer.
    ///   - deadline: when the peer's silence proves that it is dead. It is asked after half of the time until then.
    mutating func tend(
        heardAt: MonotonicInstant, until deadline: MonotonicInstant, patience: TimeSpan, at now: MonotonicInstant
    ) -> (step: Step, next: MonotonicInstant) {
        var step = step(heardAt: heardAt, at: now)
        let question = heardAt + (deadline - heardAt) / 2
        if now >= question, now < deadline, step == .nothing {
            step = noteSilence(heardAt: heardAt, patience: patience, at: now)
        }
        let next = now < question ? question : now < deadline ? deadline : .distantFuture
        return (step, min(next, nextStep ?? .distantFuture))
    }

    /// The peer has been silent for half of the time after which the link is dead. A host without the process will
    /// refuse the question.
    ///
    /// - Parameter heardAt: when anything last arrived from the peer.
    mutating func noteSilence(heardAt: MonotonicInstant, patience: TimeSpan, at now: MonotonicInstant) -> Step {
        _ = forget(heardAt: heardAt, at: now)
        guard doubt == nil else { return .nothing }
        doubt = Doubt(since: now, patience: patience, isByRefusal: false)
        return .ask
    }

    /// The peer's host has refused a datagram of this link. Nil if the refusal is ignored.
    mutating func noteRefusal(heardAt: MonotonicInstant, patience: TimeSpan, at now: MonotonicInstant) -> Step? {
        _ = forget(heardAt: heardAt, at: now)
        guard now >= trustedUntil else { return nil }
        guard doubt != nil else {
            doubt = Doubt(since: now, patience: patience, isByRefusal: true)
            return .ask
        }
        doubt!.refusals = min(doubt!.refusals + 1, doubt!.questions)
        return step(heardAt: heardAt, at: now)
    }

    /// The time of `nextStep` may have come.
    mutating func step(heardAt: MonotonicInstant, at now: MonotonicInstant) -> Step {
        guard !forget(heardAt: heardAt, at: now), let doubt, doubt.refusals == doubt.questions else { return .nothing }
        if doubt.questions == 1, now >= doubt.since + doubt.patience / 2 {
            self.doubt!.questions = 2
            return .ask
        }
        return doubt.questions == 2 && now >= doubt.since + doubt.patience ? .dead : .nothing
    }

    /// When to call `step`; nil if only another refusal can change anything.
    var nextStep: MonotonicInstant? {
        guard let doubt, doubt.refusals == doubt.questions else { return nil }
        return doubt.since + (doubt.questions == 1 ? doubt.patience / 2 : doubt.patience)
    }

    /// True once after the peer was heard although its host had refused a datagram.
    mutating func takeRefuted() -> Bool {
        defer { wasRefuted = false }
        return wasRefuted
    }

    /// Ends a doubt that is over. True if the peer has been heard since it began.
    private mutating func forget(heardAt: MonotonicInstant, at now: MonotonicInstant) -> Bool {
        guard let doubt else { return false }
        guard heardAt > doubt.since else {
            if doubt.refusals == 0, now >= doubt.since + doubt.patience * Self.memory { self.doubt = nil }
            return false
        }
        self.doubt = nil
        guard doubt.isByRefusal || doubt.refusals > 0 else { return true }
        wasRefuted = true
        trustedUntil = now + trust
        trust = min(trust * 2, Self.trustMax)
        return true
    }
}
