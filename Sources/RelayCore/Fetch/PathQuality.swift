import ReflectorModel

/// How many paths a stream needs. This depends on the quality at the streaming server, and on whether a parent's own
/// upstream is silent.
struct PathQuality {
    /// What an edge has done with a stream's packets since it began to fetch it.
    struct Totals {
        var delivered: UInt64 = 0
        var lost: UInt64 = 0
        var repaired: UInt64 = 0
    }

    private var policy = PathPolicy()
    private var last = Totals()
    private var reviewedAt = MonotonicInstant.zero
    /// Until this instant, the stream keeps as many paths as possible.
    private var needsAllUntil = MonotonicInstant.zero

    /// A parent cannot restore its own upstream, or nothing arrives: more paths help for a while.
    mutating func needAll(at now: MonotonicInstant) { needsAllUntil = now + .seconds(10) }

    /// Called once a second at an edge: evaluates what the streaming server received since the last call.
    ///
    /// - Parameter from: seconds before this instant do not count.
    mutating func review(_ totals: Totals, from: MonotonicInstant, at now: MonotonicInstant) {
        guard now - reviewedAt >= .milliseconds(900) else { return }
        let second = PathPolicy.Second(
            delivered: totals.delivered &- last.delivered, missing: totals.lost &- last.lost,
            repaired: totals.repaired &- last.repaired)
        // Loss during a start or a sleep is not the fault of the paths.
        let isRegular = reviewedAt != .zero && now - reviewedAt < .milliseconds(2_500)
        (last, reviewedAt) = (totals, now)
        if isRegular, now >= from { policy.note(second, at: now) }
    }

    /// - Parameters:
    ///   - pathsMin: the minimum in any case.
    ///   - adapts: whether the quality at the streaming server counts.
    func pathsWanted(pathsMin: Int, adapts: Bool, at now: MonotonicInstant) -> Int {
        let needed = now < needsAllUntil ? PathPolicy.pathsMax : 1
        return min(max(needed, adapts ? policy.wanted : 1, pathsMin), PathPolicy.pathsMax)
    }
}
