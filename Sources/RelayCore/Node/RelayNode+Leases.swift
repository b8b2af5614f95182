import ReflectorModel
import RelayWire

/// Leases of children, the heartbeats that carry their nonces, and the timer of a child's link.
extension RelayNode {
    func onRenew(_ renew: Renew, on link: ChildLink, at now: MonotonicInstant) {
        link.noteTimes(
            renew.timestamp, echoed: renew.echoedTimestamp,
            echoDelayMicroseconds: renew.echoDelayMicroseconds, at: now)
        noteReport(renew, of: link, at: now)
        guard renew.leaseNonce == link.leaseNonce || renew.leaseNonce == link.leaseNonceBefore else {
            return
        }
        link.leaseExpires = now + configuration.lease
        // However often a child says it, its subscriptions are walked now and then, and a heartbeat answers now and then.
        let isRepeated = link.renewedAt.map { now - $0 < Self.renewSpacing } ?? false
        guard !isRepeated else { return }
        link.renewedAt = now
        if renew.digest == link.digest, Int(renew.subscriptions) == link.ordered.count {
            link.digestMismatch = false
            context.noteWork(UInt64(link.ordered.count))
            for subscription in link.ordered { subscription.expires = link.leaseExpires }
        } else {
            // The child says again what it wants; what it does not say expires.
            link.digestMismatch = true
            sendHeartbeat(on: link, at: now)
        }
    }

    /// Renews that follow each other more closely only prolong the link's lease.
    private static var renewSpacing: TimeSpan { .milliseconds(20) }

    func sendHeartbeat(on link: ChildLink, at now: MonotonicInstant) {
        if now - link.leaseNonceAge >= configuration.renewInterval {
            link.leaseNonceBefore = link.leaseNonce
            link.leaseNonce = context.secret64()
            link.leaseNonceAge = now
        }
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
            let silentSince =
                stream.origin != nil ? now : max(stream.lastArrival, stream.fetchedSince ?? now)
            entries.append(
                LinkHeartbeat.Entry(
                    subscription: subscription.id, highest: SequenceNumber(highest),
                    upstreamSilentMilliseconds: UInt16(clamping: (now - silentSince).milliseconds)))
        }
        link.heartbeatPage += page
        let echo = link.echo.fields(at: now)
        let heartbeat = LinkHeartbeat(
            nextLinkNumber: link.nextLinkNumber, leaseNonce: link.leaseNonce,
            timestamp: TimestampEcho.stamp(now),
            echoedTimestamp: echo.timestamp, echoDelayMicroseconds: echo.delayMicroseconds,
            digestMismatch: link.digestMismatch, entries: entries)
        link.lastHeartbeat = now
        send(.linkHeartbeat(heartbeat), on: link, at: now)
    }

    func handleTimer(of link: ChildLink, at now: MonotonicInstant) {
        if now >= link.leaseExpires {
            context.count(.leasesExpired)
            return remove(link, at: now)
        }
        server.endExpired(on: link, at: now, &core)
        pump(link, at: now)
        let probeAt = probeSize(of: link, at: now)
        let isWarm = link.ordered.isEmpty
        let interval =
            isWarm ? configuration.warmHeartbeatInterval : configuration.linkHeartbeatInterval
        // While data flows it is the sign of life; the heartbeat still carries tails, nonces and timestamps.
        let due = min(
            max(link.lastSent, link.lastHeartbeat) + interval, link.lastHeartbeat + interval * 2)
        if now >= due { sendHeartbeat(on: link, at: now) }
        let next = min(
            max(link.lastSent, link.lastHeartbeat) + interval, link.lastHeartbeat + interval * 2)
        var wake = min(max(min(next, probeAt), now + .milliseconds(1)), link.leaseExpires)
        for subscription in link.ordered { wake = min(wake, subscription.expires) }
        clock.schedule(link, wake)
    }
}
