import ReflectorModel

/// How much a node holds, and by which paths it fetches: what the simulator judges at every step and a leak would show.
public struct RelaySnapshot: Sendable, Equatable {
    /// One way by which a stream is fetched.
    public struct Path: Sendable, Equatable {
        public var stream: StreamName
        public var parent: Endpoint
        /// 1 to 3 by the DNS, 0 for an entrypoint.
        public var rank: UInt8
        public var isLive: Bool
        /// About to be left, once another path is live.
        public var isLeaving: Bool
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
    /// By stream in order of slot, then in order of joining.
    public var paths: [Path] = []
}

extension RelayNode {
    /// Counts everything; meant for once in a while.
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
                        isLive: path.state == .live, isLeaving: path.state == .leaving))
            }
        }
        return snapshot
    }
}
