import ReflectorModel
import RelayWire

/// Leases of children, the heartbeats that carry their nonces, and the timer of a child's link.
extension LinkKeeper {
    mutating func onRenew(
        _ renew: Renew, on link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        link.noteTimes(
            renew.timestamp, echoed: renew.echoedTimestamp, echoDelayMicroseconds: renew.echoDelayMicroseconds,
            at: now)
        noteReport(renew, of: link, at: now, &core)
        guard renew.leaseNonce == link.leaseNonce || renew.leaseNonce == link.leaseNonceBefore else { return }
        link.leaseExpires = now + core.configuration.lease
        // However often a child renews, its subscriptions are walked, and a heartbeat answers, only now and then.
        let isRepeated = link.renewedAt.map { now - $0 < Self.renewSpacing } ?? false
        guard !isRepeated else { return }
        link.renewedAt = now
        if renew.digest == link.digest, Int(renew.subscriptions) == link.ordered.count {
            link.digestMismatch = false
            core.context.noteWork(UInt64(link.ordered.count))
            for subscription in link.ordered { subscription.expires = link.leaseExpires }
        } else {
            // The child repeats its subscriptions; those that it does not repeat expire.
            link.digestMismatch = true
            sendHeartbeat(on: link, at: now, &core)
        }
    }

    /// Renews that follow each other more closely only prolong the link's lease.
    private static var renewSpacing: TimeSpan { .milliseconds(20) }

    func sendHeartbeat(on link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        if now - link.leaseNonceAge >= core.configuration.renewInterval {
            link.leaseNonceBefore = link.leaseNonce
            link.leaseNonce = core.context.secret64()
            link.leaseNonceAge = now
        }
        let entries = nextEntries(of: link, at: now, core.streams)
        let echo = link.echo.fields(at: now)
        let heartbeat = LinkHeartbeat(
            nextLinkNumber: link.nextLinkNumber, leaseNonce: link.leaseNonce, timestamp: TimestampEcho.stamp(now),
            echoedTimestamp: echo.timestamp, echoDelayMicroseconds: echo.delayMicroseconds,
            digestMismatch: link.digestMismatch, entries: entries)
        link.lastHeartbeat = now
        core.send(.linkHeartbeat(heartbeat), on: link, at: now)
    }

    /// The next page of what is said of single streams.
    private func nextEntries(
        of link: ChildLink, at now: MonotonicInstant, _ streams: borrowing StreamTable
    ) -> [LinkHeartbeat.Entry] {
        var entries: [LinkHeartbeat.Entry] = []
        let count = link.ordered.count
        if link.heartbeatPage >= count { link.heartbeatPage = 0 }
        let page = min(count, LinkHeartbeat.entriesMax)
        for offset in 0..<page {
            let subscription = link.ordered[(link.heartbeatPage + offset) % count]
            guard subscription.state != .pending, let stream = streams[subscription.stream],
                let incarnation = stream.incarnation
            else { continue }
            var highest = incarnation.index.highest
            if case .backlog(let cursor) = subscription.state { highest = cursor &- 1 }
            let silentSince = stream.origin != nil ? now : max(stream.lastArrival, stream.times.since ?? now)
            entries.append(
                LinkHeartbeat.Entry(
                    subscription: subscription.id, highest: SequenceNumber(highest),
                    upstreamSilentMilliseconds: UInt16(clamping: (now - silentSince).milliseconds)))
        }
        link.heartbeatPage += page
        return entries
    }

    // MARK: Timer

    /// False if the lease has expired, and the link must be closed.
    func isLeased(_ link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) -> Bool {
        guard now >= link.leaseExpires else { return true }
        core.context.count(.leasesExpired)
        return false
    }

    /// Heartbeats and probes of the path's size. The link's subscriptions have been looked after before.
    func handleTimer(of link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        let probeAt = probeSize(of: link, at: now, &core)
        // While data flows it is the sign of life; the heartbeat still carries tails, nonces and timestamps.
        if now >= heartbeatDue(of: link, core.configuration) { sendHeartbeat(on: link, at: now, &core) }
        let next = heartbeatDue(of: link, core.configuration)
        var wake = min(max(min(next, probeAt), now + .milliseconds(1)), link.leaseExpires)
        for subscription in link.ordered { wake = min(wake, subscription.expires) }
        core.clock.schedule(link, wake)
    }

    private func heartbeatDue(of link: ChildLink, _ configuration: RelayConfiguration) -> MonotonicInstant {
        let interval =
            link.ordered.isEmpty ? configuration.warmHeartbeatInterval : configuration.linkHeartbeatInterval
        return min(max(link.lastSent, link.lastHeartbeat) + interval, link.lastHeartbeat + interval * 2)
    }
}
