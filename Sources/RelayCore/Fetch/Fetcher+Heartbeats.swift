import ReflectorModel
import RelayWire

/// Heartbeats of parents: leases, and what the parents hold of each stream.
extension Fetcher {
    /// Heartbeats that follow each other more closely are only signs of life.
    private static var entriesSpacing: TimeSpan { .milliseconds(10) }
    /// Most subscriptions that are ended in answer to one heartbeat; the others are by the next.
    static var strangersMax: Int { 4 }
    /// A path that brings nothing this much longer than its parent's own upstream is asked for again.
    private static var starvedMax: TimeSpan { .milliseconds(400) }

    /// Takes times and nonce of a heartbeat. True if the lease must be renewed now.
    func takeLease(
        _ heartbeat: LinkHeartbeat, on link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Bool {
        core.context.count(.heartbeatsReceived)
        link.noteTimes(
            heartbeat.timestamp, echoed: heartbeat.echoedTimestamp,
            echoDelayMicroseconds: heartbeat.echoDelayMicroseconds, at: now)
        link.window.expect(next: heartbeat.nextLinkNumber)
        let isNewNonce = link.takeNonce(heartbeat.leaseNonce)
        // The echo shows which Renew was the last to reach the parent; one that did not is sent again.
        let isRenewLost =
            heartbeat.echoedTimestamp < TimestampEcho.stamp(link.lastRenew)
            && now - link.lastRenew >= link.roundTrip.retransmitTimeout
        return isNewNonce || isRenewLost
    }

    /// True if the entries of a heartbeat that came now are to be read.
    func takesEntries(of link: ParentLink, at now: MonotonicInstant) -> Bool {
        link.takeEntries(spacing: Self.entriesSpacing, at: now)
    }

    /// Reads one entry. Returns the path that it is about if the path brings the incarnation in use: the caller then
    /// looks at what is missing, and calls `noteUpstream`.
    ///
    /// - Parameter strangers: subscriptions that this heartbeat names and this node does not have.
    func read(
        _ entry: LinkHeartbeat.Entry, on link: ParentLink, strangers: inout Int, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) -> (path: StreamPath, stream: StreamState)? {
        guard let slot = link.subscriptions[entry.subscription] else {
            guard strangers < Self.strangersMax else { return nil }
            // Left long ago; the parent has missed it.
            strangers += 1
            core.send(.unsubscribe(subscription: entry.subscription), on: link, at: now)
            return nil
        }
        guard let stream = core.streams[slot], let path = stream.paths.path(on: link), path.state != .leaving
        else { return nil }
        core.context.noteWork()
        let silent = TimeSpan.milliseconds(Int64(entry.upstreamSilentMilliseconds))
        let starved = now - max(path.lastArrival, path.lastAsked)
        if path.tag == nil || silent + Self.starvedMax < starved, starved >= .milliseconds(50) {
            // The parent sends, and we do not know what: its reply was lost.
            subscribe(path, of: stream, at: now, &core)
            return nil
        }
        guard let incarnation = stream.incarnation, path.tag == incarnation.tag else { return nil }
        return (path, stream)
    }

    /// Notes how long the parent itself has got nothing. While a parent has not restored its own upstream, another path is
    /// added beside it (design §7).
    mutating func noteUpstream(
        of path: StreamPath, _ entry: LinkHeartbeat.Entry, _ stream: StreamState, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        path.noteUpstream(silentMilliseconds: entry.upstreamSilentMilliseconds)
        guard path.upstreamSilent, path.state == .live else { return }
        stream.quality.needAll(at: now)
        choosePaths(for: stream, at: now, &core)
    }

    /// The parent counts other subscriptions than this node: all are sent again. True if so, at most once a second.
    func resubscribe(on link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) -> Bool {
        guard link.takeResync(spacing: .seconds(1), at: now) else { return false }
        for slot in link.streamSlots {
            if let stream = core.streams[slot], let path = stream.paths.path(on: link) {
                subscribe(path, of: stream, at: now, &core)
            }
        }
        return true
    }

    func sendRenew(on link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        link.noteRenew(at: now)
        let echo = link.echo.fields(at: now)
        let renew = Renew(
            leaseNonce: link.leaseNonce, subscriptions: UInt16(clamping: link.subscriptions.count),
            digest: link.digest, timestamp: TimestampEcho.stamp(now), echoedTimestamp: echo.timestamp,
            echoDelayMicroseconds: echo.delayMicroseconds, received: link.window.received,
            lost: link.window.missing)
        core.send(.renew(renew), on: link, at: now)
    }
}
