import ReflectorModel
import RelayWire

/// Routes requests of children and encoders: calls the responsible part, then the other parts that must react.
extension RelayNode {
    // MARK: Requests of children

    /// A Subscribe, an Unsubscribe or an Announce.
    func onRequest(_ message: RelayMessage, on link: ChildLink, at now: MonotonicInstant) {
        if server.takeRequest(message, on: link, at: now, &core) { carryOut(message, on: link, at: now) }
    }

    /// Processes requests that waited.
    func handleRequests(at now: MonotonicInstant) {
        server.beginTurn()
        while let (message, link) = server.nextRequest(at: now, &core) { carryOut(message, on: link, at: now) }
    }

    private func carryOut(_ message: RelayMessage, on link: ChildLink, at now: MonotonicInstant) {
        switch message {
        case .subscribe(let request): onSubscribe(request, on: link, at: now)
        case .unsubscribe(let subscription): server.unsubscribe(subscription, on: link, at: now, &core)
        case .announce(let page): onAnnounce(page, on: link, at: now)
        case .subscribeReply, .subscriptionEnd, .renew, .linkHeartbeat, .nak, .heartbeat, .announcePull,
            .heartbeatReply, .close, .sizeProbe, .sizeReport, .payloadLimit, .probe, .probeReport, .witnessReport,
            .regionReport, .lanFeed:
            break
        }
    }

    private func onSubscribe(_ request: Subscribe, on link: ChildLink, at now: MonotonicInstant) {
        let grant = server.admit(
            request, on: link, leads: region?.fetchesOutside(request.stream, core) ?? false,
            isAbsent: { fetcher.directory.isKnownAbsent(.candidates(request.stream), at: now) },
            at: now,
            &core)
        guard let grant else { return }
        guard let stream = stream(named: request.stream, at: now) else {
            server.takeBack(grant)
            return server.refuse(request, .tableFull, .droppedStreamTableFull, on: link, at: now, &core)
        }
        let subscription = server.add(request, grant, on: link, to: stream, at: now, &core)
        if region != nil { noteRegionDemand(for: stream, at: now) }
        if server.canServe(stream) {
            activate(subscription, of: stream, at: now)
        } else {
            server.answer(subscription, at: now, &core)
        }
        // While a parent carries the stream, the stream's own timer checks the paths, so that each of a thousand
        // children costs no more than the answer to it.
        if stream.origin == nil, !stream.paths.hasLive { choosePaths(for: stream, at: now) }
    }

    func onNak(_ nak: Nak, on link: ChildLink, at now: MonotonicInstant) {
        server.onNak(nak, on: link, at: now, &core)
    }

    // MARK: Serving

    /// Starts all children that wait for the stream, if it can be served now.
    func activateWaiting(of stream: StreamState, at now: MonotonicInstant) {
        for subscription in server.waiting(for: stream) { activate(subscription, of: stream, at: now) }
    }

    private func activate(_ subscription: ChildSubscription, of stream: StreamState, at now: MonotonicInstant) {
        let from: UInt64
        switch server.beginning(of: subscription, of: stream, at: now, &core) {
        case nil: return
        case .at(let sequence): from = sequence
        case .below(let wanted, let oldest): from = receiver.backfill(stream, from: wanted, to: oldest, at: now, &core)
        }
        server.start(subscription, of: stream, from: from, at: now, &core)
        server.offerLAN(to: subscription, of: stream, region, at: now, &core)
    }

    /// Another incarnation has begun, or this one restarts at lower numbers: all children start again with a preburst.
    func restartChildren(of stream: StreamState, at now: MonotonicInstant) {
        server.restart(stream)
        activateWaiting(of: stream, at: now)
    }

    /// Tells every child that the stream has ended here.
    func endChildren(of stream: StreamState, reason: SubscriptionEndReason, at now: MonotonicInstant) {
        server.endChildren(of: stream, reason: reason, at: now, &core)
    }

    // MARK: Room for streams

    /// The stream of that name; created if there is none. Viewers and children choose the names, so a full table evicts
    /// the oldest stream without data. Nil if all streams carry data.
    func stream(named name: StreamName, at now: MonotonicInstant) -> StreamState? {
        if let stream = core.streams[name] { return stream }
        let countMax = core.configuration.streamsMax
        guard core.streams.count < countMax || evictStream(at: now) else {
            core.context.count(.droppedStreamTableFull)
            return nil
        }
        let stream = core.streams.insert(name, countMax: countMax)
        stream.follow(witness?.leader(of: name))
        return stream
    }

    /// Evicts the oldest stream that carries no data. False if there is none.
    private func evictStream(at now: MonotonicInstant) -> Bool {
        guard let oldest = core.streams.takeUnproven() else { return false }
        core.context.count(.streamsEvicted)
        core.context.alarm(.room, .streamsFull, at: now)
        if oldest.isWanted { core.reportUnavailable(oldest.name, .tableFull, at: now) }
        discard(oldest, at: now)
        return true
    }

    /// Removes a stream of which nothing has arrived. Only the children that wait for it get an answer.
    func discard(_ stream: StreamState, at now: MonotonicInstant) {
        for path in stream.paths.all { fetcher.removePath(path, of: stream, at: now, &core) }
        server.refuseAll(of: stream, at: now, &core)
        core.streams.remove(stream)
    }

    // MARK: Announcements

    private func onAnnounce(_ page: Announce, on link: ChildLink, at now: MonotonicInstant) {
        let isNew = link.announcements == nil
        let outcome = announcements.onAnnounce(page, on: link, at: now, &core)
        if isNew, link.announcements != nil { fetcher.noteReachable(link.endpoint, at: now, &core) }
        let changed: [StreamState]
        switch outcome {
        case nil, .full, .unusable: return
        case .incomplete: changed = []
        case .replaced:
            noteAnnouncements(at: now)
            changed = core.streams.all
        case .changed(let names):
            witness?.noteChange(of: names)
            core.clock.scheduleElection(now)
            changed = names.compactMap { core.streams[$0] }
        }
        fetcher.lookUpCandidates(of: page, on: link, at: now, &core)
        for stream in changed where stream.hasDemand && link.announcements?[stream.name] != nil {
            fetcher.noteAnnounced(stream, by: link)
            choosePaths(for: stream, at: now)
        }
    }

    func onHeartbeat(_ heartbeat: Heartbeat, on link: ChildLink, at now: MonotonicInstant) {
        link.reporting.noteHeld(heartbeat.reportHeld)
        announcements.onHeartbeat(heartbeat, on: link, isVoting: isVoting(at: now), at: now, &core)
    }

    // MARK: Encoders

    /// Called when an encoder provides a stream: creates an incarnation and announces it. An encoder that returns
    /// within its grace period continues the old one, unless the stream is hot and bytes may be missing (`isContinued`
    /// is false). False if the table is full, if no key can be derived for the incarnation, or if the node is not an
    /// entrypoint.
    public func provide(_ name: StreamName, isContinued: Bool = true, at now: MonotonicInstant) -> Bool {
        if let idle = origin?.idleToEvict(for: name, core) {
            core.context.count(.streamsEvicted)
            withdraw(idle, at: now)
        }
        guard origin != nil, let stream = stream(named: name, at: now) else { return false }
        let renews = !isContinued && fetcher.isHot(name, at: now)
        switch origin?.provide(stream, renews: renews, at: now, &core) {
        case nil, .failed: return false
        case .resumed: return true
        case .renewed: restartChildren(of: stream, at: now)
        case .begun: break
        }
        fetcher.use(.candidates(name), isCarrying: true, at: now, &core)
        learnOriginPortset(of: stream, at: now)
        core.clock.schedule(stream, now + core.configuration.fillerInterval)
        return true
    }

    /// The encoder disconnected: the stream is withdrawn unless the encoder returns within `encoderGrace`.
    public func encoderLeft(_ name: StreamName, at now: MonotonicInstant) {
        origin?.encoderLeft(name, at: now, &core)
    }

    /// The handle of a stream that is provided here, by which its payloads are ingested without a look-up by name.
    public func handle(of name: StreamName) -> StreamHandle? {
        core.streams[name].map { StreamHandle(slot: $0.slot, number: $0.number) }
    }

    /// Numbers, seals and sends one payload. A payload over `WireLimits.payloadMax` is refused and counted. A payload
    /// of a stream that has ended is dropped.
    public func ingest(_ payload: UnsafeRawBufferPointer, to handle: StreamHandle, at now: MonotonicInstant) {
        guard let stream = core.streams[handle.slot], stream.number == handle.number else { return }
        Origin.ingest(payload, of: stream, at: now, &core)
    }

    /// Ingests a payload as above, but finds the stream by name.
    public func ingest(_ payload: UnsafeRawBufferPointer, stream name: StreamName, at now: MonotonicInstant) {
        if let handle = handle(of: name) { ingest(payload, to: handle, at: now) }
    }

    /// Takes the portset of a stream provided here from the zone's candidate list, if that has arrived.
    func learnOriginPortset(of stream: StreamState, at now: MonotonicInstant) {
        guard let portset = fetcher.directory.answer(.candidates(stream.name), at: now)?.portset else { return }
        origin?.learnPortset(portset, of: stream, at: now, &core)
    }

    func handleSourceTimer(of stream: StreamState, at now: MonotonicInstant) {
        // Fillers would move the numbers of this feed against those of the other one.
        let sendsFillers = !fetcher.isHot(stream.name, at: now)
        switch origin?.handleTimer(of: stream, sendsFillers: sendsFillers, at: now, &core) {
        case nil, .goesOn: core.updateLimit(of: stream, at: now)
        case .mustAnnounce:
            core.updateLimit(of: stream, at: now)
            origin?.announceChange(of: stream.name, at: now, &core)
        case .mustWithdraw: withdraw(stream, at: now)
        }
    }

    private func withdraw(_ stream: StreamState, at now: MonotonicInstant) {
        server.endChildren(of: stream, reason: .withdrawn, at: now, &core)
        origin?.withdraw(stream, at: now, &core)
    }

    // MARK: The node's own timer

    /// Renews look-ups, drops incomplete announcements, asks children to end extra paths if the node is nearly full,
    /// and maintains an entrypoint's links to its set reflectors.
    func handleNodeTimer(at now: MonotonicInstant) {
        core.context.handshakes.expire(at: now)
        fetcher.renewAnswers(at: now, &core)
        announcements.handleTimeout(at: now, &core)
        server.shedExtraPaths(at: now, &core)
        var wake = now + .seconds(1)
        if origin != nil {
            keepTargets(at: now)
        } else if core.streams.count == 0, !observesStreams {
            // There are no streams, so nothing needs a wake-up, and nobody needs the answers to be renewed.
            wake = .distantFuture
        }
        wake = min(wake, max(fetcher.directory.nextRenewal, now + .milliseconds(1)))
        if origin != nil || core.streams.count > 0 || observesStreams { core.clock.scheduleNode(wake) }
        if let expiry = announcements.nextTimeout { core.clock.scheduleNode(max(expiry, now + .milliseconds(1))) }
    }

    /// Looks up the set reflectors that an entrypoint announces to, and opens and closes links to them.
    private func keepTargets(at now: MonotonicInstant) {
        fetcher.use(.announceTargets(host: core.configuration.name), isCarrying: true, at: now, &core)
        for name in origin?.streamsToRenew(at: now, core) ?? [] {
            fetcher.use(.candidates(name), isCarrying: true, at: now, &core)
        }
        origin?.sendChanges(at: now, &core)
        for link in origin?.unlistedTargets(core) ?? [] {
            core.close(link, at: now)
        }
        // A set reflector that failed is tried again at once: as a witness, it must hear this entrypoint.
        for target in origin?.targets ?? [] {
            _ = core.openLink(
                to: target.host.endpoint, others: target.others, name: target.host.name, isForAnnouncing: true,
                at: now)
        }
    }

    // MARK: Stopping

    /// Accepts no new subscriptions, and tells every child that still fetches to move elsewhere, make before break.
    /// Since a message may be lost, call it again every few hundred milliseconds until it returns true, which means
    /// that nobody fetches any more. Until then, children are still served the packets they lack.
    public func drain(at now: MonotonicInstant) -> Bool {
        server.stopAccepting()
        origin?.leave(at: now, &core)
        leaveRegion(at: now)
        var isDone = true
        for link in core.links.children.all where !link.ordered.isEmpty {
            isDone = false
            core.send(.close(.shuttingDown), on: link, at: now)
        }
        return isDone
    }

    /// Closes every link, so that neither side waits for a timeout. The node must not be used afterwards, except to
    /// transmit the last messages.
    public func close(at now: MonotonicInstant) {
        server.stopAccepting()
        for link in core.links.children.all { core.send(.close(.leaving), on: link, at: now) }
        for link in core.links.parents.all where link.isAlive { core.send(.close(.leaving), on: link, at: now) }
    }
}

extension RelayNode {
    /// Removes a link and all its subscriptions.
    func remove(_ link: ChildLink, at now: MonotonicInstant) {
        server.forget(link, at: now, &core)
        for dropped in link.session.close() { core.release(dropped) }
        core.meter.stop(link)
        core.links.remove(link)
        if link.announces { noteAnnouncements(at: now) }
    }
}
