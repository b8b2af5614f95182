import ReflectorModel
import RelayWire

/// Whether this entrypoint pulls one stream from its encoder ([A] §V-A). The first candidate always does. The others
/// begin when the witnesses say that the stream is orphaned, and stop when they say that a better candidate leads.
struct PullDecision: Equatable {
    /// What the witnesses say about the stream now.
    struct Votes: Equatable {
        /// Witnesses in the zone.
        var configured = 0
        /// Witnesses that vote now, whether or not they know the stream.
        var heard = 0
        /// Of these: they say that nobody leads.
        var orphaned = 0
        /// Of these: they also have subscribers.
        var orphanedWithSubscribers = 0
        /// They say that this candidate leads: its rank, from 1.
        var leaders: [Int] = []
    }

    private(set) var isPulling = false
    /// Since when the votes ask this node to begin.
    private var electedAt: MonotonicInstant?

    /// Decides again, from the present votes. True if `isPulling` has changed.
    ///
    /// - Parameters:
    ///   - rank: this node's place among the candidates in the zone, from 1; nil if it is none of them.
    ///   - isLive: the encoder's data arrive here.
    mutating func decide(
        rank: Int?, _ policy: StreamPolicy, _ votes: Votes, isLive: Bool, _ rules: ElectionRules,
        at now: MonotonicInstant
    ) -> Bool {
        guard let rank else { return set(false) }
        guard policy.standby == .cold, rank > 1 else { return set(true) }
        if isPulling {
            electedAt = nil
            return mustStop(rank, policy, votes, isLive: isLive, rules) ? set(false) : false
        }
        guard isElected(policy, votes, rules) else {
            electedAt = nil
            return false
        }
        let since = electedAt ?? now
        electedAt = since
        return now - since >= rules.backupDelay * Int64(rank - 2) ? set(true) : false
    }

    /// Whether the witnesses want a backup to begin: a majority of all, or all that this node hears if these are at
    /// least two. For a stream that may have many pullers, one witness with subscribers suffices.
    private func isElected(_ policy: StreamPolicy, _ votes: Votes, _ rules: ElectionRules) -> Bool {
        if policy.pullers == .many, votes.orphanedWithSubscribers > 0 { return true }
        if !rules.needsMajority { return votes.orphaned > 0 }
        return votes.orphaned >= max(votes.configured, votes.heard) / 2 + 1
            || votes.heard >= 2 && votes.orphaned == votes.heard
    }

    /// Whether more than half of the voting witnesses say that a better candidate leads, or any other one while this
    /// node has no data. If the stream may have many pullers, this node goes on as long as one witness needs it, since
    /// one was enough to begin.
    private func mustStop(
        _ rank: Int, _ policy: StreamPolicy, _ votes: Votes, isLive: Bool, _ rules: ElectionRules
    ) -> Bool {
        guard rules.standsDown else { return false }
        if policy.pullers == .many, votes.orphanedWithSubscribers > 0 || votes.leaders.contains(rank) { return false }
        let others = votes.leaders.count { isLive ? $0 < rank : $0 != rank }
        return others > votes.heard / 2
    }

    private mutating func set(_ isWanted: Bool) -> Bool {
        defer { isPulling = isWanted }
        electedAt = nil
        return isWanted != isPulling
    }
}
