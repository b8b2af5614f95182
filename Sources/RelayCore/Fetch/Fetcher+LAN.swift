import ReflectorModel
import RelayWire

/// Taking streams from groups of the LAN. A stream always begins on the link; the feed is used once it has caught up, and
/// left as soon as it fails: so a LAN without multicast costs nothing but copies.
extension Fetcher {
    /// A parent says from which group a stream can be taken.
    func onLanFeed(_ feed: LanFeed, on link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        guard let groups = core.configuration.lan, link.isMember else {
            return core.context.count(.lanFeedsRefused)
        }
        guard let slot = link.subscriptions[feed.subscription], let stream = core.streams[slot],
            let path = stream.paths.path(on: link), path.subscription == feed.subscription,
            path.lan?.place != feed.place
        else { return }
        if let place = feed.place {
            guard groups.contains(place.group), core.links.isFree(token: place.token),
                core.lan.isFree(token: place.token), path.takeLANChange(at: now)
            else { return core.context.count(.lanFeedsRefused) }
        }
        leaveLAN(path, of: stream, hasFailed: false, at: now, &core)
        core.endLAN(on: path)
        if let place = feed.place { core.beginLAN(place, on: path) }
    }

    /// Whether to keep a packet of a feed that is not in use, or is from now on.
    ///
    /// - Parameter path: the path to which the feed belongs; nil for any other packet, which is always kept.
    func takesFed(
        _ path: StreamPath?, _ sequence: UInt64, of stream: StreamState, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) -> Bool {
        guard let path else { return true }
        if path.isReadyForLAN(sequence, at: now) {
            useLAN(path, of: stream, at: now, &core)
            return true
        }
        // The link still brings the past. A packet ahead of it would make everything between seem lost.
        return sequence <= (stream.incarnation?.index.highest ?? 0) + 1
    }

    /// The feed has brought what follows the packets that came by the link: nothing more is needed there.
    private func useLAN(_ path: StreamPath, of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        path.useLAN(at: now)
        core.context.count(.lanFeedsUsed)
        subscribe(path, of: stream, at: now, &core)
    }

    /// Returns to the link, from the last number held on.
    func leaveLAN(
        _ path: StreamPath, of stream: StreamState, hasFailed: Bool, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard path.isOnLAN else { return }
        path.leaveLAN(hasFailed: hasFailed, at: now)
        if hasFailed { core.context.count(.lanFeedsFailed) }
        subscribeAgain(path, of: stream, at: now, &core)
    }

    /// Leaves the feed if, by the parent's heartbeat, it brings nothing or loses too much.
    func tendLAN(
        _ path: StreamPath, of stream: StreamState, _ entry: LinkHeartbeat.Entry, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        guard path.hasLANFailed(entry.highest.rawValue, at: now) else { return }
        leaveLAN(path, of: stream, hasFailed: true, at: now, &core)
    }
}

extension NodeCore {
    mutating func beginLAN(_ place: LanFeed.Place, on path: StreamPath) {
        path.offerLAN(place)
        guard lan.add(place, path) else { return }
        context.post(.joinGroup(place.group))
    }

    /// Call this before the path leaves its stream.
    mutating func endLAN(on path: StreamPath) {
        guard let place = path.endLAN(), lan.remove(place) else { return }
        context.post(.leaveGroup(place.group))
    }

    /// Call this before a path leaves its stream.
    mutating func release(_ path: StreamPath, of stream: StreamState) {
        endTwin(on: path, of: stream)
        endLAN(on: path)
    }
}
