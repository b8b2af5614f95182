import ReflectorModel

/// Who leads one stream, as one witness sees it. Every witness applies the same rules to what it hears; candidates never
/// talk to each other ([A] §V-A).
///
/// ```
/// nobody ──a candidate is live──▶ led ──not live, two evaluations──▶ led by the next live one, or nobody
///                                  └──a better one live for 10 s──▶ led by the better one
/// ```
struct StreamElection {
    /// A candidate as this witness sees it now. The candidates of a stream are in the order of the zone.
    struct Candidate: Equatable {
        var node: NodeID
        /// It is alive and announces the stream with data.
        var isLive: Bool
    }

    /// Why the leader changed.
    enum Cause: Equatable {
        /// Nobody led before.
        case first
        /// The leader is dead, or its encoder is lost.
        case lost
        /// A better candidate is back.
        case returned
        /// An operator wants this one.
        case pinned

        var text: String {
            switch self {
            case .first: "nobody led it"
            case .lost: "the leader or its encoder is lost"
            case .returned: "a better candidate is back"
            case .pinned: "an operator has pinned it"
            }
        }
    }

    private(set) var leader: NodeID?
    private(set) var changedAt: MonotonicInstant
    private(set) var cause: Cause?
    /// The stream had a leader and lost it, and no candidate is live.
    private(set) var isOrphaned = false
    private let since: MonotonicInstant
    /// Since when each live candidate is live.
    private var liveSince: [(node: NodeID, at: MonotonicInstant)] = []
    /// Evaluations in a row that found the leader not live, and the last of them.
    private var unled = 0
    private var lastUnled = MonotonicInstant.zero

    /// - Parameter now: when the witness first hears of the stream.
    init(at now: MonotonicInstant) {
        since = now
        changedAt = now
    }

    /// Looks at the candidates. True if another one leads now, or nobody does any more.
    mutating func evaluate(
        _ candidates: [Candidate], pinned: NodeID?, startGrace: TimeSpan, _ rules: ElectionRules,
        at now: MonotonicInstant
    ) -> Bool {
        note(candidates, at: now)
        if let pinned, isLive(pinned) { return pinned == leader ? keep() : set(pinned, .pinned, at: now) }
        if let leader, isLive(leader) {
            let better = candidates.prefix { $0.node != leader }.first {
                self.liveFor($0.node, at: now) ?? .zero >= rules.failbackAfter && self.isLive($0.node)
            }
            return better.map { set($0.node, .returned, at: now) } ?? keep()
        }
        let next = candidates.first(where: \.isLive)
        guard leader != nil else {
            // Right after the start, the announcements of the first candidate may still be on their way.
            let isEarly = !isOrphaned && now - since < startGrace && next?.node != candidates.first?.node
            guard let next, !isEarly else { return false }
            return set(next.node, isOrphaned ? .lost : .first, at: now)
        }
        if unled == 0 || now - lastUnled >= rules.recheckInterval {
            unled += 1
            lastUnled = now
        }
        guard unled >= rules.evaluationsUnled else { return false }
        return set(next?.node, .lost, at: now)
    }

    /// When the result may change although nobody sends anything; nil if it cannot.
    func nextEvaluation(startGrace: TimeSpan, _ rules: ElectionRules, at now: MonotonicInstant) -> MonotonicInstant? {
        if let leader, !isLive(leader) { return now + rules.recheckInterval }
        if leader == nil {
            let waits = [since + startGrace, since + rules.startPatience].filter { $0 > now }
            return isOrphaned ? nil : waits.min()
        }
        let due = liveSince.filter { $0.node != leader }.map { $0.at + rules.failbackAfter }.filter { $0 > now }
        return due.min()
    }

    /// Whether to say that nobody leads the stream.
    func isOrphan(_ rules: ElectionRules, at now: MonotonicInstant) -> Bool {
        isOrphaned || leader == nil && now - since >= rules.startPatience
    }

    private mutating func note(_ candidates: [Candidate], at now: MonotonicInstant) {
        let before = liveSince
        liveSince = candidates.filter(\.isLive).map { candidate in
            (candidate.node, before.first { $0.node == candidate.node }?.at ?? now)
        }
    }

    private func isLive(_ node: NodeID) -> Bool { liveSince.contains { $0.node == node } }

    private func liveFor(_ node: NodeID, at now: MonotonicInstant) -> TimeSpan? {
        liveSince.first { $0.node == node }.map { now - $0.at }
    }

    private mutating func keep() -> Bool {
        unled = 0
        return false
    }

    private mutating func set(_ node: NodeID?, _ cause: Cause, at now: MonotonicInstant) -> Bool {
        unled = 0
        isOrphaned = node == nil
        leader = node
        self.cause = cause
        changedAt = now
        return true
    }
}
