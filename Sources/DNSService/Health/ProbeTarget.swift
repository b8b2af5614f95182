import DNSAnswers
import ReflectorModel

/// A set reflector that is probed: its addresses and its identity.
struct ProbeTarget: Hashable, Sendable {
    var endpoint: Endpoint
    /// The host's address of the other family. Either address may be probed.
    var other: Endpoint?
    var node: NodeID
    /// Host name relative to the zone, for display.
    var name: String

    static func == (a: ProbeTarget, b: ProbeTarget) -> Bool { a.endpoint == b.endpoint && a.node == b.node }

    func hash(into hasher: inout Hasher) {
        hasher.combine(endpoint)
        hasher.combine(node)
    }
}

extension ZoneContent {
    /// Where a member is probed: its host's first address, and its first address of the other family. Link-local
    /// addresses are ignored. Nil if the host has no other addresses.
    func target(of member: Member) -> ProbeTarget? {
        guard hosts.indices.contains(member.host) else { return nil }
        let addresses = hosts[member.host].addresses.filter { !$0.isLinkLocal }
        guard let address = addresses.first else { return nil }
        let other = addresses.first { $0.isV4 != address.isV4 }
        let name = hosts[member.host].name
        return ProbeTarget(
            endpoint: Endpoint(address: address, port: member.port),
            other: other.map { Endpoint(address: $0, port: member.port) }, node: NodeID(name: name), name: name)
    }

    /// The targets of a prober: every member of every set region, once each, in file order.
    var probeTargets: [ProbeTarget] {
        var seen: Set<ProbeTarget> = []
        return setRegions.flatMap(\.members).compactMap(target).filter { seen.insert($0).inserted }
    }
}
