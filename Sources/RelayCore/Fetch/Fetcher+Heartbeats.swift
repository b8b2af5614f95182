import ReflectorModel
import RelayWire

/// Heartbeats from parents: leases, and what the parents hold of each stream.
extension Fetcher {
    /// The entries of a heartbeat are ignored if entries were read less than this time before.
    private static var entriesSpacing: TimeSpan { .milliseconds(10) }
    /// Maximum number of unknown subscriptions to end per heartbeat; the next heartbeats end the others.
    static var strangersMax: Int { 4 }
    /// A path is requested again if it has been silent this much longer than its parent's own upstream.
    private static var starvedMax: TimeSpan { .milliseconds(400) }

    /// Takes the timestamps and the nonce from a heartbeat. True if the lease must be renewed now.
    func takeLease(
        _ heartbeat: LinkHeartbeat, on link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Bool {
        core.context.count(.heartbeatsReceived)
        core.noteTimes(
            heartbeat.timestamp, echoed: heartbeat.echoedTimestamp,
            echoDelayMicroseconds: heartbeat.echoDelayMicroseconds, on: link, at: now)
        link.window.expect(next: heartbeat.nextLinkNumber)
        let isNewNonce = link.takeNonce(heartbeat.leaseNonce)
        // The echo shows which Renew was the last to reach the parent. A lost Renew is sent again.
        let isRenewLost =
            heartbeat.echoedTimestamp < TimestampEcho.stamp(link.lastRenew)
            && now - link.lastRenew >= link.roundTrip.retransmitTimeout
        return isNewNonce || isRenewLost
    }

    /// True if the entries of a heartbeat that arrived now should be read.
    func takesEntries(of link: ParentLink, at now: MonotonicInstant) -> Bool {
        link.takeEntries(spacing: Self.entriesSpacing, at: now)
    }

    /// Reads one entry. Returns its path if the path carries the current incarnation: the caller then checks for
    /// missing packets and calls `noteUpstream`.
    ///
    /// - Parameter strangers: number of entries so far in this heartbeat whose subscription this node does not have.
    func read(
        _ entry: LinkHeartbeat.Entry, on link: ParentLink, strangers: inout Int, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) -> (path: StreamPath, stream: StreamState)? {
        guard let slot = link.subscriptions[entry.subscription] else {
            guard strangers < Self.strangersMax else { return nil }
            // This node ended the subscription long ago, but the parent missed the Unsubscribe.
            strangers += 1
            core.send(.unsubscribe(subscription: entry.subscription), on: link, at: now)
            return nil
        }
        guard let stream = core.streams[slot], let path = stream.paths.path(on: link), path.state != .leaving
        else { return nil }
        core.context.noteWork()
        tendLAN(path, of: stream, entry, at: now, &core)
        let silent = TimeSpan.milliseconds(Int64(entry.upstreamSilentMilliseconds))
        let starved = now - max(path.lastArrival, path.lastAsked)
        if path.tag == nil || silent + Self.starvedMax < starved, starved >= .milliseconds(50),
            path.tag == nil || !hasAll(of: entry, on: path, of: stream, at: now)
        {
            // The parent sends, but its packets do not arrive here, or its reply was lost and this node does not know
            // what it sends.
            subscribe(path, of: stream, at: now, &core)
            return nil
        }
        guard let incarnation = stream.incarnation, path.carries(incarnation.tag) else { return nil }
        return (path, stream)
    }

    /// Notes how long the parent's own upstream has been silent. If this upstream fails, more paths are added for a
    /// while (design §7).
    mutating func noteUpstream(
        of path: StreamPath, _ entry: LinkHeartbeat.Entry, _ stream: StreamState, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        path.noteUpstream(silentMilliseconds: entry.upstreamSilentMilliseconds)
        guard path.upstreamSilent, path.state == .live else { return }
        stream.quality.needAll(at: now)
        choosePaths(for: stream, at: now, &core)
    }

    /// The parent's record of this node's subscriptions differs from the node's own: sends all of them again, at most
    /// once a second. True if they were sent.
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
