import ReflectorModel

/// The paths that fetch one stream: normally one; a second joins before the first is left. A path leaves the set when
/// its subscription ends.
struct PathSet {
    /// In order of joining. Changed by `add`, `remove` and `removeAll`.
    private(set) var all: [StreamPath] = []

    var isEmpty: Bool { all.isEmpty }
    /// The first path that is not about to be left.
    var firstSettled: StreamPath? { all.first { $0.state != .leaving } }
    /// Number of paths that are not about to be left.
    var settledCount: Int { all.count { $0.state != .leaving } }
    var hasLive: Bool { all.contains { $0.state == .live } }
    /// Whether a path that does not lead to another member of the region carries the stream.
    var hasLiveOutside: Bool { all.contains { $0.state == .live && !$0.candidate.isMember } }
    /// No path carries packets yet.
    var isWaiting: Bool { !all.contains { $0.state != .joining } }

    /// There are paths, but none brings packets: each one is joining, or its parent's own upstream is silent.
    var areDry: Bool { all.allSatisfy { $0.state == .joining || $0.upstreamSilent } }

    /// The first path whose parent has not even opened the link.
    var firstUnopened: StreamPath? { all.first { $0.state == .joining && !$0.link.isAlive } }

    @inline(__always) func path(on link: ParentLink) -> StreamPath? { all.first { $0.link === link } }

    /// The path via this candidate.
    func path(by candidate: ParentCandidate) -> StreamPath? {
        all.first { $0.candidate.endpoint == candidate.endpoint }
    }

    /// Whether the host at this address carries the stream.
    func isServed(by endpoint: Endpoint) -> Bool {
        all.contains { $0.state != .joining && $0.link.endpoint == endpoint }
    }

    /// A bit that no path uses. There are never more than three settled paths and one that is being left.
    var freeBit: UInt8 {
        let used = all.reduce(UInt8(0)) { $0 | $1.bit }
        return ~used & (used &+ 1)
    }

    /// Whether there is a settled path other than this one.
    func hasSettled(besides path: StreamPath) -> Bool {
        all.contains { $0 !== path && $0.state != .leaving }
    }

    mutating func add(_ path: StreamPath) { all.append(path) }
    mutating func remove(_ path: StreamPath) { all.removeAll { $0 === path } }

    /// Removes the paths on a link that died. If all other paths were about to be left, the oldest of them stays: it is
    /// better than none.
    mutating func removeAll(on link: ParentLink) {
        all.removeAll { $0.link === link }
        if all.allSatisfy({ $0.state == .leaving }) { all.first?.becomeLive() }
    }
}
