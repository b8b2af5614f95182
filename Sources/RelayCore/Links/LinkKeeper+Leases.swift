import ReflectorModel
import RelayWire

/// Leases of children, the heartbeats that carry their nonces, and the timer of a child's link.
extension LinkKeeper {
    mutating func onRenew(
        _ renew: Renew, on link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        core.noteTimes(
            renew.timestamp, echoed: renew.echoedTimestamp, echoDelayMicroseconds: renew.echoDelayMicroseconds,
            on: link, at: now)
        noteReport(renew, of: link, at: now, &core)
        let expires = now + core.configuration.lease
        guard link.lease.renew(by: renew.leaseNonce, until: expires), link.lease.takeTurn(at: now) else { return }
        let subscriptions = link.ordered
        let isMatch = renew.digest == link.subscriptions.digest && Int(renew.subscriptions) == subscriptions.count
        link.lease.noteSubscriptions(match: isMatch)
        let isQuestion = link.lease.noteEcho(of: renew.leaseNonce)
        if isMatch {
            core.context.noteWork(UInt64(subscriptions.count))
            for subscription in subscriptions { subscription.renew(until: expires) }
        }
        // A child whose subscriptions do not match repeats them; those that it does not repeat expire.
        if !isMatch || isQuestion { sendHeartbeat(on: link, at: now, &core) }
    }

    func sendHeartbeat(on link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        link.lease.beginHeartbeat(nonceInterval: core.configuration.renewInterval, at: now) { core.context.secret64() }
        let entries = nextEntries(of: link, at: now, core.streams)
        let echo = link.echo.fields(at: now)
        let heartbeat = LinkHeartbeat(
            nextLinkNumber: link.queues.nextLinkNumber, leaseNonce: link.lease.nonce,
            timestamp: TimestampEcho.stamp(now),
            echoedTimestamp: echo.timestamp, echoDelayMicroseconds: echo.delayMicroseconds,
            digestMismatch: link.lease.isMismatched, entries: entries)
        core.send(.linkHeartbeat(heartbeat), on: link, at: now)
    }

    /// Returns the heartbeat's entries for the next page of subscriptions.
    private func nextEntries(
        of link: ChildLink, at now: MonotonicInstant, _ streams: borrowing StreamTable
    ) -> [LinkHeartbeat.Entry] {
        var entries: [LinkHeartbeat.Entry] = []
        link.subscriptions.forNextPage(LinkHeartbeat.entriesMax) { subscription in
            guard subscription.state != .pending, let stream = streams[subscription.stream],
                let incarnation = stream.incarnation
            else { return }
            // The packets of a feed on the LAN say the same, unless they do not arrive.
            let isTurn = (now.nanoseconds / 100_000_000) & 1 == 0
            if subscription.isOnRequest, !isTurn, stream.lanOutlet?.isFlowing(at: now) == true { return }
            var highest = incarnation.index.highest
            if case .backlog(let cursor) = subscription.state { highest = cursor &- 1 }
            let silentSince = stream.origin != nil ? now : max(stream.arrivals.lastArrival, stream.times.since ?? now)
            entries.append(
                LinkHeartbeat.Entry(
                    subscription: subscription.id, highest: SequenceNumber(highest),
                    upstreamSilentMilliseconds: UInt16(clamping: (now - silentSince).milliseconds)))
        }
        return entries
    }

    // MARK: Timer

    /// False if the lease has expired and the link must be closed.
    func isLeased(_ link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) -> Bool {
        guard now >= link.lease.expires else { return true }
        core.context.count(.leasesExpired)
        return false
    }

    /// Sends heartbeats and path-size probes. The caller has already checked the link's subscriptions.
    func handleTimer(of link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        let probeAt = probeSize(of: link, at: now, &core)
        // While data flows, the data itself is the sign of life. Heartbeats are still needed, though less often, for
        // the newest sequence numbers, nonces and timestamps.
        if now >= heartbeatDue(of: link, core.configuration) { sendHeartbeat(on: link, at: now, &core) }
        let next = heartbeatDue(of: link, core.configuration)
        var wake = min(max(min(next, probeAt), now + .milliseconds(1)), link.lease.expires)
        for subscription in link.ordered { wake = min(wake, subscription.expires) }
        core.clock.schedule(link, wake)
        tendDeath(of: link, at: now, &core)
    }

    // MARK: Dead entrypoints

    /// Looks at the evidence against an entrypoint that announces here.
    private func tendDeath(of link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        guard let list = link.announcements, !list.isPresumedDead else { return }
        let deadline = max(list.heardAt, link.lastReceived) + core.configuration.heartbeatSilenceMax
        act(core.tendDeath(of: link, until: deadline, at: now), on: link, at: now, &core)
    }

    /// A child's host says that nobody listens on its port. This matters only for an entrypoint that announces here: the
    /// lease ends the link of any other child.
    func noteRefusal(of link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        guard link.announcements?.isPresumedDead == false else { return }
        act(core.noteRefusal(of: link, at: now), on: link, at: now, &core)
    }

    /// The shortest size probe is a question: a child answers each at once.
    private func act(
        _ step: DeathEvidence.Step, on link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        switch step {
        case .nothing: break
        case .ask: core.send(.sizeProbe(length: UInt16(ControlCodec.sizeProbeLengthMin)), on: link, at: now)
        case .dead: core.post(.announcerDied(link))
        }
    }

    /// When half of the lease has passed without a Renew, three Renews in a row or their nonces may have been lost: then
    /// heartbeats with the nonce go out as often as an entrypoint's, until the child renews.
    private func heartbeatDue(of link: ChildLink, _ configuration: RelayConfiguration) -> MonotonicInstant {
        let urgent = max(
            link.lease.lastHeartbeat + configuration.heartbeatInterval,
            link.lease.expires - TimeSpan(nanoseconds: configuration.lease.nanoseconds / 2))
        return min(regularHeartbeatDue(of: link, configuration), urgent)
    }

    private func regularHeartbeatDue(of link: ChildLink, _ configuration: RelayConfiguration) -> MonotonicInstant {
        let interval =
            !link.ordered.isEmpty
            ? configuration.linkHeartbeatInterval
            : configuration.isNeighbour(link)
                ? configuration.regionRules.reportInterval : configuration.warmHeartbeatInterval
        return min(max(link.lastSent, link.lease.lastHeartbeat) + interval, link.lease.lastHeartbeat + interval * 2)
    }
}
