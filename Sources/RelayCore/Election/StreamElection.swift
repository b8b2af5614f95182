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
        /// It is alive, but its encoder is lost.
        var isLapsed = false
        /// The incarnation that it announces.
        var incarnation = Incarnation.none
    }

    /// What this witness remembers of a candidate that is live, or that it cannot hear.
    private struct Liveness {
        var node: NodeID
        var incarnation: Incarnation
        var isLive = true
        var since: MonotonicInstant
        /// How long it must be live before it leads again.
        var patience: TimeSpan
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
    private var heard: [Liveness] = []
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
        _ candidates: [Candidate], pinned: NodeID?, _ rules: ElectionRules, at now: MonotonicInstant
    ) -> Bool {
        note(candidates, rules, at: now)
        if let pinned, isLive(pinned) { return pinned == leader ? keep() : set(pinned, .pinned, at: now) }
        if let leader, isLive(leader) {
            let better = candidates.prefix { $0.node != leader }.first { mayLeadAgain($0.node, at: now) }
            return better.map { set($0.node, .returned, at: now) } ?? keep()
        }
        let next = candidates.first(where: \.isLive)
        guard leader != nil else {
            // Right after the start, the announcements of the first candidate may still be on their way.
            let isEarly = !isOrphaned && now - since < rules.startGrace && next?.node != candidates.first?.node
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
    func nextEvaluation(_ rules: ElectionRules, at now: MonotonicInstant) -> MonotonicInstant? {
        if let leader, !isLive(leader) { return now + rules.recheckInterval }
        if leader == nil {
            let waits = [since + rules.startGrace, since + rules.startPatience].filter { $0 > now }
            return isOrphaned ? nil : waits.min()
        }
        let due = heard.filter { $0.isLive && $0.node != leader }.map { $0.since + $0.patience }.filter { $0 > now }
        return due.min()
    }

    /// Whether to say that nobody leads the stream.
    func isOrphan(_ rules: ElectionRules, at now: MonotonicInstant) -> Bool {
        isOrphaned || leader == nil && now - since >= rules.startPatience
    }

    /// A candidate whose data were interrupted must be live for `failbackAfter` before it leads again. One whose data go
    /// on, and that this witness only could not hear, need not: otherwise witnesses that were cut off from different
    /// candidates would name different leaders for all that time. If its path fails again soon, the time doubles.
    private mutating func note(_ candidates: [Candidate], _ rules: ElectionRules, at now: MonotonicInstant) {
        var next: [Liveness] = []
        for candidate in candidates where !candidate.isLapsed {
            let old = heard.first {
                $0.node == candidate.node && (!candidate.isLive || $0.incarnation == candidate.incarnation)
            }
            switch (old, candidate.isLive) {
            case (nil, false): break
            case (nil, true):
                next.append(
                    Liveness(
                        node: candidate.node, incarnation: candidate.incarnation, since: now,
                        patience: rules.failbackAfter))
            case (var old?, let isLive):
                if old.isLive, !isLive {
                    let isSteady = now - old.since >= rules.failbackAfter
                    old.patience = min(isSteady ? rules.returnAfter : old.patience * 2, rules.failbackAfter)
                } else if !old.isLive, isLive {
                    old.since = now
                }
                old.isLive = isLive
                next.append(old)
            }
        }
        heard = next
    }

    private func isLive(_ node: NodeID) -> Bool { heard.contains { $0.node == node && $0.isLive } }

    private func mayLeadAgain(_ node: NodeID, at now: MonotonicInstant) -> Bool {
        heard.contains { $0.node == node && $0.isLive && now - $0.since >= $0.patience }
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
