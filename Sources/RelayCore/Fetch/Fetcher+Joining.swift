import ReflectorModel
import RelayWire

/// Joining a stream at a parent, and leaving it there.
extension Fetcher {
    /// Adds a path via the candidate and returns it. Nil if there already is such a path, or no room for another link.
    @discardableResult
    mutating func join(
        _ candidate: ParentCandidate, _ stream: StreamState, isExtra: Bool = false, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) -> StreamPath? {
        if let known = stream.paths.path(by: candidate) {
            if known.state == .leaving { known.becomeLive() }
            return nil
        }
        guard let link = link(to: candidate, at: now, &core) else { return nil }
        let path = StreamPath(
            link: link, candidate: candidate, subscription: core.links.takeSubscriptionID(),
            bit: stream.paths.freeBit, isExtra: isExtra, start: start(of: stream), now: now)
        stream.paths.add(path)
        if candidate.isPeer { core.context.count(.peersAsked) }
        if link.subscriptions.isEmpty { link.excuseSilence(until: now) }
        link.addSubscription(path.subscription, stream: stream.slot)
        core.measure(link)
        stream.times.noteJoin(at: now)
        if !candidate.isMember, !stream.paths.hasLiveOutside { stream.times.noteStarved(at: now) }
        subscribe(path, of: stream, at: now, &core)
        if stream.paths.all.contains(where: { $0.state != .joining && $0.link.isAlive }) {
            stream.incarnation?.forgetPath(path.bit)
        } else {
            // A dead parent leaves a gap that it can no longer fill; the new parent's backlog will fill it.
            stream.incarnation?.forgetPaths(due: now + link.roundTrip.retransmitTimeout + .milliseconds(200))
        }
        if link.isAlive { core.clock.schedule(link, now + core.configuration.linkSilenceMax) }
        return path
    }

    /// The link to a candidate; opens it if there is none. Nil if the table is full.
    func link(to candidate: ParentCandidate, at now: MonotonicInstant, _ core: inout NodeCore) -> ParentLink? {
        core.openLink(
            to: candidate.endpoint, others: candidate.others, name: candidate.name, isForAnnouncing: false, at: now)
    }

    /// Sends or repeats the Subscribe for a path. Sends nothing until the link is open.
    func subscribe(_ path: StreamPath, of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        guard path.link.isAlive else { return }
        if path.tag == nil {
            path.beginRequest(from: startsAsTwin(path, of: stream, at: now) ? .live : start(of: stream))
        }
        var below: [NodeID] = isEdge && core.configuration.neighbours.isEmpty ? [] : [core.context.id]
        for child in stream.children {
            for node in child.path where !below.contains(node) && below.count < Subscribe.pathLengthMax {
                below.append(node)
            }
        }
        let request = Subscribe(
            subscription: path.subscription, stream: stream.name, portset: stream.portset ?? PortsetID(0),
            start: path.start, rateSixteenths: core.configuration.backlogSixteenths,
            silentMilliseconds: path.start.isResume ? silence(of: stream, at: now) : 0, path: below,
            isExtra: path.isExtra && stream.paths.hasSettled(besides: path), isOnRequest: path.isOnLAN)
        core.context.count(.subscribesSent)
        core.send(.subscribe(request), on: path.link, at: now)
        path.noteRequest(interval: core.configuration.retryInterval, at: now)
        core.clock.schedule(stream, path.nextTry)
    }

    /// Asks for the whole stream again, from the last number held on.
    func subscribeAgain(_ path: StreamPath, of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        path.beginRequest(from: start(of: stream))
        subscribe(path, of: stream, at: now, &core)
    }

    /// Where the subscription should start: after the packets held here or, if there are none, at the lowest number
    /// that the children request. So even a parent that did not carry the stream before can fill their gap (design §7).
    private func start(of stream: StreamState) -> Subscribe.Start {
        if let past = stream.sourceChanges.returnTo { return .resume(past.tag, SequenceNumber(past.sequence)) }
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

    /// For how long this node has got no packet of the stream, in ms; the maximum if that is unknown. A source that took
    /// the place of another one a short time ago may not have brought all that its predecessor lacks.
    func silence(of stream: StreamState, at now: MonotonicInstant) -> UInt16 {
        guard stream.incarnation != nil else { return .max }
        if let replaced = stream.arrivals.replacedAt, now - replaced < Self.completeAfter { return .max }
        return UInt16(clamping: (now - stream.arrivals.lastKept).milliseconds)
    }

    /// A new source has brought its past after this time.
    private static var completeAfter: TimeSpan { .seconds(2) }

    func removePath(_ path: StreamPath, of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        core.release(path, of: stream)
        stream.paths.remove(path)
        path.link.removeSubscription(path.subscription)
        core.send(.unsubscribe(subscription: path.subscription), on: path.link, at: now)
        if path.link.subscriptions.isEmpty {
            path.link.keepWarm(until: max(path.link.warmUntil, now + .seconds(10)))
        }
    }

    func removePaths(of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        for path in stream.paths.all { removePath(path, of: stream, at: now, &core) }
    }

    /// The path now carries the packets that follow those held here, so the paths that were to be left are removed. The
    /// caller then starts the waiting children.
    func becameLive(_ path: StreamPath, of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        path.becomeLive()
        stream.times.noteFed()
        // The member may have waited for it before it leads.
        if !path.candidate.isMember, !core.configuration.neighbours.isEmpty { core.clock.scheduleRegion(now) }
        for leaving in stream.paths.all where leaving.state == .leaving {
            removePath(leaving, of: stream, at: now, &core)
        }
    }
}
