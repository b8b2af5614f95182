import ReflectorModel

/// The size of a node's tables, and the paths by which it fetches. The simulator checks it regularly; a leak would show
/// in it.
public struct RelaySnapshot: Sendable, Equatable {
    /// One path by which a stream is fetched.
    public struct Path: Sendable, Equatable {
        public var stream: StreamName
        public var parent: Endpoint
        /// 1 to 3 for a parent from the DNS, 0 for an entrypoint.
        public var rank: UInt8
        public var isLive: Bool
        /// Only the parent's own announcement speaks for it, because the zone has never answered.
        public var isUnconfirmed = false
        /// To be left once another path is live.
        public var isLeaving: Bool
        /// A group of the LAN brings the stream instead of the link.
        public var isOnLAN = false
    }

    /// Links that this node opened.
    public var parentLinks = 0
    /// Links that children opened to it.
    public var childLinks = 0
    public var streams = 0
    /// Subscriptions of children.
    public var subscriptions = 0
    /// Sequence numbers known to be missing, over all streams.
    public var gaps = 0
    /// Entries in the timer heap, stale ones included.
    public var timers = 0
    /// Packets that wait for a flush, over all children.
    public var queued = 0
    /// In order of the streams' slots, then in order of joining.
    public var paths: [Path] = []
}

extension RelayNode {
    /// Counts everything; not for frequent use.
    public var snapshot: RelaySnapshot {
        var snapshot = RelaySnapshot()
        snapshot.parentLinks = core.links.parents.count
        snapshot.childLinks = core.links.children.count
        snapshot.streams = core.streams.count
        snapshot.timers = core.clock.count
        for link in core.links.children.all {
            snapshot.subscriptions += link.ordered.count
            snapshot.queued += link.queues.count(.live) + link.queues.count(.repair)
        }
        for stream in core.streams.all {
            snapshot.gaps += stream.incarnation?.gaps.count ?? 0
            for path in stream.paths.all {
                snapshot.paths.append(
                    RelaySnapshot.Path(
                        stream: stream.name, parent: path.link.endpoint, rank: path.candidate.rank,
                        isLive: path.state == .live, isUnconfirmed: path.candidate.isUnconfirmed,
                        isLeaving: path.state == .leaving, isOnLAN: path.isOnLAN))
            }
        }
        return snapshot
    }
}
