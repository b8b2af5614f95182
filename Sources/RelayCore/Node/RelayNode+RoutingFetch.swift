import NodeIdentity
import ReflectorModel
import RelayWire

/// Fetching of streams: demand, answers, parents' messages and timers go to the `Fetcher`. The other parts that must
/// react are called here, in the required order.
extension RelayNode {
    // MARK: Demand

    /// A viewer of this region wants a stream.
    public func want(_ name: StreamName, at now: MonotonicInstant) {
        guard let stream = stream(named: name, at: now) else {
            return core.reportUnavailable(name, .tableFull, at: now)
        }
        if region != nil {
            stream.want()
            noteRegionDemand(for: stream, at: now)
        }
        fetcher.want(stream, at: now, &core)
        drainEvents(at: now)
    }

    /// The last viewer has left: the stream is fetched for another `leaveGrace`.
    public func release(_ name: StreamName, at now: MonotonicInstant) {
        guard let stream = core.streams[name] else { return }
        stream.release()
        noteRegionChange(at: now)
        // A stream of which nothing ever arrived needs no grace period: many requests are for names that do not exist.
        if stream.incarnation == nil, !stream.hasDemand, stream.origin == nil {
            return discard(stream, at: now)
        }
        core.noteDemand(of: stream, at: now)
    }

    /// No parent can provide the stream: the children that wait for it are refused. Children that already receive it
    /// keep it as long as something may still arrive.
    func onUnavailable(_ stream: StreamState, _ reason: UnavailableReason, at now: MonotonicInstant) {
        server.refuseWaiting(for: stream, reason, at: now, &core)
        if reason == .parentsTakenAway || now - stream.arrivals.lastArrival >= core.configuration.streamSilenceMax {
            server.endChildren(of: stream, reason: .noSource, at: now, &core)
        }
        core.noteDemand(of: stream, at: now)
    }

    func choosePaths(for stream: StreamState, at now: MonotonicInstant) {
        fetcher.choosePaths(for: stream, at: now, &core)
        drainEvents(at: now)
    }

    // MARK: Look-ups

    /// An answer from the state file, used while no server answers.
    public func restore(_ name: ReflectorName, _ answer: LookUpAnswer, at now: MonotonicInstant) {
        fetcher.restore(name, answer, at: now)
    }

    /// The shell's answer to `RelayAction.lookUp`.
    public func lookUpFinished(_ name: ReflectorName, _ result: LookUpResult, at now: MonotonicInstant) {
        let isConfirmed = fetcher.finish(name, result, at: now, &core)
        if case .announceTargets = name, case .records(let answer) = result {
            origin?.follow(answer.hosts(by: fetcher.directory.addressOrder))
            core.clock.scheduleNode(now)
        }
        if case .node(let host) = name { checkIdentities(of: host, at: now) }
        if case .candidates(let stream) = name, case .records(let answer) = result {
            announcements.confirm(stream, by: answer, &core)
            noteCandidates(of: stream, answer, at: now)
        }
        for stream in fetcher.streams(concernedBy: name, core) {
            if stream.origin != nil {
                learnOriginPortset(of: stream, at: now)
            } else if !isConfirmed || !stream.paths.hasLive {
                choosePaths(for: stream, at: now)
            }
        }
    }

    /// The shell's sockets are bound to these addresses; 0.0.0.0 and `::` mean all addresses of their family. Called
    /// once at the start, and again whenever the set of addresses changes.
    public func setAddresses(_ own: [IPAddress], at now: MonotonicInstant) {
        fetcher.follow(AddressOrder(own: own))
        guard origin != nil,
            let answer = fetcher.directory.answer(.announceTargets(host: core.configuration.name), at: now)
        else { return }
        origin?.follow(answer.hosts(by: fetcher.directory.addressOrder))
        core.clock.scheduleNode(now)
    }

    // MARK: Messages of parents

    func onSubscribeReply(_ reply: SubscribeReply, on link: ParentLink, at now: MonotonicInstant) {
        switch fetcher.onSubscribeReply(reply, on: link, at: now, &core) {
        case .settled: break
        case .continues(let path, let stream):
            if reply.highest.rawValue == 0, path.state == .joining { becameLive(path, of: stream, at: now) }
            if let tag = stream.incarnation?.tag, receiver.needsOtherKey(stream, reply, tag, on: link, at: now, &core) {
                begin(tag, reply, on: path, of: stream, at: now)
            } else {
                rewind(stream, to: reply, at: now)
            }
        case .begins(let tag, let path, let stream): begin(tag, reply, on: path, of: stream, at: now)
        case .twins(let tag, let path, let stream): beginTwin(tag, reply, on: path, of: stream, at: now)
        }
        drainEvents(at: now)
    }

    /// The stream switches to the incarnation that a parent sends.
    private func begin(
        _ tag: IncarnationTag, _ reply: SubscribeReply, on path: StreamPath, of stream: StreamState,
        at now: MonotonicInstant
    ) {
        guard let key = receiver.key(in: reply, of: tag, on: path.link, core) else {
            return core.context.count(.streamKeysRejected)
        }
        let isChange = stream.incarnation != nil
        core.endTwin(on: path, of: stream)
        forgetIncarnation(of: stream, at: now)
        receiver.begin(tag, reply, key: key, of: stream, at: now, &core)
        path.forgetPlace()
        // What came on the LAN before this node knew the key is lost: the parent sends it again on the link.
        fetcher.leaveLAN(path, of: stream, hasFailed: false, at: now, &core)
        if stream.hot != nil { restartTwins(of: stream, at: now) }
        if isChange {
            core.context.post(.alarm(.sourceChanged(stream.name, source: reply.source)))
            receiver.sink?.discontinuity(stream: stream.name, lost: 0)
            restartChildren(of: stream, at: now)
        } else {
            activateWaiting(of: stream, at: now)
        }
    }

    /// Ends an incarnation: an edge delivers the packets that it holds, and the missing ones are lost.
    func forgetIncarnation(of stream: StreamState, at now: MonotonicInstant) {
        guard let old = stream.incarnation else { return }
        if receiver.handsOut { deliver(stream, isLast: true, at: now) }
        receiver.end(old, of: stream, &core)
    }

    func onSubscriptionEnd(
        _ subscription: UInt32, _ reason: SubscriptionEndReason, on link: ParentLink, at now: MonotonicInstant
    ) {
        fetcher.onSubscriptionEnd(subscription, reason, on: link, at: now, &core)
        drainEvents(at: now)
    }

    func onLinkHeartbeat(_ heartbeat: LinkHeartbeat, on link: ParentLink, at now: MonotonicInstant) {
        if fetcher.takeLease(heartbeat, on: link, at: now, &core) { sendRenew(on: link, at: now) }
        if fetcher.takesEntries(of: link, at: now) {
            var strangers = 0
            for entry in heartbeat.entries {
                guard
                    let (path, stream) = fetcher.read(entry, on: link, strangers: &strangers, at: now, &core)
                else { continue }
                notePromise(entry, of: heartbeat, on: path, of: stream, at: now)
                fetcher.noteUpstream(of: path, entry, stream, at: now, &core)
                drainEvents(at: now)
            }
        }
        if heartbeat.digestMismatch, fetcher.resubscribe(on: link, at: now, &core) { sendRenew(on: link, at: now) }
    }

    /// Processes what a parent says it holds of the current incarnation: this node may lack some of it.
    private func notePromise(
        _ entry: LinkHeartbeat.Entry, of heartbeat: LinkHeartbeat, on path: StreamPath, of stream: StreamState,
        at now: MonotonicInstant
    ) {
        let held = stream.incarnation?.index.highest ?? 0
        guard let highest = path.ownNumber(entry.highest.rawValue), highest > 0,
            path.twin == nil || stream.isPlausible(highest, at: now)
        else { return }
        if path.state == .joining, held != 0, highest <= held { becameLive(path, of: stream, at: now) }
        if highest >= path.lastSequence {
            let next = path.isOnLAN ? path.newestLinkNumber &+ 1 : heartbeat.nextLinkNumber
            receiver.notePromised(upTo: highest, linkNumber: next, on: path, of: stream, at: now, &core)
            receiver.noteLostRepairs(before: next, on: path, of: stream, at: now, &core)
        }
        receiver.askForGaps(of: stream, arrivedOn: path, at: now, &core)
    }

    func onShuttingDown(_ link: ParentLink, at now: MonotonicInstant) {
        fetcher.onShuttingDown(link, at: now, &core)
        drainEvents(at: now)
    }

    // MARK: Paths and links

    /// The path carries the packets that follow those held here.
    func becameLive(_ path: StreamPath, of stream: StreamState, at now: MonotonicInstant) {
        fetcher.becameLive(path, of: stream, at: now, &core)
        if !stream.children.isEmpty { activateWaiting(of: stream, at: now) }
        core.clock.schedule(stream, now + core.configuration.streamSilenceMax)
    }

    func linkBecameAlive(_ link: ParentLink, at now: MonotonicInstant) {
        fetcher.linkBecameAlive(link, at: now, &core)
        if link.isForAnnouncing { origin?.linkBecameAlive(link, at: now, &core) }
        if link.isMember { core.clock.scheduleRegion(now) }
    }

    func sendRenew(on link: ParentLink, at now: MonotonicInstant) {
        fetcher.sendRenew(on: link, at: now, &core)
        core.sendLimits(on: link, at: now)
    }

    func noteRefusal(of link: ParentLink, _ reason: HandshakeRefusal?, at now: MonotonicInstant) {
        fetcher.noteRefusal(of: link, reason, at: now, &core)
    }

    /// The leases of this node have run out while it slept: it asks again everywhere at once.
    func reopenLinks(at now: MonotonicInstant) {
        let lost = fetcher.closeOverslept(at: now, &core)
        region?.noteOverslept(at: now)
        for (link, slots) in lost { lose(slots, on: link, at: now) }
    }

    /// Closes a failed link: its streams, and only they, move to the next parent at once.
    func fail(_ link: ParentLink, at now: MonotonicInstant) {
        let slots = fetcher.fail(link, at: now, &core)
        if link.isMember { memberFailed(link, at: now) }
        lose(slots, on: link, at: now)
    }

    private func lose(_ slots: [Int], on link: ParentLink, at now: MonotonicInstant) {
        for slot in slots {
            guard let stream = core.streams[slot] else { continue }
            fetcher.lose(link, stream, at: now, &core)
            drainEvents(at: now)
        }
        if region != nil, !slots.isEmpty { core.clock.scheduleRegion(now) }
        noteAnnouncements(at: now)
    }

    // MARK: Timers

    func handleTimer(of link: ParentLink, at now: MonotonicInstant) {
        switch fetcher.check(link, at: now, &core) {
        case .dead: return
        case .opens:
            if !core.continueHandshake(of: link, at: now) { fail(link, at: now) }
        case .fails: fail(link, at: now)
        case .lives(let deadline):
            guard linkKeeper.tendKeys(of: link, at: now, &core) else { return fail(link, at: now) }
            if link.isForAnnouncing { origin?.sendHeartbeat(on: link, at: now, &core) }
            if now - link.lastRenew >= core.configuration.renewInterval { sendRenew(on: link, at: now) }
            fetcher.noteLoss(of: link, until: deadline, at: now, &core)
        }
    }

    func handleTimer(of stream: StreamState, at now: MonotonicInstant) {
        if stream.origin != nil { return handleSourceTimer(of: stream, at: now) }
        if let leaveAt = stream.times.leaveAt, now >= leaveAt { return leave(stream, at: now) }
        if fetcher.takeRetry(of: stream, at: now) { choosePaths(for: stream, at: now) }
        if fetcher.takeReview(of: stream, at: now, core) { choosePaths(for: stream, at: now) }
        fetcher.tendPaths(of: stream, at: now, &core)
        drainEvents(at: now)
        if let gaps = stream.incarnation?.gaps, !gaps.isEmpty {
            let horizon = now - max(core.configuration.repairSpan, core.configuration.playOutDeadline)
            stream.incarnation!.giveUpGaps(detectedBefore: horizon)
            receiver.askForGaps(of: stream, arrivedOn: nil, at: now, &core)
        }
        if receiver.handsOut { deliver(stream, at: now) }
        fetcher.reschedule(stream, at: now, &core)
    }

    /// Nobody wants the stream any more.
    private func leave(_ stream: StreamState, at now: MonotonicInstant) {
        guard fetcher.leave(stream, at: now, &core) else { return }
        forgetIncarnation(of: stream, at: now)
        receiver.sink?.ended(stream: stream.name)
        core.streams.remove(stream)
        noteRegionChange(at: now)
    }
}
