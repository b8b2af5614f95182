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

extension ReflectorName {
    /// Reads what `description` writes, in lower case. Nil for anything else.
    public init?(_ text: String) {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.count >= 2, let first = labels.first, let last = labels.last else { return nil }
        if last == "streams" {
            guard let stream = StreamName(labels.dropLast().reversed().joined(separator: "/")) else { return nil }
            self = .candidates(stream)
        } else if last == "sets" {
            guard labels.count == 2, !first.isEmpty else { return nil }
            self = .announceTargets(host: String(first))
        } else if first == "sets" {
            guard labels.count == 2, let portset = PortsetID(label: last) else { return nil }
            self = .rootSets(portset)
        } else {
            guard labels.count <= 3, first.count == 2, first.first == "n", let number = UInt8(first.dropFirst()),
                let rank = ParentRank(rawValue: number), let region = RegionID(label: labels[1])
            else { return nil }
            if labels.count == 2 {
                self = .parents(rank, region, nil)
            } else {
                guard let portset = PortsetID(label: last) else { return nil }
                self = .parents(rank, region, portset)
            }
        }
    }
}
