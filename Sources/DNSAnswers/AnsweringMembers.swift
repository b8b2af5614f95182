/// Selects the hosts that the answer for a set region contains (these hosts are "answered"), and sets their weights.
/// The name server, the export and `explain` all use this code.
///
/// ```
/// pinned, serving, weighed down    all of them, as long as there is at least one
/// drained and not dead             only if there is none of the above
/// dead and not drained             only if there is none of the above: probes then prove nothing, so the files decide
/// drained and dead                 only if there is none of the above
/// depooled                         never
/// ```
/// If a set region stands aside (`SetRegion.standsAside`), none of its drained hosts is answered. An answer without
/// hosts is SRV `0 0 0 .`, "decidedly not available" (RFC 2782). Nodes then try the next parent; if the answer had no
/// data instead, they would keep the old parent.
extension ZoneContent {
    /// A host in an answer.
    public struct AnsweringMember: Sendable, Hashable {
        /// Index in `hosts`.
        public var host: Int
        public var port: UInt16
        /// Weight in its SRV record.
        public var weight: UInt16
    }

    /// Why an answer contains its hosts, or contains none.
    public enum AnswerBasis: Sendable, Equatable {
        /// Hosts in service.
        case serving
        /// No host is in service; the drained hosts are answered.
        case drained
        /// All hosts that are not depooled seem dead: the probes are ignored and the files decide (fail open).
        case files
        /// All hosts are drained or depooled, and other parents take over.
        case aside
        /// All hosts are depooled.
        case nobody
    }

    /// A weight is the capacity in units of 100 Mbit/s, so that 16 bits reach 6.5 Tbit/s; 1 if no capacity is given.
    public static func weight(capacity: UInt64) -> UInt16 { UInt16(clamping: max(capacity / 100_000_000, 1)) }

    /// The hosts that are answered for a set region, in the order in which its line names them.
    public func answering(_ region: SetRegion) -> (members: [AnsweringMember], basis: AnswerBasis) {
        func members(_ isAnswered: (Member) -> Bool) -> [Member] {
            region.members.filter { hosts.indices.contains($0.host) && isAnswered($0) }
        }
        let inService = members { member in
            switch member.state {
            case .serving, .weighedDown, .pinned: true
            case .dead, .drained, .depooled: false
            }
        }
        if !inService.isEmpty { return (weighed(inService, of: region), .serving) }
        if region.standsAside { return ([], .aside) }
        let drained = members { $0.state == .drained && $0.health != .dead }
        if !drained.isEmpty { return (weighed(drained, of: region), .drained) }
        let silent = members { $0.state == .dead }
        if !silent.isEmpty { return (weighed(silent, of: region), .files) }
        let left = members { $0.state == .drained }
        return (weighed(left, of: region), left.isEmpty ? .nobody : .files)
    }

    /// The hosts that are answered for several set regions together. A host that several of them have with the same
    /// port appears once, with its weight from the first of them in `sets`.
    public func answering(sets: [Int]) -> [AnsweringMember] {
        struct Key: Hashable {
            var host: Int
            var port: UInt16
        }
        var seen: Set<Key> = []
        return sets.filter(setRegions.indices.contains).flatMap { answering(setRegions[$0]).members }
            .filter { seen.insert(Key(host: $0.host, port: $0.port)).inserted }
    }

    /// Strings of the TXT record of a set region's answer: the set, the serial and cause of the answer's last change,
    /// and the hosts that are left out only because they seem dead. A node that uses such a host as a parent can keep
    /// it if it still works.
    /// - Parameter serial: serial of the generation.
    public func setText(_ region: SetRegion, serial: UInt32) -> [String] {
        let answering = answering(region)
        let changed = region.changedSerial == 0 ? serial : region.changedSerial
        let text = ["set=\(region.name)", "serial=\(changed)", "cause=\(region.cause)"]
        guard answering.basis != .files else { return text }
        let dead = region.members.filter { $0.state == .dead && hosts.indices.contains($0.host) }
        var names = ""
        for name in dead.map({ hosts[$0.host].name }) where names.utf8.count + name.utf8.count < 249 {
            names += (names.isEmpty ? "" : ",") + name
        }
        return names.isEmpty ? text : text + ["dead=\(names)"]
    }

    /// What `explain` reports about a set region in addition to the rule: whether it is probed, why these hosts are
    /// answered (unless they are simply in service), what last changed the answer, and the state of each host.
    public func stateText(_ region: SetRegion) -> [String] {
        let answering = answering(region)
        var text = ["health=\(probing)"]
        switch answering.basis {
        case .serving: break
        case .drained: text.append("answer=hosts being drained: no other is left")
        case .aside: text.append("answer=none: drained, and every map line here has another parent")
        case .files: text.append("answer=as the files have it: all hosts seem dead")
        case .nobody: text.append("answer=none: all hosts are depooled")
        }
        text.append("cause=\(region.cause)")
        for member in region.members.prefix(Self.explainedMembersMax) where hosts.indices.contains(member.host) {
            let weight = answering.members.first { $0.host == member.host && $0.port == member.port }?.weight
            let share = weight.map { "weight \($0)" } ?? "left out"
            let override = member.override.map { "\($0.action.rawValue) by \($0.by) (\($0.reason))" } ?? "none"
            text.append("host=\(hosts[member.host].name) \(share), health \(member.health), override \(override)")
        }
        return text
    }

    /// Maximum number of hosts of a set region that `explain` lists.
    static let explainedMembersMax = 32

    /// Marks the set regions that can be answered without hosts; see `SetRegion.standsAside`.
    public mutating func letDrainedStandAside() {
        func hasHost(_ set: Int, _ hostStates: (HostState) -> Bool) -> Bool {
            setRegions.indices.contains(set) && setRegions[set].members.contains { hostStates($0.state) }
        }
        var isInService = Array(repeating: false, count: setRegions.count)
        var isDrained = isInService
        for set in setRegions.indices {
            isInService[set] = hasHost(set) { [.serving, .pinned].contains($0) || $0.isWeighedDown }
            isDrained[set] =
                hasHost(set) { $0 == .drained } && !hasHost(set) { $0 != .drained && $0 != .depooled }
            setRegions[set].standsAside = isDrained[set]
        }
        guard isDrained.contains(true) else { return }
        for rule in rules {
            let parents = rule.parents.prefix(3).filter(setRegions.indices.contains)
            if parents.contains(where: { isInService[$0] }) { continue }
            for parent in parents { setRegions[parent].standsAside = false }
        }
    }

    /// Gives hosts their weights. If any of them has a reduced weight, all weights are multiplied by 16 (unless 16 bits
    /// are too few for that), so that even a weight of 1 can be reduced.
    private func weighed(_ members: [Member], of region: SetRegion) -> [AnsweringMember] {
        let weight = Self.weight(capacity: region.capacity)
        let isWeighedDown = members.contains { $0.state.isWeighedDown }
        return members.map { member in
            var own = UInt32(weight)
            if isWeighedDown, weight < 4_096 { own *= 16 }
            if case .weighedDown(let share) = member.state { own = max(own * UInt32(share) / 16, 1) }
            return AnsweringMember(host: member.host, port: member.port, weight: UInt16(clamping: own))
        }
    }
}

extension ZoneContent.HostState {
    var isWeighedDown: Bool { if case .weighedDown = self { true } else { false } }
}
