import ReflectorModel
import RelayWire

/// The hosts from which a stream may be requested, best first, each once. The list keeps no state about the hosts: the
/// caller provides this state.
struct CandidateList: Equatable {
    private(set) var all: [ParentCandidate] = []

    init(_ all: [ParentCandidate] = []) { self.all = all }

    var isEmpty: Bool { all.isEmpty }

    /// Position of the host with this address; nil if the list no longer has it.
    func place(of endpoint: Endpoint) -> Int? { all.firstIndex { $0.endpoint == endpoint } }

    // MARK: Making

    /// Appends parents, after those of the earlier ranks.
    ///
    /// - Parameter own: the node itself, which is never its own parent.
    mutating func add(_ parents: [ParentCandidate], except own: NodeID) {
        for parent in parents where parent.id != own && place(of: parent.endpoint) == nil { all.append(parent) }
    }

    /// The parents in an answer that this node can reach, in the order in which it asks them.
    static func parents(
        in answer: LookUpAnswer, of rank: ParentRank, _ region: RegionID, _ portset: PortsetID, by order: AddressOrder
    ) -> [ParentCandidate] {
        let cause = ReflectorName.parents(rank, region, portset).description
        let text = answer.text.joined(separator: " ")
        return answer.ranked(region: region, portset: portset, by: order).map { found in
            ParentCandidate(
                name: found.host.name, endpoint: found.host.endpoint, others: found.others, rank: rank.rawValue,
                cause: cause, answer: text, serial: answer.serial)
        }
    }

    /// The entrypoints of a stream: first those that announce it, in the order of the zone's list, then the others. A
    /// relay that has received no announcement asks the entrypoints directly (design §7).
    ///
    /// - Parameters:
    ///   - announced: hosts that announce the stream.
    ///   - listed: the zone's list; nil if it is not known.
    ///   - isServing: true for an address that already serves the stream; it needs no announcement.
    ///   - resumed: the host whose packets the children received before. It comes first if the zone's list is unknown.
    ///   - leader: the entrypoint that leads the stream; it comes first.
    ///   - isUnheard: true for a host that has announced nothing yet, if the children resume an incarnation that nobody
    ///     has announced. Such a host comes first, because it may have this incarnation.
    static func entrypoints(
        announced: [ParentCandidate], listed: LookUpAnswer?, cause: String, by order: AddressOrder,
        isServing: (Endpoint) -> Bool, resumed: String?, leader: NodeID?, isUnheard: (String) -> Bool
    ) -> CandidateList {
        var announced = announced
        var silent: [ParentCandidate] = []
        for found in listed?.hosts(by: order) ?? []
        where !announced.contains(where: { $0.name == found.host.name })
            && !silent.contains(where: { $0.name == found.host.name })
        {
            // A host that serves this node from another of its addresses is the same host.
            let serving = isServing(found.host.endpoint) ? found.host.endpoint : found.others.first(where: isServing)
            let endpoint = serving ?? found.host.endpoint
            var others = found.others
            if endpoint != found.host.endpoint {
                others = [found.host.endpoint] + others.filter { $0 != endpoint }
            }
            let candidate = ParentCandidate(
                name: found.host.name, endpoint: endpoint, others: others, rank: 0,
                cause: cause, answer: listed?.text.joined(separator: " "), serial: listed?.serial)
            if serving != nil {
                announced.append(candidate)
            } else {
                silent.append(candidate)
            }
        }
        func place(_ candidate: ParentCandidate) -> Int {
            if let leader, candidate.id == leader { return -1 }
            let name = candidate.name
            return listed?.hosts.firstIndex { $0.name == name } ?? (listed == nil && name == resumed ? 0 : .max)
        }
        if announced.count > 1 { announced.sort { (place($0), $0.name) < (place($1), $1.name) } }
        if silent.isEmpty { return CandidateList(announced) }
        let unheard = silent.filter { isUnheard($0.name) }
        return CandidateList(unheard + announced + silent.filter { !unheard.contains($0) })
    }

    /// These candidates, then those of the other list that are not among them.
    func merged(with other: CandidateList) -> CandidateList {
        CandidateList(all + other.all.filter { place(of: $0.endpoint) == nil })
    }

    // MARK: Choosing

    /// The willing candidate that may be tried soonest. Ties go to one whose link is not shedding paths, then to the
    /// earlier one in the list.
    func soonest(
        isWilling: (ParentCandidate) -> Bool, avoidedUntil: (ParentCandidate) -> MonotonicInstant,
        isShedding: (ParentCandidate) -> Bool
    ) -> ParentCandidate? {
        func order(_ candidate: ParentCandidate) -> (MonotonicInstant, Int) {
            (avoidedUntil(candidate), isShedding(candidate) ? 1 : 0)
        }
        return all.filter(isWilling).min { order($0) < order($1) }
    }

    /// The first of the candidates ahead of `place` that is good enough to return to.
    func first(before place: Int, where isGood: (ParentCandidate) -> Bool) -> ParentCandidate? {
        all[..<place].first(where: isGood)
    }

    /// Candidates to which validated links are kept without data, as standby: up to two before the current parent (to
    /// see whether they have recovered), the next one after it, the first host of each other rank and, at a member of a
    /// region that fetches from another one, the first host outside, so that it can lead at once.
    func reserves(for current: ParentCandidate, hasNeighbours: Bool = false) -> [ParentCandidate] {
        let place = place(of: current.endpoint) ?? 0
        var chosen = Array(all[..<place].prefix(2))
        if place + 1 < all.count { chosen.append(all[place + 1]) }
        for rank in UInt8(1)...3 where rank != current.rank {
            if let first = all.first(where: { $0.rank == rank }) { chosen.append(first) }
        }
        if hasNeighbours, let first = all.first(where: \.isUpstream), !chosen.contains(first) { chosen.append(first) }
        return chosen.filter { $0.endpoint != current.endpoint }
    }
}
