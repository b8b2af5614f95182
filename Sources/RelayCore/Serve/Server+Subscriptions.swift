import ReflectorModel
import RelayWire

/// How a child's subscription begins and ends.
extension Server {
    /// Checks a Subscribe and reserves capacity for it. Nil if the child has been answered already: it had subscribed
    /// before, or it is refused.
    ///
    /// - Parameters:
    ///   - leads: whether this node leads the stream in its region. Then it fetches it from outside, and a request that
    ///     has passed through it makes no loop: the child led it before, and this node is about to leave the child.
    ///   - isAbsent: whether the zone has just said that there is no such stream.
    mutating func admit(
        _ request: Subscribe, on link: ChildLink, leads: Bool, isAbsent: () -> Bool, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) -> Admission.Grant? {
        core.context.count(.subscribesReceived)
        guard link.certificate.powers.contains(.fetch) else {
            core.refusePower(.fetch, to: link, at: now)
            refuse(request, .noSource, .subscribesRefusedUnknown, on: link, at: now, &core)
            return nil
        }
        if let known = link.subscriptions[request.subscription] {
            if let stream = core.streams[known.stream], stream.name == request.stream,
                !known.isOnRequest || request.isOnRequest
            {
                if request.isOnRequest { known.beginOnRequest(of: stream) }
                known.renew(isExtra: request.isExtra, until: now + core.configuration.lease)
                answer(known, at: now, &core)
                return nil
            }
            // The id identifies another stream from now on.
            unsubscribe(known.id, on: link, at: now, &core)
        }
        if !serves(link, core.configuration) {
            refuse(request, .unknownStream, .subscribesRefusedUnknown, on: link, at: now, &core)
            return nil
        }
        if request.path.contains(core.context.id), !leads {
            if core.context.isAlarmDue(.loopRefused, at: now) != nil {
                core.context.post(.alarm(.loopRefused(request.stream)))
            }
            refuse(request, .loop, .subscribesRefusedLoop, on: link, at: now, &core)
            return nil
        }
        // A link has one subscription of each stream: a new one replaces the old one, and no second copy is served.
        if let known = core.streams[request.stream], let old = link.subscriptions.subscription(ofStream: known.slot) {
            core.context.count(.subscriptionsReplaced)
            unsubscribe(old.id, on: link, at: now, &core)
        }
        guard link.ordered.count < core.configuration.subscriptionsPerLinkMax else {
            refuse(request, .tableFull, .droppedStreamTableFull, on: link, at: now, &core)
            return nil
        }
        guard let grant = reserve(request, at: now, &core) else {
            refuse(request, .busy, .subscribesRefusedBusy, on: link, at: now, &core)
            return nil
        }
        guard let refusal = obstacle(to: request, on: link, isAbsent: isAbsent, at: now, &core) else { return grant }
        takeBack(grant)
        refuse(request, refusal.status, refusal.counter, on: link, at: now, &core)
        return nil
    }

    /// Whether the node serves anything to this child.
    private func serves(_ link: ChildLink, _ configuration: RelayConfiguration) -> Bool {
        switch supply {
        case .own, .fetched: true
        case .region: configuration.isNeighbour(link)
        case .none: false
        }
    }

    /// Why a Subscribe is refused although there is capacity; nil if it is not refused.
    private func obstacle(
        to request: Subscribe, on link: ChildLink, isAbsent: () -> Bool, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) -> (status: SubscribeStatus, counter: RelayCounter)? {
        // A stream that is already watched may continue on a lossy link; a new stream would only suffer the same loss.
        guard request.start.isResume || link.breaker.level(at: now) < .refusesStreams else {
            return (.busy, .subscribesRefusedLossy)
        }
        let known = core.streams[request.stream]
        if case .own = supply {
            return known?.origin != nil ? nil : (.unknownStream, .subscribesRefusedUnknown)
        }
        guard known == nil else { return nil }
        // A name that the zone has just denied needs no table entry.
        guard !isAbsent() else { return (.unknownStream, .subscribesRefusedUnknown) }
        return link.mayBringUpName(core.configuration, at: now) ? nil : (.busy, .subscribesRefusedNames)
    }

    /// Refuses a Subscribe.
    func refuse(
        _ request: Subscribe, _ status: SubscribeStatus, _ counter: RelayCounter, on link: ChildLink,
        at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        core.context.count(counter)
        let reply = SubscribeReply(subscription: request.subscription, status: status, retryAfterMilliseconds: 1_000)
        core.send(.subscribeReply(reply), on: link, at: now)
    }

    /// Adds the subscription that `admit` has granted. It stays pending until the node activates it.
    func add(
        _ request: Subscribe, _ grant: Admission.Grant, on link: ChildLink, to stream: StreamState,
        at now: MonotonicInstant, _ core: inout NodeCore
    ) -> ChildSubscription {
        let subscription = ChildSubscription(
            id: request.subscription, link: link, stream: stream.slot, request: request, grant: grant,
            rateSixteenths: min(request.rateSixteenths, core.configuration.backlogSixteenthsMax),
            expires: now + core.configuration.lease, now: now)
        link.subscriptions.add(subscription)
        core.measure(link)
        stream.add(subscription)
        stream.times.noteDemand()
        if let portset = stream.portset, !stream.isPortsetHint {
            core.checkClaim(of: subscription, stream, zone: portset, at: now)
        }
        return subscription
    }

    /// Tells a child which packets it will get, or that it must wait for them.
    func answer(_ subscription: ChildSubscription, at now: MonotonicInstant, _ core: inout NodeCore) {
        guard let stream = core.streams[subscription.stream] else { return }
        var reply = SubscribeReply(subscription: subscription.id, status: .pending)
        if subscription.state != .pending, let incarnation = stream.incarnation {
            reply.status = .ok
            reply.source = incarnation.source
            reply.incarnation = incarnation.incarnation
            reply.oldest = SequenceNumber(subscription.from)
            reply.highest = SequenceNumber(incarnation.index.highest)
            reply.key = core.wrap(incarnation, for: subscription.link)
        }
        core.send(.subscribeReply(reply), on: subscription.link, at: now)
        core.clock.schedule(subscription.link, now + core.configuration.linkHeartbeatInterval)
    }

    // MARK: The end

    /// Ends the subscription that the child calls `id`, if there is one.
    mutating func unsubscribe(
        _ id: UInt32, on link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard let subscription = link.subscriptions.remove(id), let stream = core.streams[subscription.stream] else {
            return
        }
        drop(subscription, of: stream, at: now, &core)
    }

    private mutating func drop(
        _ subscription: ChildSubscription, of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        takeBack(subscription.grant)
        stream.remove(subscription)
        core.noteDemand(of: stream, at: now)
    }

    /// Ends those subscriptions of a link that the child has not renewed in time.
    mutating func endExpired(on link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        let expired = link.ordered.filter { $0.expires <= now }
        for subscription in expired {
            core.context.count(.leasesExpired)
            core.send(.subscriptionEnd(subscription: subscription.id, reason: .leaseExpired), on: link, at: now)
            unsubscribe(subscription.id, on: link, at: now, &core)
        }
    }

    /// Tells every child that the stream is over here, and removes the subscriptions.
    func endChildren(
        of stream: StreamState, reason: SubscriptionEndReason, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        for subscription in stream.removeChildren(where: { _ in true }) {
            _ = subscription.link.subscriptions.remove(subscription.id)
            core.send(
                .subscriptionEnd(subscription: subscription.id, reason: reason), on: subscription.link, at: now)
        }
    }

    /// The stream is unavailable: refuses the children that wait for it.
    func refuseWaiting(
        for stream: StreamState, _ reason: UnavailableReason, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        let (status, counter) = Self.refusal(for: reason)
        for child in stream.removeChildren(where: { $0.state == .pending }) {
            refuse(child, status, counter, at: now, &core)
        }
    }

    /// The stream is evicted to make room: refuses all its children.
    mutating func refuseAll(of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        for child in stream.removeChildren(where: { _ in true }) {
            takeBack(child.grant)
            refuse(child, .busy, .subscribesRefusedBusy, at: now, &core)
        }
    }

    private func refuse(
        _ child: ChildSubscription, _ status: SubscribeStatus, _ counter: RelayCounter, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        _ = child.link.subscriptions.remove(child.id)
        core.context.count(counter)
        let reply = SubscribeReply(subscription: child.id, status: status, retryAfterMilliseconds: 1_000)
        core.send(.subscribeReply(reply), on: child.link, at: now)
    }

    /// The status that children get when the stream is unavailable for this reason, and the counter for it.
    private static func refusal(for reason: UnavailableReason) -> (SubscribeStatus, RelayCounter) {
        switch reason {
        case .noSuchStream: (.unknownStream, .subscribesRefusedUnknown)
        case .nameServersFail, .parentUndecided, .noPortset: (.undecided, .subscribesRefusedUndecided)
        case .parentsFull, .tableFull: (.busy, .subscribesRefusedBusy)
        case .noParents, .noCommonFamily, .parentsTakenAway, .noSource, .refused:
            (.noSource, .subscribesRefusedUnknown)
        }
    }

    /// The link is about to be removed: ends all subscriptions of its child, and drops its requests.
    mutating func forget(_ link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        let subscriptions = link.ordered
        for subscription in subscriptions.reversed() {
            _ = link.subscriptions.remove(subscription.id)
            if let stream = core.streams[subscription.stream] { drop(subscription, of: stream, at: now, &core) }
        }
        dropRequests(of: link)
    }
}
