import ReflectorModel
import RelayWire

/// The parent's part: children's subscriptions, their packets, their retransmits.
extension RelayNode {
    // MARK: Subscriptions

    func onSubscribe(_ request: Subscribe, on link: ChildLink, at now: MonotonicInstant) {
        context.count(.subscribesReceived)
        if let known = link.subscriptions[request.subscription] {
            if streams[known.stream]?.name == request.stream {
                known.expires = now + configuration.lease
                known.isExtra = request.isExtra
                return answer(known, at: now)
            }
            // The id stands for another stream from now on.
            unsubscribe(known.id, on: link, at: now)
        }
        func refuse(_ status: SubscribeStatus, _ counter: RelayCounter) {
            context.count(counter)
            let reply = SubscribeReply(
                subscription: request.subscription, status: status, retryAfterMilliseconds: 1_000)
            send(.subscribeReply(reply), on: link, at: now)
        }
        guard playOut == nil else { return refuse(.unknownStream, .subscribesRefusedUnknown) }
        if request.path.contains(id) {
            if context.isAlarmDue(.loopRefused, at: now) != nil {
                context.post(.alarm(.loopRefused(request.stream)))
            }
            return refuse(.loop, .subscribesRefusedLoop)
        }
        // One subscription for each link and stream: whatever else it may be, a second copy is none.
        if let known = streams[request.stream], let old = link.subscription(ofStream: known.slot) {
            context.count(.subscriptionsReplaced)
            unsubscribe(old.id, on: link, at: now)
        }
        guard link.ordered.count < configuration.subscriptionsPerLinkMax else {
            return refuse(.tableFull, .droppedStreamTableFull)
        }
        guard !admission.isDraining, let grant = admit(request, at: now) else {
            return refuse(.busy, .subscribesRefusedBusy)
        }
        // What is watched already goes on; what has not begun would only lose with the rest.
        guard request.start.isResume || link.breaker.level(at: now) < .refusesStreams else {
            admission.takeBack(grant)
            return refuse(.busy, .subscribesRefusedLossy)
        }
        let stream: StreamState
        if announcer != nil {
            guard let provided = streams[request.stream], provided.origin != nil else {
                admission.takeBack(grant)
                return refuse(.unknownStream, .subscribesRefusedUnknown)
            }
            stream = provided
        } else {
            if streams[request.stream] == nil {
                // What the zone has just denied needs no place in the table.
                guard !directory.isKnownAbsent(.candidates(request.stream), at: now) else {
                    admission.takeBack(grant)
                    return refuse(.unknownStream, .subscribesRefusedUnknown)
                }
                guard mayBringUp(newName: link, at: now) else {
                    admission.takeBack(grant)
                    return refuse(.busy, .subscribesRefusedNames)
                }
            }
            guard let found = self.stream(named: request.stream, at: now) else {
                admission.takeBack(grant)
                return refuse(.tableFull, .droppedStreamTableFull)
            }
            stream = found
        }
        let subscription = ChildSubscription(
            id: request.subscription, link: link, stream: stream.slot, request: request,
            rateSixteenths: min(request.rateSixteenths, configuration.backlogSixteenthsMax),
            expires: now + configuration.lease, now: now)
        subscription.admitted = grant
        link.add(subscription)
        measure(link)
        stream.add(subscription)
        stream.leaveAt = nil
        if let portset = stream.portset, !stream.isPortsetHint {
            checkClaim(of: subscription, stream, zone: portset, at: now)
        }
        if canServe(stream) {
            activate(subscription, of: stream, at: now)
        } else {
            answer(subscription, at: now)
        }
        // While a parent brings it, the stream's own timer sees to the paths: a crowd of children costs no more than each its
        // answer.
        if stream.origin == nil, !stream.paths.hasLive {
            choosePaths(for: stream, at: now)
        }
    }

    /// True once it is known what would be sent: here is the origin, or a parent has accepted us.
    private func canServe(_ stream: StreamState) -> Bool {
        guard let incarnation = stream.incarnation else { return false }
        return stream.origin != nil || incarnation.start != 0 || !incarnation.index.isEmpty
            || stream.paths.hasLive
    }

    /// Starts all children that were waiting for our own upstream.
    func activatePending(of stream: StreamState, at now: MonotonicInstant) {
        guard canServe(stream) else { return }
        for subscription in stream.children where subscription.state == .pending {
            activate(subscription, of: stream, at: now)
        }
    }

    /// Decides from which number a child is served, and says so.
    private func activate(
        _ subscription: ChildSubscription, of stream: StreamState, at now: MonotonicInstant
    ) {
        guard stream.incarnation != nil else { return }
        let oldest = oldestHeld(of: stream, at: now)
        let next =
            stream.incarnation!.index.isEmpty
            ? max(stream.incarnation!.start, 1) : stream.incarnation!.index.highest + 1
        let from: UInt64
        switch subscription.start {
        case .live: from = next
        case .preburst: from = preburstStart(of: stream, from: oldest, at: now)
        case .resume(let tag, let sequence):
            if tag != stream.incarnation!.tag {
                // Another source goes on where the one before stopped, not a whole ring earlier.
                from = oldestHeld(of: stream, span: Self.spliceSpan, at: now)
            } else if sequence.rawValue >= oldest {
                from = min(sequence.rawValue, next)
            } else {
                from = backfill(stream, from: sequence.rawValue, to: oldest, at: now)
            }
        }
        let isPast = from < next && !stream.incarnation!.index.isEmpty
        if isPast || subscription.start != .live && stream.isFilling(at: now) {
            subscription.serve(.backlog(cursor: from), from: from, of: stream)
            let hasBurst = subscription.link.bursts.take(at: now)
            subscription.beginBacklog(burst: hasBurst ? configuration.burstMax : 0, at: now)
            pump(subscription.link, at: now)
        } else {
            subscription.serve(.live, from: from, of: stream)
        }
        answer(subscription, at: now)
    }

    private func answer(_ subscription: ChildSubscription, at now: MonotonicInstant) {
        guard let stream = streams[subscription.stream] else { return }
        var reply = SubscribeReply(subscription: subscription.id, status: .pending)
        if subscription.state != .pending, let incarnation = stream.incarnation {
            reply.status = .ok
            reply.keyPhase = incarnation.keyPhase
            reply.source = incarnation.source
            reply.incarnation = incarnation.incarnation
            reply.oldest = SequenceNumber(subscription.from)
            reply.highest = SequenceNumber(incarnation.index.highest)
        }
        send(.subscribeReply(reply), on: subscription.link, at: now)
        clock.schedule(subscription.link, now + configuration.linkHeartbeatInterval)
    }

    /// What a child that changes its source gets of the new one's past: as long as it may have been without.
    private static var spliceSpan: TimeSpan { .seconds(2) }

    /// The lowest number still held and not older than the ring, or than `span` within it; the next number if nothing is.
    private func oldestHeld(of stream: StreamState, span: TimeSpan? = nil, at now: MonotonicInstant)
        -> UInt64
    {
        guard let incarnation = stream.incarnation, !incarnation.index.isEmpty else {
            return max(stream.incarnation?.start ?? 1, 1)
        }
        let oldest = incarnation.index.trim(log, horizon: now - configuration.ringSpan)
        guard let span else { return oldest }
        var sequence = incarnation.index.highest + 1
        context.noteWork(sequence - oldest)
        while sequence > oldest {
            if let slot = incarnation.index.slot(sequence - 1, in: log), log[slot].arrival < now - span {
                break
            }
            sequence -= 1
        }
        return sequence
    }

    /// Where a preburst begins: what a full log is about to overwrite could not be sent again if it were lost, and the
    /// child would miss what it was promised.
    private func preburstStart(of stream: StreamState, from oldest: UInt64, at now: MonotonicInstant)
        -> UInt64
    {
        guard let incarnation = stream.incarnation, let reach = log.reach(at: now) else {
            return oldest
        }
        let horizon = now - (reach - min(reach / 4, configuration.playOutDeadline))
        var sequence = oldest
        while sequence <= incarnation.index.highest {
            if let slot = incarnation.index.slot(sequence, in: log), log[slot].arrival >= horizon {
                break
            }
            sequence += 1
            context.noteWork()
        }
        return sequence
    }

    /// A child asks for numbers older than what is held: they are asked for upstream, and the child is served from there
    /// (design §7, "chains the lowest number its children ask for"). Returns the number from which it will be.
    private func backfill(
        _ stream: StreamState, from wanted: UInt64, to oldest: UInt64, at now: MonotonicInstant
    ) -> UInt64 {
        guard stream.origin == nil, let incarnation = stream.incarnation, oldest > wanted,
            let path = stream.paths.all.first(where: { $0.state != .leaving })
        else { return oldest }
        let lowest = max(wanted, oldest > 2_048 ? oldest - 2_048 : 1, 1)
        context.noteWork(oldest - lowest)
        for sequence in lowest..<oldest {
            // Half of the table is left to what is missing of the stream itself.
            let isNoted = incarnation.gaps.note(sequence, max: configuration.gapsMax / 2, at: now) {
                gap in
                gap.passedOn |= path.bit
                gap.lostOn |= path.bit
                gap.due = now
            }
            guard isNoted else {
                context.count(.droppedGapTableFull)
                break
            }
        }
        incarnation.start = min(incarnation.start, lowest)
        askForGaps(of: stream, arrivedOn: nil, at: now)
        return lowest
    }

    func unsubscribe(_ id: UInt32, on link: ChildLink, at now: MonotonicInstant) {
        guard let subscription = link.remove(id), let stream = streams[subscription.stream] else {
            return
        }
        drop(subscription, of: stream, at: now)
    }

    private func drop(
        _ subscription: ChildSubscription, of stream: StreamState, at now: MonotonicInstant
    ) {
        if let grant = subscription.admitted { admission.takeBack(grant) }
        stream.remove(subscription)
        noteDemand(of: stream, at: now)
    }

    /// No parent can give the stream: children that wait for it are refused. Those that have it keep it as long as something
    /// may still come.
    func refuseChildren(of stream: StreamState, _ reason: UnavailableReason, at now: MonotonicInstant) {
        let (status, counter) = Self.refusal(for: reason)
        for child in stream.children where child.state == .pending {
            _ = child.link.remove(child.id)
            let reply = SubscribeReply(subscription: child.id, status: status, retryAfterMilliseconds: 1_000)
            context.count(counter)
            send(.subscribeReply(reply), on: child.link, at: now)
        }
        stream.removeChildren { $0.state == .pending }
        if reason == .parentsTakenAway || now - stream.lastArrival >= configuration.streamSilenceMax {
            endChildren(of: stream, reason: .noSource, at: now)
        }
    }

    /// The status that children get, and the counter.
    private static func refusal(for reason: UnavailableReason) -> (SubscribeStatus, RelayCounter) {
        switch reason {
        case .noSuchStream: (.unknownStream, .subscribesRefusedUnknown)
        case .nameServersFail, .parentUndecided, .noPortset: (.undecided, .subscribesRefusedUndecided)
        case .parentsFull, .tableFull: (.busy, .subscribesRefusedBusy)
        case .noParents, .noCommonFamily, .parentsTakenAway, .noSource, .refused:
            (.noSource, .subscribesRefusedUnknown)
        }
    }

    /// Counts and reports a child that claims another portset than the zone.
    func checkClaim(of child: ChildSubscription, _ stream: StreamState, zone: PortsetID, at now: MonotonicInstant) {
        guard isSetReflector, child.portset != zone else { return }
        context.count(.portsetsCorrected)
        let link = child.link
        guard link.alarms.isDue(at: now) else { return }
        context.post(
            .alarm(
                .portsetCorrected(stream.name, claimed: child.portset, zone: zone, by: link.name, link.endpoint)))
    }

    /// Tells every child that the stream is over here, and forgets them.
    func endChildren(of stream: StreamState, reason: SubscriptionEndReason, at now: MonotonicInstant) {
        let children = stream.children
        stream.removeChildren { _ in true }
        for subscription in children {
            _ = subscription.link.remove(subscription.id)
            send(
                .subscriptionEnd(subscription: subscription.id, reason: reason), on: subscription.link,
                at: now)
        }
    }

    /// Another incarnation: children start it from its beginning.
    func restartChildren(of stream: StreamState, at now: MonotonicInstant) {
        for subscription in stream.children {
            subscription.start = .preburst
            subscription.serve(.pending, of: stream)
        }
        activatePending(of: stream, at: now)
    }

    /// Removes a link and all that its child fetched.
    func remove(_ link: ChildLink, at now: MonotonicInstant) {
        let subscriptions = link.ordered
        for subscription in subscriptions.reversed() {
            _ = link.remove(subscription.id)
            if let stream = streams[subscription.stream] { drop(subscription, of: stream, at: now) }
        }
        orders.forget(link)
        if link.announcements != nil {
            announcements.remove(link.slot)
            core.post(.announcersChanged)
            drainEvents(at: now)
        }
        if let keys = link.session.close() { crypto.release(keys) }
        meter.stop(link)
        links.remove(link)
    }
}
