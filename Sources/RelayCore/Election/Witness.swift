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
    /// The streams that are announced here.
    private var known = SortedNames()
    private var seen: [Seen] = []
    /// Entrypoints that are heard again after a silence, until `takeReturned`.
    private var returned: [Endpoint] = []
    /// The announced streams must be collected again, and all of them be evaluated.
    private var isListChanged = true
    /// All streams must be evaluated.
    private var isChanged = true
    /// Streams of which something other than time has changed; a stream may be there more than once. Read by tests.
    private(set) var changed: [StreamName] = []
    /// Streams whose result may change by time alone, and when the first of them is due.
    private var timed = SortedNames()
    private var dueAt: MonotonicInstant = .distantFuture
    /// Streams that nobody leads: whether this node has subscribers of them matters.
    private var unled = SortedNames()
    /// Streams that were evaluated and not published since.
    private var unpublished: [StreamName] = []
    /// When a report is due that waits.
    private var publishAt: MonotonicInstant = .distantFuture
    /// All entrypoints fell silent at once: this node has probably lost its network.
    private var isBlind = false
    /// Silence before this instant proves nothing, because this node heard nobody until then.
    private var judgeFrom: MonotonicInstant = .zero
    private var namesUsedAt: MonotonicInstant?

    /// Maximum length of `changed`. If more has changed, all streams are evaluated.
    private static let changedMax = 1_024

    // MARK: What has changed

    /// An entrypoint's list is new, or its link is gone.
    mutating func noteListChange() { isListChanged = true }

    /// Announcements of these streams have changed, or the zone has answered.
    mutating func noteChange(of names: [StreamName]) {
        guard changed.count + names.count <= Self.changedMax else { return isListChanged = true }
        changed += names
    }

    /// True once every five seconds, when the candidate lists of the announced streams should be marked as used.
    mutating func takeNamesDue(at now: MonotonicInstant) -> Bool {
        if let namesUsedAt, now - namesUsedAt < .seconds(5) { return false }
        namesUsedAt = now
        // Streams that nobody announces any more are forgotten some time.
        if !unled.isEmpty { isListChanged = true }
        return true
    }

    // MARK: The view

    /// The streams that are announced here, sorted.
    var names: [StreamName] { known.all }
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

    /// Looks at the streams of which something may have changed. Returns the changes, in the order of the names.
    mutating func evaluate(
        _ directory: borrowing ParentDirectory, _ parents: borrowing ParentHistory, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) -> [Change] {
        noteSleep(core)
        guard now >= core.clock.judgeSilenceFrom else { return [] }
        let before = seen
        look(parents, at: now, core)
        doubt(before, at: now, &core)
        guard !isBlind else { return [] }
        if seen != before { isChanged = true }
        var changes: [Change] = []
        for name in takeDue(at: now, core) {
            if let change = evaluate(name, directory, at: now, &core) { changes.append(change) }
            unpublished.append(name)
        }
        return changes
    }

    /// The streams to evaluate now, sorted.
    private mutating func takeDue(at now: MonotonicInstant, _ core: borrowing NodeCore) -> [StreamName] {
        let new = changed.filter { elections[$0] == nil }
        if known.count + new.count > core.configuration.announcementsMax { isListChanged = true }
        if isListChanged { collectNames(at: now, core) }
        defer { changed = [] }
        for name in new where elections[name] == nil {
            elections[name] = StreamElection(at: now)
            known.insert(name)
        }
        let due = SortedNames(now >= dueAt ? changed + timed.all : changed)
        if isChanged || due.count > Self.changedMax {
            (isChanged, timed, unled) = (false, SortedNames(), SortedNames())
            dueAt = .distantFuture
            return known.all
        }
        if now >= dueAt { (timed, dueAt) = (SortedNames(), .distantFuture) }
        return due.all
    }

    private mutating func evaluate(
        _ name: StreamName, _ directory: borrowing ParentDirectory, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Change? {
        guard var election = elections[name] else { return nil }
        defer { unled.set(name, isMember: elections[name]?.leader == nil) }
        guard let answer = directory.answer(.candidates(name), at: now) else {
            timed.remove(name)
            return nil
        }
        let candidates = candidates(for: name, answer, &core)
        // Nothing is decided against an entrypoint before it has had time to be heard again.
        if now < judgeFrom, let leader = election.leader,
            !candidates.contains(where: { $0.node == leader && $0.isLive })
        {
            wait(for: name, until: judgeFrom)
            return nil
        }
        let old = election.leader
        let pinned = answer.pinned.map { NodeID(name: String($0)) }
        let hasChanged = election.evaluate(candidates, pinned: pinned, core.configuration.election, at: now)
        wait(for: name, until: election.nextEvaluation(core.configuration.election, at: now))
        elections[name] = election
        guard hasChanged, let cause = election.cause else { return nil }
        let change = Change(stream: name, from: old, to: election.leader, cause: cause)
        count(change, &core)
        return change
    }

    /// Notes when the result for a stream may change by time alone; nil if it cannot.
    private mutating func wait(for name: StreamName, until due: MonotonicInstant?) {
        timed.set(name, isMember: due != nil)
        if let due { dueAt = min(dueAt, due) }
    }

    /// When to evaluate next; nil if nobody announces anything.
    func nextTimeout(_ core: borrowing NodeCore, at now: MonotonicInstant) -> MonotonicInstant? {
        guard !core.links.announcers.isEmpty || !known.isEmpty else { return nil }
        let rules = core.configuration.election
        return max(min(now + rules.interval, dueAt, publishAt), now + .milliseconds(1))
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
        var seen: [Seen] = []
        for slot in core.links.announcers {
            guard let link = core.links.children[slot], let list = link.announcements else { continue }
            let isHeard =
                !list.isPresumedDead && now - Self.heardAt(link, list, core) <= core.configuration.witnessSilenceMax
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

    /// When anything last came from the entrypoint: a heartbeat, another message on its link, or a packet or message on
    /// the link by which this node fetches from it. That link counts only if it opened while the entrypoint was heard:
    /// otherwise another process may run there now, and the announcements are not its own.
    private static func heardAt(
        _ link: ChildLink, _ list: AnnouncementList, _ core: borrowing NodeCore
    ) -> MonotonicInstant {
        let heardAt = max(list.heardAt, link.lastReceived)
        guard let parent = core.links.parent(at: link.endpoint), parent.isAlive, parent.openedAt <= heardAt,
            parent.peer?.node == link.node
        else { return heardAt }
        return max(heardAt, parent.lastHeard)
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
        let announced = SortedNames(all)
        var next: [StreamName: StreamElection] = [:]
        for name in announced.all {
            next[name] = elections[name] ?? StreamElection(at: now)
        }
        // A stream that nobody announces any more is remembered while its leader may come back.
        var remembered: [StreamName] = []
        for name in known.all where next[name] == nil {
            guard let election = elections[name], election.leader != nil || now - election.changedAt < Self.memory,
                next.count < core.configuration.announcementsMax
            else {
                unpublished.append(name)
                continue
            }
            next[name] = election
            remembered.append(name)
        }
        known = SortedNames(announced.all + remembered)
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

    /// Tells each entrypoint who leads the streams that it announces, where that has changed or has not arrived.
    mutating func publish(at now: MonotonicInstant, _ core: inout NodeCore) {
        let due = SortedNames(unpublished + unled.all).all
        (unpublished, publishAt) = ([], .distantFuture)
        for entrypoint in seen {
            guard let link = core.links.children[entrypoint.slot], let list = link.announcements else { continue }
            for name in due {
                link.reporting.set(list[name] == nil ? nil : entry(of: name, at: now, core), of: name)
            }
            guard entrypoint.isHeard else { continue }
            let pages = link.reporting.takeDue(at: now)
            for page in pages { core.send(.witnessReport(page), on: link, at: now) }
            if !pages.isEmpty { core.context.count(.witnessReportsSent) }
            if let due = link.reporting.due { publishAt = min(publishAt, due) }
        }
    }

    /// What to say about a stream; nil for nothing.
    private func entry(
        of name: StreamName, at now: MonotonicInstant, _ core: borrowing NodeCore
    ) -> WitnessReport.Entry? {
        guard let election = elections[name],
            election.leader != nil || election.isOrphan(core.configuration.election, at: now)
        else { return nil }
        let hasSubscribers = election.leader == nil && core.streams[name]?.hasDemand == true
        return WitnessReport.Entry(stream: name, leader: election.leader, hasSubscribers: hasSubscribers)
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
