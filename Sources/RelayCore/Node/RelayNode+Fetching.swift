import ReflectorModel
import RelayWire

/// The child's part: which parents a stream is fetched from. One path as a rule; another joins before one is left, and
/// when a parent cannot restore its own upstream.
extension RelayNode {
    /// A viewer of this region wants a stream.
    public func want(_ name: StreamName, at now: MonotonicInstant) {
        guard let stream = stream(named: name, at: now) else {
            return core.reportUnavailable(name, .tableFull, at: now)
        }
        stream.isWanted = true
        stream.leaveAt = nil
        stream.retryAt = nil
        choosePaths(for: stream, at: now)
    }

    /// The last viewer has left: the stream is fetched for another `leaveGrace`.
    public func release(_ name: StreamName, at now: MonotonicInstant) {
        guard let stream = streams[name] else { return }
        stream.isWanted = false
        // What never came need not be waited for: many ask for names that do not exist.
        if stream.incarnation == nil, !stream.hasDemand, stream.origin == nil {
            return discard(stream, at: now)
        }
        core.noteDemand(of: stream, at: now)
    }

    // MARK: Choosing

    /// Makes the paths what they should be: called whenever demand, answers, links or replies change.
    func choosePaths(for stream: StreamState, at now: MonotonicInstant) {
        guard stream.origin == nil, stream.hasDemand || stream.leaveAt != nil else { return }
        let settled = stream.paths.settled
        switch candidates(for: stream, at: now) {
        case .undecided:
            clock.schedule(stream, now + ParentDirectory.restoredAfter)
        case .none(.parentsTakenAway):
            for path in stream.paths.all { removePath(path, of: stream, at: now) }
            report(.parentsTakenAway, for: stream, at: now)
        case .none(let reason):
            // What works is kept; parents are taken away by an answer, never by its absence.
            if stream.paths.isEmpty { report(reason, for: stream, at: now) }
        case .list(let list):
            guard let current = settled.first else {
                if let best = best(of: list, for: stream, at: now) {
                    join(best, stream, at: now)
                } else if let leaving = stream.paths.all.first {
                    leaving.state = .live
                } else {
                    report(stream.refusedAs.reason, for: stream, at: now)
                }
                break
            }
            reconsider(current, settled.count, list, stream, at: now)
            keepWarm(list, for: stream, at: now)
        }
    }

    /// Whether to leave the parent in use for a better one, or to add a path beside it. A working parent is left at once
    /// when the zone no longer names it, and for one before it in the list only if that one has been well for
    /// `returnAfter` or never failed. One that is missing only because the name server's probes do not reach it is not
    /// left while it works here: what arrives proves more than a probe elsewhere (design §4).
    private func reconsider(
        _ current: StreamPath, _ count: Int, _ list: [ParentCandidate], _ stream: StreamState,
        at now: MonotonicInstant
    ) {
        let place = list.firstIndex { $0.endpoint == current.candidate.endpoint }
        if let place { current.candidate = list[place] }
        let isProvedAlive =
            place == nil && current.state == .live && seemsDead(current.candidate, of: stream)
        if count == 1, !isProvedAlive, let target = better(than: place, list, for: stream, at: now),
            current.state == .live || place == nil
        {
            return move(stream, from: current, to: target, at: now)
        }
        let isWaiting = stream.paths.isWaiting
        let isLate = isWaiting && now - current.since >= Self.joinPatience
        let wantsMore =
            isLate
            || count < pathsWanted(of: stream, at: now) && !stream.isCatchingUp(on: current, at: now)
        guard wantsMore, count < PathPolicy.pathsMax, now - stream.lastExtraPath >= Self.joinPatience
        else { return }
        let used = stream.paths.all.map(\.candidate.endpoint)
        let others = list.filter {
            !used.contains($0.endpoint) && !parents.isAvoided($0.endpoint, at: now)
                && !isShedding($0, at: now)
        }
        if let other = best(of: others, isExtra: !isLate, for: stream, at: now) {
            stream.lastExtraPath = now
            join(other, stream, isExtra: !isLate, at: now)
        }
    }

    /// While nothing flows, a parent that has not answered this long gets company.
    static var joinPatience: TimeSpan { .milliseconds(500) }
    /// A parent that refused a stream is not asked for it again this long, while there are others.
    private static var refusalSpan: TimeSpan { .seconds(5) }
    /// The same while nothing flows: the others may be dead.
    private static var refusalSpanInNeed: TimeSpan { .seconds(1) }

    private func better(
        than place: Int?, _ list: [ParentCandidate], for stream: StreamState, at now: MonotonicInstant
    ) -> ParentCandidate? {
        guard let place else { return best(of: list, for: stream, at: now) }
        return list[..<place].first {
            !parents.isAvoided($0.endpoint, at: now)
                && parents.isSteady($0.endpoint, for: configuration.returnAfter, at: now)
                && !stream.hasRefused(
                    $0.endpoint, isExtra: false, within: configuration.returnAfter, at: now)
                && !stream.isDemoted($0.endpoint, at: now) && !isShedding($0, at: now)
        }
    }

    /// Make before break: the parent in use is left once the other one brings the stream.
    func move(
        _ stream: StreamState, from current: StreamPath, to target: ParentCandidate,
        at now: MonotonicInstant
    ) {
        if let leaving = stream.paths.all.first(where: { $0.candidate.endpoint == target.endpoint }) {
            // Back to the one that was being left.
            leaving.state = .live
            return removePath(current, of: stream, at: now)
        }
        context.post(.alarm(.parentChanged(stream.name, from: current.candidate.name, to: target.name)))
        context.count(.parentChanges)
        guard join(target, stream, at: now) != nil else { return }
        if current.state == .joining { return removePath(current, of: stream, at: now) }
        current.state = .leaving
        current.since = now
        clock.schedule(stream, now + Self.overlapMax)
    }

    /// Longest overlap of a parent being left with the one that follows.
    static var overlapMax: TimeSpan { .seconds(2) }

    /// The first candidate that has not just failed or refused; if there is no path at all, one that has failed is
    /// better than none: the one that may be tried again soonest.
    private func best(
        of list: [ParentCandidate], isExtra: Bool = false, for stream: StreamState,
        at now: MonotonicInstant
    ) -> ParentCandidate? {
        let span =
            stream.paths.all.contains { $0.state != .joining } ? Self.refusalSpan : Self.refusalSpanInNeed
        let willing = list.filter {
            !stream.hasRefused($0.endpoint, isExtra: isExtra, within: span, at: now)
        }
        func order(_ candidate: ParentCandidate) -> (MonotonicInstant, Int) {
            (parents.avoidedUntil(candidate.endpoint, at: now), isShedding(candidate, at: now) ? 1 : 0)
        }
        let soonest = willing.min { order($0) < order($1) }
        guard let soonest, stream.paths.isEmpty || !parents.isAvoided(soonest.endpoint, at: now) else {
            return nil
        }
        return soonest
    }

    @discardableResult
    func join(
        _ candidate: ParentCandidate, _ stream: StreamState, isExtra: Bool = false,
        at now: MonotonicInstant
    ) -> StreamPath? {
        if let known = stream.paths.all.first(where: { $0.candidate.endpoint == candidate.endpoint }) {
            if known.state == .leaving { known.state = .live }
            return nil
        }
        guard let link = link(to: candidate, at: now) else {
            return nil
        }
        let path = StreamPath(
            link: link, candidate: candidate, subscription: links.takeSubscriptionID(),
            bit: stream.paths.freeBit,
            isExtra: isExtra, start: start(of: stream), now: now)
        stream.paths.add(path)
        if link.subscriptions.isEmpty { link.lastReceived = max(link.lastReceived, now) }
        link.addSubscription(path.subscription, stream: stream.slot)
        measure(link)
        stream.lastJoin = now
        stream.fetchedSince = stream.fetchedSince ?? now
        subscribe(path, of: stream, at: now)
        if stream.paths.all.contains(where: { $0.state != .joining && $0.link.isAlive }) {
            stream.incarnation?.forgetPath(path.bit)
        } else {
            // A parent that died comes with a gap it can no longer fill; the new one's backlog will.
            stream.incarnation?.forgetPaths(
                due: now + link.roundTrip.retransmitTimeout + .milliseconds(200))
        }
        if link.isAlive { clock.schedule(link, now + configuration.linkSilenceMax) }
        return path
    }

    func subscribe(_ path: StreamPath, of stream: StreamState, at now: MonotonicInstant) {
        guard path.link.isAlive else { return }
        if path.tag == nil { path.start = start(of: stream) }
        var below: [NodeID] = playOut != nil ? [] : [id]
        for child in stream.children {
            for node in child.path where !below.contains(node) && below.count < Subscribe.pathLengthMax {
                below.append(node)
            }
        }
        let request = Subscribe(
            subscription: path.subscription, stream: stream.name, portset: stream.portset ?? PortsetID(0),
            start: path.start, rateSixteenths: configuration.backlogSixteenths, path: below,
            isExtra: path.isExtra && stream.paths.hasSettled(besides: path))
        context.count(.subscribesSent)
        send(.subscribe(request), on: path.link, at: now)
        path.lastAsked = now
        path.tries += 1
        path.nextTry = now + configuration.retryInterval * Int64(1 << min(path.tries - 1, 4))
        clock.schedule(stream, path.nextTry)
    }

    /// From where to ask: on from what is held, or else from the lowest number that children ask for, so that a parent
    /// that did not carry the stream can fill their gap (design §7).
    private func start(of stream: StreamState) -> Subscribe.Start {
        if let past = stream.returnTo { return .resume(past.tag, SequenceNumber(past.sequence)) }
        if let incarnation = stream.incarnation, incarnation.resumePoint > 0 {
            return .resume(incarnation.tag, SequenceNumber(incarnation.resumePoint))
        }
        var lowest: (tag: IncarnationTag, sequence: SequenceNumber)?
        for child in stream.children {
            switch child.start {
            case .live: continue
            case .preburst: return .preburst
            case .resume(let tag, let sequence):
                guard lowest == nil || lowest?.tag == tag else { return .preburst }
                lowest = (tag, min(lowest?.sequence ?? sequence, sequence))
            }
        }
        if let lowest { return .resume(lowest.tag, lowest.sequence) }
        return stream.children.isEmpty ? .preburst : .live
    }

    /// Nobody can give it: viewers are told, and it is tried again after a while.
    private func report(
        _ reason: UnavailableReason, for stream: StreamState, at now: MonotonicInstant
    ) {
        stream.forgetRefusals()
        stream.refusedAs = []
        stream.problem = reason
        stream.retryAt = now + .seconds(1)
        clock.schedule(stream, now + .seconds(1))
        if playOut != nil {
            if stream.isWanted { core.reportUnavailable(stream.name, reason, at: now) }
        } else {
            server.refuseWaiting(for: stream, reason, at: now, &core)
            if reason == .parentsTakenAway || now - stream.lastArrival >= configuration.streamSilenceMax {
                endChildren(of: stream, reason: .noSource, at: now)
            }
            core.noteDemand(of: stream, at: now)
        }
    }

    /// Kept as validated links without data, for the moment they are needed: those before the one in use (to see whether
    /// they are well again), the next after it, and the first host of each other rank.
    private func keepWarm(
        _ list: [ParentCandidate], for stream: StreamState, at now: MonotonicInstant
    ) {
        guard let current = stream.paths.all.first?.candidate else { return }
        let place = list.firstIndex { $0.endpoint == current.endpoint } ?? 0
        var chosen = Array(list[..<place].prefix(2))
        if place + 1 < list.count { chosen.append(list[place + 1]) }
        for rank in UInt8(1)...3 where rank != current.rank {
            if let first = list.first(where: { $0.rank == rank }) { chosen.append(first) }
        }
        for candidate in chosen
        where candidate.endpoint != current.endpoint && !parents.isAvoided(candidate.endpoint, at: now) {
            link(to: candidate, at: now)?.warmUntil = now + .seconds(30)
        }
    }
}
