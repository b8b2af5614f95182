import ReflectorModel

/// How much a node holds, and by which paths it fetches: what the simulator judges at every step and a leak would show.
public struct RelayCensus: Sendable, Equatable {
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
    public var census: RelayCensus {
        var census = RelayCensus()
        census.parentLinks = core.links.parents.count
        census.childLinks = core.links.children.count
        census.streams = core.streams.count
        census.timers = core.clock.count
        for link in core.links.children.all {
            census.subscriptions += link.ordered.count
            census.queued += link.queues.count(.live) + link.queues.count(.repair)
        }
        for stream in core.streams.all {
            census.gaps += stream.incarnation?.gaps.count ?? 0
            for path in stream.paths.all {
                census.paths.append(
                    RelayCensus.Path(
                        stream: stream.name, parent: path.link.endpoint, rank: path.candidate.rank,
                        isLive: path.state == .live, isLeaving: path.state == .leaving))
            }
        }
        return census
    }
}
