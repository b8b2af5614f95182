import ReflectorModel

/// When fetching a stream began, and when its next actions are due.
struct FetchTimes {
    /// When to stop fetching because nobody wants the stream any more. Set by `endDemand`.
    private(set) var leaveAt: MonotonicInstant?
    /// When to try parents again after all of them refused. Set by `noteUnavailable`.
    private(set) var retryAt: MonotonicInstant?
    /// When the paths are next compared with the zone's answer.
    private(set) var reviewAt: MonotonicInstant = .zero
    /// When fetching began, regardless of later parent changes; nil if it has not begun.
    private(set) var since: MonotonicInstant?
    /// When the newest path was requested. Silence before this instant does not count.
    private(set) var lastJoin: MonotonicInstant = .zero
    /// Since when no parent outside the region has carried the stream, though one was asked; nil while one does. Set by
    /// `noteStarved` and `noteFed`.
    private(set) var starvedSince: MonotonicInstant?
    private var lastExtraPath: MonotonicInstant = .zero
    private var resubscribed: MonotonicInstant = .zero

    /// Somebody wants the stream.
    mutating func noteDemand() { leaveAt = nil }
    mutating func endDemand(leaveAt: MonotonicInstant) { self.leaveAt = leaveAt }

    mutating func noteUnavailable(retryAt: MonotonicInstant) { self.retryAt = retryAt }
    mutating func retryNow() { retryAt = nil }
    mutating func noteStarved(at now: MonotonicInstant) { starvedSince = starvedSince ?? now }
    mutating func noteFed() { starvedSince = nil }
    mutating func noteJoin(at now: MonotonicInstant) {
        lastJoin = now
        since = since ?? now
    }

    /// True if it is time to try the parents again.
    mutating func takeRetry(at now: MonotonicInstant) -> Bool {
        guard let retryAt, now >= retryAt else { return false }
        self.retryAt = nil
        return true
    }

    /// True if it is time to compare the paths with the zone's answer again: once a second.
    mutating func takeReview(at now: MonotonicInstant) -> Bool {
        guard now >= reviewAt else { return false }
        reviewAt = now + .seconds(1)
        return true
    }

    mutating func review(noLaterThan at: MonotonicInstant) { reviewAt = min(reviewAt, at) }

    mutating func noteExtraPath(at now: MonotonicInstant) { lastExtraPath = now }
    func mayAddPath(spacing: TimeSpan, at now: MonotonicInstant) -> Bool { now - lastExtraPath >= spacing }

    /// True if all subscriptions may be sent again: at most every two seconds.
    mutating func takeResubscription(at now: MonotonicInstant) -> Bool {
        guard now - resubscribed >= .seconds(2) else { return false }
        resubscribed = now
        return true
    }
}
