import ReflectorModel

/// How a member of a region stands towards the others: for how long it has been with them, and whether it should lead.
struct RegionStanding {
    private let rules: RegionRules
    /// When this member came, or came back to the others.
    private var joinedAt: MonotonicInstant
    /// Since when it hears no other member; nil if it hears one.
    private(set) var aloneSince: MonotonicInstant?
    /// It is about to stop.
    private(set) var isLeaving = false
    /// It slept, and first has to catch up with what it missed.
    private var catchesUpUntil = MonotonicInstant(nanoseconds: .min / 2)
    /// It should take no slots: no parent outside answered it a short time ago, or it slept.
    private(set) var isCutOff = false
    /// When it last said of itself, for the first time, that it is settled, cut off or about to stop, or no longer so.
    private(set) var newsAt = MonotonicInstant(nanoseconds: .min / 2)
    private var wasSettled = false

    init(_ rules: RegionRules, at now: MonotonicInstant) {
        self.rules = rules
        joinedAt = now
        aloneSince = now
    }

    /// It has been here for long enough to take slots from or besides others.
    func isSettled(at now: MonotonicInstant) -> Bool { now - joinedAt >= rules.settleAfter }

    /// It was cut off from others who stayed together, and comes back to them.
    mutating func rejoin(at now: MonotonicInstant) { joinedAt = now }

    mutating func note(isAlone: Bool, at now: MonotonicInstant) {
        aloneSince = isAlone ? aloneSince ?? now : nil
    }

    /// While this node did not run, the others took it for dead: it has come back to them.
    mutating func noteSleep(_ length: TimeSpan, until: MonotonicInstant) {
        if length >= rules.silenceMax, until > joinedAt { joinedAt = until }
    }

    /// It slept for longer than its leases.
    mutating func noteOverslept(at now: MonotonicInstant) {
        joinedAt = now
        catchesUpUntil = now + rules.cutSpan
    }

    /// False if it was about to stop already.
    mutating func leave(at now: MonotonicInstant) -> Bool {
        guard !isLeaving else { return false }
        (isLeaving, newsAt) = (true, now)
        return true
    }

    /// True if it is settled or cut off, and was not before, or the other way round.
    ///
    /// - Parameter reachesNoParent: it has given up a stream a short time ago.
    mutating func review(reachesNoParent: Bool, at now: MonotonicInstant) -> Bool {
        let isNew = (isSettled(at: now), reachesNoParent || now < catchesUpUntil)
        guard isNew != (wasSettled, isCutOff) else { return false }
        (wasSettled, isCutOff) = isNew
        newsAt = now
        return true
    }
}
