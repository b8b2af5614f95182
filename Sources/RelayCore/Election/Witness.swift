import ReflectorModel
import RelayWire

/// A root set reflector in its part as an observer of entrypoints ([A] §V-A): it sees who announces which stream, decides
/// who leads it, and publishes that to the candidates.
///
/// It first doubts itself, as Lifeguard does: while it has just woken late, or has lost all entrypoints at once, it
/// changes nothing, and does not vote.
struct Witness {
    /// Another candidate leads a stream now, or nobody does.
    struct Change: Equatable {
        var stream: StreamName
        var from: NodeID?
        var to: NodeID?
        var cause: StreamElection.Cause
    }

    /// An announcing entrypoint as seen at the last evaluation.
    private struct Seen: Equatable {
        var slot: Int
        var node: NodeID
        var isHeard: Bool
        /// This node's own fetching from it has not failed again and again.
        var isReachable: Bool
    }

    private var elections: [StreamName: StreamElection] = [:]
    /// The streams that are announced here, sorted.
    private(set) var names: [StreamName] = []
    private var seen: [Seen] = []
    /// Entrypoints that are heard again after a silence, until `takeReturned`.
    private var returned: [Endpoint] = []
    /// The announced streams must be collected again.
    private var isListChanged = true
    /// Something other than time has changed.
    private var isChanged = true
    /// The streams were evaluated since they were last published.
    private var isPublishDue = false
    /// Nobody leads some stream, so that its subscribers matter.
    private var hasUnled = false
    /// When time alone may change a result.
    private var dueAt: MonotonicInstant = .distantFuture
    /// All entrypoints fell silent at once: this node has probably lost its network.
    private var isBlind = false
    /// Silence before this instant proves nothing, because this node heard nobody until then.
    private var judgeFrom: MonotonicInstant = .zero
    private var namesUsedAt: MonotonicInstant?

    // MARK: What has changed

    /// An entrypoint's list is new, or its link is gone.
    mutating func noteListChange() { isListChanged = true }
    /// The zone has answered, or a subscriber has come or gone.
    mutating func noteChange() { isChanged = true }

    /// True once every five seconds, when the candidate lists of the announced streams should be marked as used.
    mutating func takeNamesDue(at now: MonotonicInstant) -> Bool {
        if let namesUsedAt, now - namesUsedAt < .seconds(5) { return false }
        namesUsedAt = now
        return true
    }

    // MARK: The view

    subscript(_ stream: StreamName) -> StreamElection? { elections[stream] }
    func leader(of stream: StreamName) -> NodeID? { elections[stream]?.leader }

    /// The entrypoints that are heard again after a silence, since the last call. Whatever held them up is over.
    mutating func takeReturned() -> [Endpoint] {
        defer { returned = [] }
        return returned
    }

    /// Whether this witness trusts its own view now.
    func isVoting(_ core: borrowing NodeCore, at now: MonotonicInstant) -> Bool {
        !isBlind && now >= judgeFrom && now >= core.clock.judgeSilenceFrom
    }

    /// Looks at all streams if anything may have changed. Returns the changes, in the order of the names.
    mutating func evaluate(
        _ directory: borrowing ParentDirectory, _ parents: borrowing ParentHistory, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) -> [Change] {
        noteSleep(core)
        guard now >= core.clock.judgeSilenceFrom else { return [] }
        let rules = core.configuration.election
        let before = seen
        look(parents, at: now, core)
        doubt(before, at: now, &core)
        guard !isBlind else { return [] }
        if seen != before { isChanged = true }
        if isListChanged { collectNames(at: now, core) }
        guard isChanged || now >= dueAt else { return [] }
        (isChanged, isPublishDue, dueAt) = (false, true, .distantFuture)
        var changes: [Change] = []
        for name in names {
            guard var election = elections[name], let answer = directory.answer(.candidates(name), at: now) else {
                continue
            }
            let candidates = candidates(for: name, answer, &core)
            // Nothing is decided against an entrypoint before it has had time to be heard again.
            if now < judgeFrom, let leader = election.leader,
                !candidates.contains(where: { $0.node == leader && $0.isLive })
            {
                dueAt = min(dueAt, judgeFrom)
                continue
            }
            let old = election.leader
            let pinned = answer.pinned.map { NodeID(name: String($0)) }
            if election.evaluate(candidates, pinned: pinned, startGrace: rules.startGrace, rules, at: now),
                let cause = election.cause
            {
                changes.append(Change(stream: name, from: old, to: election.leader, cause: cause))
                count(changes[changes.count - 1], &core)
            }
            if let due = election.nextEvaluation(startGrace: rules.startGrace, rules, at: now) {
                dueAt = min(dueAt, due)
            }
            elections[name] = election
        }
        hasUnled = names.contains { elections[$0]?.leader == nil }
        return changes
    }

    /// When to evaluate next; nil if nobody announces anything.
    func nextTimeout(_ core: borrowing NodeCore, at now: MonotonicInstant) -> MonotonicInstant? {
        guard !core.links.announcers.isEmpty || !names.isEmpty else { return nil }
        let rules = core.configuration.election
        return max(min(now + rules.interval, dueAt), now + .milliseconds(1))
    }

    // MARK: Evaluation

    /// After a long sleep the entrypoints have given this node up, and need time to open new links.
    private mutating func noteSleep(_ core: borrowing NodeCore) {
        let sleep = core.clock.sleep
        guard sleep.length >= core.configuration.heartbeatInterval * 6 else { return }
        judgeFrom = max(judgeFrom, sleep.until + Self.reconnection)
    }

    /// How long entrypoints may take to be heard again by a node that slept.
    private static let reconnection: TimeSpan = .seconds(6)

    private mutating func look(
        _ parents: borrowing ParentHistory, at now: MonotonicInstant, _ core: borrowing NodeCore
    ) {
        let silence = core.configuration.heartbeatSilenceMax
        var seen: [Seen] = []
        for slot in core.links.announcers {
            guard let link = core.links.children[slot], let list = link.announcements else { continue }
            let isHeard = now - list.heardAt <= silence
            if isHeard, self.seen.contains(where: { $0.slot == slot && $0.node == link.node && !$0.isHeard }) {
                returned.append(link.endpoint)
            }
            seen.append(
                Seen(
                    slot: slot, node: link.node, isHeard: isHeard,
                    isReachable: !parents.hasFailedAgain(link.endpoint, at: now)))
        }
        self.seen = seen
    }

    /// Decides whether this node itself may be the one that is cut off.
    private mutating func doubt(
        _ before: [Seen], at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        let heardBefore = before.count(where: \.isHeard)
        let heard = seen.count(where: \.isHeard)
        if !isBlind, heard == 0, heardBefore >= 2 {
            isBlind = true
            core.context.count(.votesWithheld)
        } else if isBlind, heard > 0 {
            isBlind = false
            isChanged = true
            judgeFrom = now + core.configuration.heartbeatSilenceMax
        } else if isBlind, seen.isEmpty {
            // All links have ended by themselves: the entrypoints will open new ones.
            isBlind = false
            isListChanged = true
        }
    }

    private mutating func collectNames(at now: MonotonicInstant, _ core: borrowing NodeCore) {
        (isListChanged, isChanged) = (false, true)
        var all: [StreamName] = []
        for slot in core.links.announcers { all += core.links.children[slot]?.announcements?.names ?? [] }
        all.sort()
        var next: [StreamName: StreamElection] = [:]
        var unique: [StreamName] = []
        for name in all where unique.last != name {
            unique.append(name)
            next[name] = elections[name] ?? StreamElection(at: now)
        }
        // A stream that nobody announces any more is remembered while its leader may come back.
        for name in names where next[name] == nil {
            guard let election = elections[name], election.leader != nil || now - election.changedAt < Self.memory,
                unique.count < core.configuration.announcementsMax
            else { continue }
            next[name] = election
            unique.append(name)
        }
        unique.sort()
        names = unique
        elections = next
    }

    /// How long a stream without announcements is remembered after it was orphaned.
    private static let memory: TimeSpan = .seconds(30)

    /// The zone's candidates of a stream in their order, as this witness sees them.
    private func candidates(
        for name: StreamName, _ answer: LookUpAnswer, _ core: inout NodeCore
    ) -> [StreamElection.Candidate] {
        var candidates: [StreamElection.Candidate] = []
        for host in answer.hosts where !candidates.contains(where: { $0.node == host.id }) {
            candidates.append(StreamElection.Candidate(node: host.id, isLive: false))
        }
        for entrypoint in seen {
            guard let link = core.links.children[entrypoint.slot], let item = link.announcements?[name] else {
                continue
            }
            guard link.isListed(in: answer), let place = candidates.firstIndex(where: { $0.node == link.node }) else {
                if !item.isRefused { core.post(.announcementContradicted(link, name)) }
                continue
            }
            if link.announcements?.isConfirmed == false { core.post(.announcerListed(link)) }
            guard entrypoint.isHeard, entrypoint.isReachable else { continue }
            candidates[place].isLive = item.supply == .live
            candidates[place].isLapsed = item.supply != .live
            candidates[place].incarnation = item.incarnation
        }
        return candidates
    }

    private func count(_ change: Change, _ core: inout NodeCore) {
        switch (change.from, change.to, change.cause) {
        case (_, nil, _): core.context.count(.streamsOrphaned)
        case (_, _, .returned): core.context.count(.failbacks)
        case (_, _, .first): core.context.count(.elections)
        default: core.context.count(.takeovers)
        }
    }

    // MARK: Publishing

    /// Tells each entrypoint who leads the streams that it announces, if that has changed or has not arrived.
    mutating func publish(at now: MonotonicInstant, _ core: inout NodeCore) {
        let rules = core.configuration.election
        let publishesAll = isPublishDue || hasUnled
        isPublishDue = false
        for entrypoint in seen where entrypoint.isHeard {
            guard let link = core.links.children[entrypoint.slot], let list = link.announcements,
                publishesAll || link.reporting.isMissed
            else { continue }
            var entries: [WitnessReport.Entry] = []
            entries.reserveCapacity(list.names.count)
            for name in list.names {
                guard let election = elections[name], election.leader != nil || election.isOrphan(rules, at: now)
                else { continue }
                let hasSubscribers = election.leader == nil && core.streams[name]?.hasDemand == true
                entries.append(
                    WitnessReport.Entry(stream: name, leader: election.leader, hasSubscribers: hasSubscribers))
            }
            let (pages, isOwed) = link.reporting.due(entries, at: now)
            for page in pages { core.send(.witnessReport(page), on: link, at: now) }
            if !pages.isEmpty { core.context.count(.witnessReportsSent) }
            if isOwed { dueAt = min(dueAt, now + .milliseconds(50)) }
        }
    }

    /// The leads to report to the name server of this link now: those that differ from the zone's first choice, in turn
    /// if they do not fit into one report.
    func leads(
        to link: ChildLink, _ directory: borrowing ParentDirectory, at now: MonotonicInstant
    ) -> [ProbeReport.Lead] {
        var leads: [ProbeReport.Lead] = []
        for name in names {
            guard let election = elections[name], election.leader != nil || election.isOrphaned,
                let first = directory.answer(.candidates(name), at: now)?.hosts.first?.id, election.leader != first
            else { continue }
            leads.append(ProbeReport.Lead(stream: name, source: election.leader))
        }
        return link.reporting.takeTurn(of: leads)
    }
}
