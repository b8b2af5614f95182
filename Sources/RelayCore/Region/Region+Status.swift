import ReflectorModel

/// What a member of a region reports about it, for `/status`.
extension Region {
    /// Maximum number of slots in one status.
    private static let slotsShownMax = 512

    func status(_ core: borrowing NodeCore, at now: MonotonicInstant) -> RegionStatus {
        let own = core.configuration.name
        var loads: [NodeID: Int] = [:]
        for name in names {
            if let leader = self[name]?.leader { loads[leader, default: 0] += 1 }
        }
        func leads(_ node: NodeID) -> Int { loads[node] ?? 0 }
        func state(isLeaving: Bool, isCutOff: Bool, isSettled: Bool) -> String {
            isLeaving ? "leaving" : isCutOff ? "cut off" : isSettled ? "up" : "new"
        }
        let mine = RegionStatus.Member(
            name: own, endpoint: nil,
            state: state(
                isLeaving: standing.isLeaving, isCutOff: standing.isCutOff, isSettled: standing.isSettled(at: now)),
            heardSecondsAgo: nil, leads: leads(NodeID(name: own)))
        let others = members.map { member in
            let state =
                member.isUp
                ? state(isLeaving: member.isLeaving, isCutOff: member.isCutOff, isSettled: member.isSettled) : "down"
            return RegionStatus.Member(
                name: member.name, endpoint: member.endpoint.description, state: state,
                heardSecondsAgo: member.heardAt.map { (now - $0).seconds }, leads: leads(member.node))
        }
        let slots = names.prefix(Self.slotsShownMax).compactMap { name in
            self[name].map { slot(name, $0, own, core, at: now) }
        }
        return RegionStatus(
            members: [mine] + others, slots: slots, slotsTotal: names.count,
            aloneSeconds: standing.aloneSince.map { (now - $0).seconds })
    }

    private func slot(
        _ name: StreamName, _ slot: RegionSlot, _ own: String, _ core: borrowing NodeCore, at now: MonotonicInstant
    ) -> RegionStatus.Slot {
        let leader = members.first { $0.node == slot.leader }?.name ?? own
        var wantedBy = isWanted(core.streams[name]) ? [own] : []
        wantedBy += members.filter { $0.isUp && $0.list[name]?.isWanted == true }.map(\.name)
        return RegionStatus.Slot(
            stream: name.text, slot: 1, leader: leader, secondsAgo: (now - slot.since).seconds,
            cause: claims.isYielding(name)
                ? "\(slot.cause.rawValue); it asks others to lead" : slot.cause.rawValue, wantedBy: wantedBy)
    }
}
