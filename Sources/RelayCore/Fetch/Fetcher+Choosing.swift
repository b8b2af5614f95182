import ReflectorModel
import RelayWire

/// The paths by which a stream is fetched: normally one. Another path is added before the current one is left, or if
/// the parent does not answer, cannot restore its own upstream, or delivers too poorly.
extension Fetcher {
    /// If nothing flows and a parent has not answered for this long, a second parent is asked as well.
    static var joinPatience: TimeSpan { .milliseconds(500) }
    /// Maximum overlap of the old and the new parent during a move.
    static var overlapMax: TimeSpan { .seconds(2) }
    /// How long to wait before a stream is requested again from a parent that refused it, while packets arrive from
    /// another parent.
    private static var refusalSpan: TimeSpan { .seconds(5) }
    /// The same wait while nothing flows. It is shorter because the other parents may be dead.
    private static var refusalSpanInNeed: TimeSpan { .seconds(1) }
    /// Maximum number of parents to which links are opened at a time while nothing flows.
    private static var linksInNeed: Int { 4 }

    /// Adds, moves and removes paths as needed. Called whenever demand, answers, links or replies change.
    mutating func choosePaths(for stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        guard stream.origin == nil, stream.hasDemand || stream.times.leaveAt != nil else { return }
        // The stream of another member that leads needs one path only.
        if !stream.neighbours.isEmpty, stream.paths.settledCount > 1 { dropExtraPaths(of: stream, at: now, &core) }
        let (current, count) = (stream.paths.firstSettled, stream.paths.settledCount)
        switch candidates(for: stream, at: now, &core) {
        case .undecided:
            core.clock.schedule(stream, now + ParentDirectory.restoredAfter)
        case .none(.parentsTakenAway):
            removePaths(of: stream, at: now, &core)
            report(.parentsTakenAway, for: stream, at: now, &core)
        case .none(let reason):
            // Working paths stay: only an answer removes parents, never the lack of one.
            if stream.paths.isEmpty { report(reason, for: stream, at: now, &core) }
        case .list(let list):
            followPolicy(of: stream, list, at: now)
            guard let current else {
                if let best = best(of: list, for: stream, at: now, core) {
                    join(best, stream, at: now, &core)
                } else if let leaving = stream.paths.all.first {
                    leaving.becomeLive()
                } else {
                    report(stream.candidates.reason, for: stream, at: now, &core)
                }
                return
            }
            reconsider(current, count, list, stream, at: now, &core)
            keepReserves(of: list, for: stream, at: now, &core)
        }
    }

    /// Decides whether to leave the current parent for a better one, or to add a path beside it. A working parent is
    /// left at once if the zone no longer names it. It is left for a parent ahead of it in the list only if that one
    /// has been healthy for `returnAfter` or never failed. A parent that is missing only because the name server's
    /// probes do not reach it is kept while it works here: received packets prove more than a probe from elsewhere
    /// (design §4).
    private mutating func reconsider(
        _ current: StreamPath, _ count: Int, _ list: CandidateList, _ stream: StreamState, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        let place = list.place(of: current.candidate.endpoint)
        if let place { current.update(list.all[place]) }
        if place == nil, current.candidate.isUnconfirmed,
            directory.answer(.candidates(stream.name), at: now) != nil
        {
            // Only its own announcement spoke for it, and the zone now says otherwise: nothing more is taken from it.
            removePath(current, of: stream, at: now, &core)
            if stream.paths.isEmpty, let best = best(of: list, for: stream, at: now, core) {
                join(best, stream, at: now, &core)
            }
            return
        }
        if count > 1 { dropUnlisted(list, of: stream, at: now, &core) }
        // A member of a region that could not reach the stream's parents does not wait before it asks the new leader.
        // A hot stream is not moved to a better entrypoint: that one is added, and both feeds are merged. Only if they are
        // not the same bytes, the stream is moved like any other.
        let isHot = stream.hot?.isWanted == true
        let isProvedAlive =
            place == nil && current.state == .live && seemsDead(current.candidate, of: stream, core)
        if count == 1, !isProvedAlive, let target = better(than: place, list, for: stream, at: now, core),
            current.state == .live && (!isHot || stream.hot!.isDifferent(target.endpoint, at: now)) || place == nil
                || target.endpoint == stream.neighbours.first?.endpoint
        {
            return move(stream, from: current, to: target, at: now, &core)
        }
        let isLate = stream.paths.isWaiting && now - current.since >= Self.joinPatience
        let isDry = stream.paths.areDry && now - current.since >= Self.joinPatience
        let wantsMore =
            isLate
            || count < pathsWanted(of: stream, at: now, core) && !stream.isCatchingUp(on: current, at: now)
        guard wantsMore || isDry, stream.times.mayAddPath(spacing: Self.joinPatience, at: now) else { return }
        let used = stream.paths.all.map(\.candidate.endpoint)
        var others = CandidateList(
            list.all.filter {
                !used.contains($0.endpoint) && !parents.isAvoided($0.endpoint, at: now)
                    && !isShedding($0, at: now, core) && (!isHot || isLate || isTwin($0, of: stream, at: now, core))
            })
        if isDry {
            others = reachableFirst(others, at: now, &core)
            if count >= PathPolicy.pathsMax { return replaceUnopened(by: others, stream, at: now, &core) }
        }
        guard wantsMore, count < PathPolicy.pathsMax else { return }
        if let other = best(of: others, isExtra: !isLate, for: stream, at: now, core) {
            stream.times.noteExtraPath(at: now)
            join(other, stream, isExtra: !isLate, at: now, &core)
        }
    }

    /// While nothing flows, a parent that this node hears comes before all others, because each parent that cannot be
    /// reached costs three seconds. Links to the others are opened meanwhile, a few at a time.
    private func reachableFirst(
        _ list: CandidateList, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> CandidateList {
        let heard = list.all.filter { isHeard($0, at: now, core) }
        let others = list.all.filter { !heard.contains($0) }
        for candidate in others.prefix(Self.linksInNeed) {
            guard let link = link(to: candidate, at: now, &core) else { continue }
            link.keepWarm(until: max(link.warmUntil, now + .seconds(5)))
        }
        return CandidateList(heard + others)
    }

    private func isHeard(_ candidate: ParentCandidate, at now: MonotonicInstant, _ core: borrowing NodeCore) -> Bool {
        guard let link = core.links.parent(at: candidate.endpoint), link.isAlive else { return false }
        return now - link.lastHeard < core.configuration.warmHeartbeatInterval * 2
    }

    /// All paths wait, and there is no room for more: one whose parent does not even open the link makes room for a
    /// parent that this node hears.
    private mutating func replaceUnopened(
        by others: CandidateList, _ stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        let heard = CandidateList(others.all.filter { isHeard($0, at: now, core) })
        guard let path = stream.paths.firstUnopened, let other = best(of: heard, for: stream, at: now, core) else {
            return
        }
        stream.times.noteExtraPath(at: now)
        removePath(path, of: stream, at: now, &core)
        join(other, stream, at: now, &core)
    }

    private func better(
        than place: Int?, _ list: CandidateList, for stream: StreamState, at now: MonotonicInstant,
        _ core: borrowing NodeCore
    ) -> ParentCandidate? {
        guard let place else { return best(of: list, for: stream, at: now, core) }
        if let leading = leading(in: list, ahead: place, of: stream, at: now) { return leading }
        let span = core.configuration.returnAfter
        return list.first(before: place) {
            !parents.isAvoided($0.endpoint, at: now) && parents.isSteady($0.endpoint, for: span, at: now)
                && !stream.candidates.hasRefused($0.endpoint, isExtra: false, within: span, at: now)
                && !stream.candidates.isDemoted($0.endpoint, at: now) && !isShedding($0, at: now, core)
        }
    }

    /// The member of the region or the entrypoint that leads the stream, if it is ahead of the current parent. The others
    /// have waited long enough before they chose it, so the stream moves to it at once.
    private func leading(
        in list: CandidateList, ahead place: Int, of stream: StreamState, at now: MonotonicInstant
    ) -> ParentCandidate? {
        guard let leader = stream.neighbours.first?.id ?? stream.leader else { return nil }
        return list.first(before: place) {
            $0.id == leader && !parents.isAvoided($0.endpoint, at: now)
                && !stream.candidates.hasRefused($0.endpoint, isExtra: false, within: Self.refusalSpan, at: now)
        }
    }

    /// The first candidate that has not recently failed or refused. If there is no path at all, a failed candidate is
    /// better than none: the result is then the one that may be tried again soonest.
    private func best(
        of list: CandidateList, isExtra: Bool = false, for stream: StreamState, at now: MonotonicInstant,
        _ core: borrowing NodeCore
    ) -> ParentCandidate? {
        let span = stream.paths.isWaiting ? Self.refusalSpanInNeed : Self.refusalSpan
        let soonest = list.soonest(
            isWilling: { !stream.candidates.hasRefused($0.endpoint, isExtra: isExtra, within: span, at: now) },
            avoidedUntil: { parents.avoidedUntil($0.endpoint, at: now) },
            isShedding: { isShedding($0, at: now, core) })
        guard let soonest, stream.paths.isEmpty || !parents.isAvoided(soonest.endpoint, at: now) else { return nil }
        return soonest
    }

    /// Moves the stream to another parent, make before break: the current parent is left once the new one carries the
    /// stream.
    mutating func move(
        _ stream: StreamState, from current: StreamPath, to target: ParentCandidate, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        if let leaving = stream.paths.path(by: target) {
            // Return to the parent that was being left.
            leaving.becomeLive()
            return removePath(current, of: stream, at: now, &core)
        }
        core.context.post(.alarm(.parentChanged(stream.name, from: current.candidate.name, to: target.name)))
        core.context.count(.parentChanges)
        guard join(target, stream, at: now, &core) != nil else { return }
        if current.state == .joining { return removePath(current, of: stream, at: now, &core) }
        current.beginLeaving(at: now)
        core.clock.schedule(stream, now + Self.overlapMax)
    }

    /// No parent can provide the stream: tells viewers or children, and retries after a while.
    private func report(
        _ reason: UnavailableReason, for stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        stream.candidates.noteReport(of: reason)
        stream.times.noteUnavailable(retryAt: now + .seconds(1))
        core.clock.schedule(stream, now + .seconds(1))
        if !isEdge || !stream.children.isEmpty { core.post(.unavailable(stream, reason)) }
        if isEdge, stream.isWanted { core.reportUnavailable(stream.name, reason, at: now) }
    }

    private mutating func keepReserves(
        of list: CandidateList, for stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard let current = stream.paths.all.first?.candidate else { return }
        for candidate in list.reserves(for: current, hasNeighbours: !stream.neighbours.isEmpty)
        where !parents.isAvoided(candidate.endpoint, at: now) {
            link(to: candidate, at: now, &core)?.keepWarm(until: now + .seconds(30))
        }
    }
}
