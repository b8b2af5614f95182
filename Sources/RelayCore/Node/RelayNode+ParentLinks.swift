import ReflectorModel
import RelayWire

/// What parents say, and what becomes of links to them: replies, incarnations, heartbeats, leases, deaths.
extension RelayNode {
    func linkBecameAlive(_ link: ParentLink, at now: MonotonicInstant) {
        parents.wellNow(link.endpoint, at: now)
        for slot in waiting(on: link) {
            guard let stream = streams[slot], let path = stream.paths.path(on: link) else { continue }
            path.lastLinkNumber = link.window.highest
            path.lastArrival = now
            subscribe(path, of: stream, at: now)
        }
        if link.isForAnnouncing { origin?.sendList(on: link, at: now, &core) }
    }

    /// Streams with a path on the link, in a fixed order.
    func waiting(on link: ParentLink) -> [Int] {
        // Sorted, because a dictionary's order differs between processes.
        Array(link.subscriptions.values).sorted()
    }

    func onSubscribeReply(_ reply: SubscribeReply, on link: ParentLink, at now: MonotonicInstant) {
        guard let slot = link.subscriptions[reply.subscription], let stream = streams[slot],
            let path = stream.paths.path(on: link), path.subscription == reply.subscription
        else { return }
        switch reply.status {
        case .pending:
            path.tries = 0
            path.nextTry = now + .seconds(1)
            clock.schedule(stream, path.nextTry)
        case .ok:
            path.tries = 0
            path.nextTry = .distantFuture
            stream.refusedAs = []
            stream.problem = nil
            stream.forgetRefusal(by: path.candidate.endpoint)
            path.backlogEnd = reply.highest.rawValue
            adopt(reply, on: path, of: stream, at: now)
        case .crowded: leaveCrowded(path, of: stream, at: now)
        case .unknownStream, .busy, .loop, .tableFull, .noSource, .undecided:
            switch reply.status {
            case .unknownStream, .noSource: stream.refusedAs.insert(.noSource)
            case .busy, .tableFull: stream.refusedAs.insert(.full)
            case .undecided: stream.refusedAs.insert(.undecided)
            default: stream.refusedAs.insert(.other)
            }
            stream.noteRefusal(by: path.candidate.endpoint, ofExtra: path.isExtra, at: now)
            removePath(path, of: stream, at: now)
            choosePaths(for: stream, at: now)
        }
    }

    /// Takes over the incarnation that a parent says it sends.
    private func adopt(
        _ reply: SubscribeReply, on path: StreamPath, of stream: StreamState, at now: MonotonicInstant
    ) {
        let tag = IncarnationTag(
            stream: stream.name, source: reply.source, incarnation: reply.incarnation)
        if let old = path.tag, old != tag { (path.lastSequence, path.promised) = (0, 0) }
        path.tag = tag
        if let current = stream.incarnation {
            if current.tag == tag {
                if reply.highest.rawValue == 0, path.state == .joining {
                    becameLive(path, of: stream, at: now)
                }
                return rewind(stream, to: reply, at: now)
            }
            let others = stream.paths.all.contains { $0 !== path && $0.state == .live }
            if others, now - stream.lastArrival < .seconds(1) {
                // Another path still brings the old one; asked again in a moment.
                path.isDeferred = true
                path.nextTry = now + .seconds(1)
                return clock.schedule(stream, path.nextTry)
            }
        }
        if path.isDeferred {
            // The packets that it began with were not taken and are gone: subscribe again. This takes nothing from the
            // bucket of changes, or a bucket once empty would stay empty, and the stream away.
            removePath(path, of: stream, at: now)
            join(path.candidate, stream, at: now)
            return
        }
        if stream.incarnation != nil, !stream.sourceChanges.take(at: now) {
            // Each change starts all children again: a parent that names another source each time gets its way at most twice a second.
            path.isDeferred = true
            path.nextTry = now + .milliseconds(500)
            return clock.schedule(stream, path.nextTry)
        }
        if askFromWhereItWasLeft(tag, reply, path, of: stream, at: now) { return }
        guard
            let key = crypto.makeSealKey(
                phase: reply.keyPhase, stream: stream.name, source: reply.source,
                incarnation: reply.incarnation)
        else { return context.count(.rejectedHandshakeMAC) }
        let isChange = stream.incarnation != nil
        stream.adoptedAt = now
        stream.lastKept = now
        forgetIncarnation(of: stream, at: now)
        let incarnation = IncarnationState(
            source: reply.source, incarnation: reply.incarnation, tag: tag, keyPhase: reply.keyPhase,
            key: key, start: reply.oldest.rawValue)
        if let past = stream.finished.first(where: { $0.tag == tag }) {
            incarnation.resumeDelivery(at: past.nextToDeliver)
        }
        stream.incarnation = incarnation
        streams.bind(tag, to: stream)
        (path.lastSequence, path.promised) = (0, 0)
        if isChange {
            context.post(.alarm(.sourceChanged(stream.name, source: reply.source)))
            playOut?.sink?.discontinuity(stream: stream.name, lost: 0)
            restartChildren(of: stream, at: now)
        } else {
            activateWaiting(of: stream, at: now)
        }
    }

    /// At an edge that has had this incarnation before, the parent would begin with what was handed out already: it is
    /// asked again, from where the incarnation was left. True if so.
    private func askFromWhereItWasLeft(
        _ tag: IncarnationTag, _ reply: SubscribeReply, _ path: StreamPath, of stream: StreamState,
        at now: MonotonicInstant
    ) -> Bool {
        guard playOut != nil, let past = stream.finished.first(where: { $0.tag == tag }),
            past.nextToDeliver > reply.oldest.rawValue, stream.returnTo?.tag != tag, path.link.isAlive
        else {
            stream.returnTo = nil
            return false
        }
        stream.returnTo = past.nextToDeliver > 0 ? (tag, past.nextToDeliver) : nil
        removePath(path, of: stream, at: now)
        join(path.candidate, stream, at: now)
        return true
    }

    /// Ends an incarnation: at an edge, what is held is handed out, and what is missing in it is lost.
    func forgetIncarnation(of stream: StreamState, at now: MonotonicInstant) {
        guard let old = stream.incarnation else { return }
        if playOut != nil {
            deliver(stream, isLast: true, at: now)
            stream.noteFinished(old.tag, nextToDeliver: old.nextToDeliver)
        }
        streams.unbind(old.tag)
        releaseKeys(of: old)
        stream.incarnation = nil
    }

    /// The path brings what follows on what is held: whatever was to be left can be left now.
    func becameLive(_ path: StreamPath, of stream: StreamState, at now: MonotonicInstant) {
        path.state = .live
        for leaving in stream.paths.all where leaving.state == .leaving {
            removePath(leaving, of: stream, at: now)
        }
        if !stream.children.isEmpty { activateWaiting(of: stream, at: now) }
        clock.schedule(stream, now + configuration.streamSilenceMax)
    }

    func removePath(_ path: StreamPath, of stream: StreamState, at now: MonotonicInstant) {
        stream.paths.remove(path)
        path.link.removeSubscription(path.subscription)
        send(.unsubscribe(subscription: path.subscription), on: path.link, at: now)
        if path.link.subscriptions.isEmpty {
            path.link.warmUntil = max(path.link.warmUntil, now + .seconds(10))
        }
    }

    /// A parent ends a subscription: the stream was withdrawn there, or our lease ran out.
    func onSubscriptionEnd(
        _ subscription: UInt32, _ reason: SubscriptionEndReason, on link: ParentLink,
        at now: MonotonicInstant
    ) {
        guard let slot = link.subscriptions[subscription], let stream = streams[slot],
            let path = stream.paths.path(on: link), path.subscription == subscription
        else { return }
        stream.paths.remove(path)
        link.removeSubscription(subscription)
        if reason != .leaseExpired { stream.noteRefusal(by: path.candidate.endpoint, at: now) }
        choosePaths(for: stream, at: now)
    }

    func onLinkHeartbeat(_ heartbeat: LinkHeartbeat, on link: ParentLink, at now: MonotonicInstant) {
        context.count(.heartbeatsReceived)
        link.noteTimes(
            heartbeat.timestamp, echoed: heartbeat.echoedTimestamp,
            echoDelayMicroseconds: heartbeat.echoDelayMicroseconds, at: now)
        link.window.expect(next: heartbeat.nextLinkNumber)
        let isNewNonce = heartbeat.leaseNonce != link.leaseNonce
        link.leaseNonce = heartbeat.leaseNonce
        // What the parent echoes shows which Renew was the last to reach it; one that did not is said again.
        let isRenewLost =
            heartbeat.echoedTimestamp < TimestampEcho.stamp(link.lastRenew)
            && now - link.lastRenew >= link.roundTrip.retransmitTimeout
        if isNewNonce || isRenewLost { sendRenew(on: link, at: now) }
        if now - link.lastEntries >= Self.entriesSpacing {
            link.lastEntries = now
            var strangers = 0
            for entry in heartbeat.entries {
                if link.subscriptions[entry.subscription] != nil {
                    noteEntry(entry, of: heartbeat, on: link, at: now)
                } else if strangers < Self.strangersMax {
                    // Left long ago; the parent has missed it.
                    strangers += 1
                    send(.unsubscribe(subscription: entry.subscription), on: link, at: now)
                }
            }
        }
        if heartbeat.digestMismatch, now - link.lastResync >= .seconds(1) {
            link.lastResync = now
            for slot in waiting(on: link) {
                if let stream = streams[slot], let path = stream.paths.path(on: link) {
                    subscribe(path, of: stream, at: now)
                }
            }
            sendRenew(on: link, at: now)
        }
    }

    /// What a heartbeat says of one subscription.
    private func noteEntry(
        _ entry: LinkHeartbeat.Entry, of heartbeat: LinkHeartbeat, on link: ParentLink,
        at now: MonotonicInstant
    ) {
        guard let slot = link.subscriptions[entry.subscription], let stream = streams[slot],
            let path = stream.paths.path(on: link), path.state != .leaving
        else { return }
        context.noteWork()
        let silent = TimeSpan.milliseconds(Int64(entry.upstreamSilentMilliseconds))
        let starved = now - max(path.lastArrival, path.lastAsked)
        if path.tag == nil || silent + Self.starvedMax < starved, starved >= .milliseconds(50) {
            // The parent sends, and we do not know what: its reply was lost.
            return subscribe(path, of: stream, at: now)
        }
        guard let incarnation = stream.incarnation, path.tag == incarnation.tag else { return }
        let highest = entry.highest.rawValue
        let held = incarnation.index.highest
        if highest > 0 {
            if path.state == .joining, held != 0, highest <= held {
                becameLive(path, of: stream, at: now)
            }
            if highest >= path.lastSequence {
                notePromised(
                    upTo: highest, linkNumber: heartbeat.nextLinkNumber, on: path, of: stream, at: now)
                noteLostRepairs(before: heartbeat.nextLinkNumber, on: path, of: stream, at: now)
            }
            askForGaps(of: stream, arrivedOn: path, at: now)
        }
        path.upstreamSilent = entry.upstreamSilentMilliseconds > 1_500
        if path.upstreamSilent, path.state == .live { wantExtraPath(stream, at: now) }
    }

    /// Heartbeats that follow each other more closely are only signs of life.
    private static var entriesSpacing: TimeSpan { .milliseconds(10) }
    /// Most subscriptions that are ended in answer to one heartbeat; the others are by the next.
    private static var strangersMax: Int { 4 }
    /// A path that brings nothing this much longer than its parent's own upstream is asked for again.
    private static var starvedMax: TimeSpan { .milliseconds(400) }

    /// A parent that has not restored its own upstream: another path is added beside it (design §7).
    private func wantExtraPath(_ stream: StreamState, at now: MonotonicInstant) {
        stream.extraPathsUntil = now + .seconds(10)
        choosePaths(for: stream, at: now)
    }

    func sendRenew(on link: ParentLink, at now: MonotonicInstant) {
        link.lastRenew = now
        let echo = link.echo.fields(at: now)
        let renew = Renew(
            leaseNonce: link.leaseNonce, subscriptions: UInt16(clamping: link.subscriptions.count),
            digest: link.digest, timestamp: TimestampEcho.stamp(now), echoedTimestamp: echo.timestamp,
            echoDelayMicroseconds: echo.delayMicroseconds, received: link.window.received,
            lost: link.window.missing)
        send(.renew(renew), on: link, at: now)
        sendLimits(on: link, at: now)
    }

    /// Gives a link up: its streams move to the next parent at once, and only they.
    func fail(_ link: ParentLink, at now: MonotonicInstant) {
        guard link.state != .dead else { return }
        let wasAlive = link.isAlive
        // If it lives after all, it need not send for the rest of the lease.
        send(.close(.leaving), on: link, at: now)
        link.state = .dead
        if wasAlive, !link.isLeavingSoon {
            context.count(.linksDied)
            context.post(.alarm(.linkDied(peer: link.peerName, link.remote)))
            // The path may be dead and not the host: the next try begins with its next address.
            if let next = link.others.first {
                core.links.noteWorking(next, of: link.endpoint, for: WorkingAddresses.spanAfterDeath, at: now)
            }
        }
        parents.fail(link.endpoint, at: now)
        let affected = waiting(on: link)
        forget(link)
        for slot in affected {
            guard let stream = streams[slot] else { continue }
            stream.refusedAs.insert(.other)
            for path in stream.paths.all where path.link === link {
                urgeLookUp(for: path, at: now)
                // What it was like is not known of a link without data, so it is remembered.
                if link.recentLoss.share > PathMerit.lossy {
                    stream.demote(link.endpoint, until: now + PathPolicy.demotionSpan)
                }
            }
            stream.paths.removeAll(on: link)
            choosePaths(for: stream, at: now)
        }
    }

    func forget(_ link: ParentLink) {
        if let keys = link.session.close() { crypto.release(keys) }
        meter.stop(link)
        links.remove(link)
    }

    /// Parents are looked up anew at every failure.
    private func urgeLookUp(for path: StreamPath, at now: MonotonicInstant) {
        guard path.candidate.rank > 0, let rank = ParentRank(rawValue: path.candidate.rank),
            let region = configuration.region, let slot = path.link.subscriptions[path.subscription],
            let portset = streams[slot]?.portset
        else { return }
        let name = ReflectorName.parents(rank, region, portset)
        if directory.urge(name, at: now) { ask(name, at: now) }
    }
}
