/// The names under the zone that mean something to us (design §4), without the zone itself. Everything a node looks
/// up, and everything the name server synthesises, is one of these.
public enum ReflectorName: Hashable, Sendable, CustomStringConvertible {
    /// `n1.r1283.s4096`: parents of rank 1 of a region for a portset; without a portset, `n1.r1283`, for the default.
    case parents(ParentRank, RegionID, PortsetID?)
    /// `sets.s4096`: every root set reflector that carries a portset.
    case rootSets(PortsetID)
    /// `ep-bos.sets`: the root set reflectors of all portsets of an entrypoint.
    case announceTargets(host: String)
    /// `news.live.streams`: the candidate entrypoints of a stream, in order.
    case candidates(StreamName)

    public var description: String {
        switch self {
        case .parents(let rank, let region, let portset?): "\(rank).\(region).\(portset)"
        case .parents(let rank, let region, nil): "\(rank).\(region)"
        case .rootSets(let portset): "sets.\(portset)"
        case .announceTargets(let host): "\(host).sets"
        case .candidates(let stream): "\(stream.reversedLabels).streams"
        }
    }
}
