import ReflectorModel

/// Which member of a region should lead a vacant slot: rendezvous hashing with bounded loads (Mirrokni, Thorup and
/// Zadimoghaddam 2018). Members with equal views place every slot alike.
enum RegionPlacement {
    /// A live member, as the placement of one slot sees it.
    struct Candidate: Equatable {
        var node: NodeID
        /// Its own viewers want the stream, so that it needs a copy in any case.
        var wants: Bool
        /// The slots that it leads.
        var load: Int
    }

    /// Maximum number of slots of one member: 1.25 times the mean or, where that is no whole number more than the mean, the
    /// mean rounded up.
    static func cap(slots: Int, members: Int) -> Int {
        guard members > 0 else { return slots }
        return max((slots + members - 1) / members, 5 * slots / (4 * members))
    }

    /// The preference of a member for a slot: lower is preferred. `k` is 1 to 3.
    static func score(of node: NodeID, stream: StreamName, k: Int = 1) -> UInt64 {
        let key = FixedHash.combine(FixedHash.hash(stream.text, purpose: .rendezvous), UInt64(k))
        return FixedHash.combine(key, node.rawValue)
    }

    /// The members in the order of preference: first those whose viewers want the stream, then by hash.
    static func ranked(_ candidates: [Candidate], stream: StreamName, k: Int = 1) -> [Candidate] {
        let scored = candidates.map { (wants: $0.wants ? 0 : 1, score: score(of: $0.node, stream: stream, k: k), $0) }
        return scored.sorted { ($0.wants, $0.score) < ($1.wants, $1.score) }.map(\.2)
    }

    /// The member that should lead the slot: the first in the order of preference that has room. Nil without candidates.
    static func place(_ candidates: [Candidate], stream: StreamName, k: Int = 1, cap: Int) -> NodeID? {
        let ranked = ranked(candidates, stream: stream, k: k)
        if let first = ranked.first(where: { $0.load < cap }) { return first.node }
        return ranked.min { $0.load < $1.load }?.node
    }
}
