import ReflectorModel

/// A region at one moment, as one member sees it: the live members, and how many slots each of them leads. It decides
/// who leads each slot: members with equal pictures decide alike.
struct RegionPicture {
    /// A live member.
    struct Node: Equatable {
        var id: NodeID
        var isLeaving = false
        var isSettled = true
        /// No parent outside answered it a short time ago, or it slept.
        var isCutOff = false
    }

    /// What a member says about one stream.
    struct Statement: Equatable {
        var isWanted = false
        var leads = false
        var isYielding = false
    }

    struct Decision: Equatable {
        var leader: NodeID
        var cause: RegionSlot.Cause
        /// The leader says itself that it leads, and does not ask others who could.
        var isClaimed: Bool
        /// The member that leads until the new leader gets the stream; nil if there is none, or no parent answers it.
        var handingOver: NodeID?
    }

    /// The member itself comes first.
    let nodes: [Node]
    /// The members on which slots are placed: those that reach parents and have been here for a while or, if there is
    /// none, those that reach parents or, if there is none, all.
    private let pool: [Int]
    private(set) var loads: [Int]
    private(set) var slots = 0

    init(_ nodes: [Node]) {
        self.nodes = nodes
        loads = Array(repeating: 0, count: nodes.count)
        let remaining = nodes.indices.filter { !nodes[$0].isLeaving }
        let able = remaining.filter { !nodes[$0].isCutOff }
        let staying = able.isEmpty ? remaining : able
        let settled = staying.filter { nodes[$0].isSettled }
        pool = settled.isEmpty ? staying : settled
    }

    /// Counts one slot before any is placed.
    ///
    /// - Parameter statements: one for each node.
    mutating func count(_ statements: [Statement], of stream: StreamName) {
        slots += 1
        if let holder = holder(statements, of: stream) { loads[holder.index] += 1 }
    }

    /// Decides who leads a slot that was counted before. A vacant slot is placed, and counts for its new leader.
    mutating func decide(_ statements: [Statement], of stream: StreamName) -> Decision {
        if let holder = holder(statements, of: stream) {
            return Decision(
                leader: nodes[holder.index].id, cause: holder.isOnly ? .keeps : .preferred, isClaimed: true)
        }
        let index = place(statements, of: stream)
        let handing = nodes.indices.filter { statements[$0].leads && !nodes[$0].isCutOff }
            .min { score($0, stream) < score($1, stream) }
        if let handing, !nodes[handing].isLeaving, loads[index] >= cap {
            // What it asks for, others have no room for.
            loads[handing] += 1
            return Decision(leader: nodes[handing].id, cause: .keeps, isClaimed: true)
        }
        loads[index] += 1
        return Decision(
            leader: nodes[index].id, cause: .placed, isClaimed: false, handingOver: handing.map { nodes[$0].id })
    }

    private func score(_ index: Int, _ stream: StreamName) -> UInt64 {
        RegionPlacement.score(of: nodes[index].id, stream: stream)
    }

    /// The live member that leads the slot and goes on. If there are several: one that reaches its parents, then one that
    /// has been in the region for a while, then the one that the hash prefers.
    private func holder(_ statements: [Statement], of stream: StreamName) -> (index: Int, isOnly: Bool)? {
        let staying = nodes.indices.filter { !nodes[$0].isLeaving }
        let able = staying.filter { !statements[$0].isYielding }
        // If everybody asks others to lead, those who lead go on, but only one for each slot.
        let holders = (able.isEmpty ? staying : able).filter { statements[$0].leads }
        guard let first = holders.first else { return nil }
        guard holders.count > 1 else { return (first, true) }
        func order(_ index: Int) -> (Int, Int, UInt64) {
            (nodes[index].isCutOff ? 1 : 0, nodes[index].isSettled ? 0 : 1, score(index, stream))
        }
        return holders.min { order($0) < order($1) }.map { ($0, false) }
    }

    private func place(_ statements: [Statement], of stream: StreamName) -> Int {
        // If everybody asks others to lead, somebody must.
        let choices = [
            pool.filter { !statements[$0].isYielding },
            nodes.indices.filter { !nodes[$0].isLeaving && !nodes[$0].isCutOff && !statements[$0].isYielding },
            nodes.indices.filter { !nodes[$0].isLeaving && !statements[$0].isYielding },
            nodes.indices.filter { !nodes[$0].isLeaving },
        ]
        let candidates = (choices.first { !$0.isEmpty } ?? [0]).map {
            RegionPlacement.Candidate(node: nodes[$0].id, wants: statements[$0].isWanted, load: loads[$0])
        }
        let chosen = RegionPlacement.place(candidates, stream: stream, cap: cap)
        return nodes.firstIndex { $0.id == chosen } ?? 0
    }

    private var cap: Int { RegionPlacement.cap(slots: slots, members: max(pool.count, 1)) }

    /// How many slots the member itself has above the bound that others could take.
    var excess: Int {
        guard pool.count > 1, !nodes[0].isLeaving, loads[0] > cap else { return 0 }
        let room = pool.filter { $0 != 0 }.reduce(0) { $0 + max(cap - loads[$1], 0) }
        return min(loads[0] - cap, room)
    }

    /// The members, other than itself and the leader, that come before itself in the order of preference for a stream:
    /// while the leader is silent, each member asks the next one, and only the first fetches from outside.
    func ahead(_ statements: [Statement], of stream: StreamName, except leader: NodeID) -> [NodeID] {
        let candidates = nodes.indices.filter { !nodes[$0].isLeaving && nodes[$0].id != leader }.map {
            RegionPlacement.Candidate(node: nodes[$0].id, wants: statements[$0].isWanted, load: 0)
        }
        return RegionPlacement.ranked(candidates, stream: stream).prefix { $0.node != nodes[0].id }.map(\.node)
    }
}
