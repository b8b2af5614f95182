/// The paths by which one stream is fetched: one as a rule; another joins before one is left. A path leaves the set when
/// its subscription ends.
struct PathSet {
    /// In order of joining. Changed by `add` and `remove`.
    private(set) var all: [StreamPath] = []

    var isEmpty: Bool { all.isEmpty }
    /// Those that are not about to be left.
    var settled: [StreamPath] { all.filter { $0.state != .leaving } }
    var hasLive: Bool { all.contains { $0.state == .live } }
    /// Nothing flows yet by any path.
    var isWaiting: Bool { !all.contains { $0.state != .joining } }

    @inline(__always) func path(on link: ParentLink) -> StreamPath? { all.first { $0.link === link } }

    /// The path by this candidate.
    func path(by candidate: ParentCandidate) -> StreamPath? {
        all.first { $0.candidate.endpoint == candidate.endpoint }
    }

    /// A bit that no path has; there are never more than three settled and one being left.
    var freeBit: UInt8 {
        let used = all.reduce(UInt8(0)) { $0 | $1.bit }
        return ~used & (used &+ 1)
    }

    /// Whether another path than this one is to stay.
    func hasSettled(besides path: StreamPath) -> Bool {
        all.contains { $0 !== path && $0.state != .leaving }
    }

    mutating func add(_ path: StreamPath) { all.append(path) }
    mutating func remove(_ path: StreamPath) { all.removeAll { $0 === path } }

    /// The link died. Where all other paths were about to be left, the first of them stays: it is better than none.
    mutating func removeAll(on link: ParentLink) {
        all.removeAll { $0.link === link }
        if all.allSatisfy({ $0.state == .leaving }) { all.first?.becomeLive() }
    }
}
