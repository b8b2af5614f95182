import ReflectorModel

/// In which order the addresses of a peer are tried: those that this node has a family for, in the order of RFC 6724 §6
/// with the default policy table of §2.1.
struct AddressOrder: Equatable {
    /// The node's own addresses, 0.0.0.0 or `::` standing for any of their family. Empty if they are not known: then every
    /// address is taken, in the order in which the answer has it.
    private(set) var own: [IPAddress] = []

    /// True if this node can send to that address at all. Link-local ones mean nothing in a zone: they lack the interface.
    func reaches(_ address: IPAddress) -> Bool {
        guard !own.isEmpty else { return true }
        return !address.isLinkLocal && own.contains { $0.isV4 == address.isV4 }
    }

    /// Those that can be reached, best first; equal ones stay as they are.
    func sorted(_ endpoints: [Endpoint]) -> [Endpoint] {
        guard !own.isEmpty else { return endpoints }
        let scored = endpoints.enumerated().filter { reaches($0.element.address) }.map {
            index, endpoint in
            (key: key(endpoint.address, index), endpoint: endpoint)
        }
        return scored.sorted { $0.key < $1.key }.map(\.endpoint)
    }

    /// Smaller is better: rules 2 (scope), 5 (label) and 6 (precedence); the other rules need the routing table.
    private func key(_ address: IPAddress, _ index: Int) -> (Int, Int, Int, Int) {
        let sources = own.filter { $0.isV4 == address.isV4 }
        let sameScope = sources.contains { $0.isUnspecified || $0.scope == address.scope }
        let sameLabel = sources.contains { $0.isUnspecified || $0.policy.label == address.policy.label }
        return (sameScope ? 0 : 1, sameLabel ? 0 : 1, -address.policy.precedence, index)
    }
}

/// A host of an answer: one of its addresses, which stands for it, and the others in the order in which to try them.
struct HostAddresses: Equatable {
    let host: ResolvedHost
    let others: [Endpoint]
}

extension LookUpAnswer {
    /// Each host once, in the order of the answer, without those that have no address that can be reached.
    func hosts(by order: AddressOrder) -> [HostAddresses] {
        var result: [HostAddresses] = []
        var seen: Set<String> = []
        var rest = hosts[...]
        while let host = rest.first {
            // The addresses of a host stand together.
            let group = rest.prefix { $0.name == host.name && $0.priority == host.priority }
            rest = rest.dropFirst(group.count)
            let endpoints = order.sorted(group.map(\.endpoint))
            guard let first = endpoints.first, seen.insert(host.name).inserted else { continue }
            var best = host
            best.endpoint = first
            result.append(HostAddresses(host: best, others: Array(endpoints.dropFirst())))
        }
        return result
    }

    /// Names of the hosts that have no address that can be reached.
    func unreachable(by order: AddressOrder) -> [String] {
        let reached = Set(hosts.filter { order.reaches($0.endpoint.address) }.map(\.name))
        var names: [String] = []
        for host in hosts where !reached.contains(host.name) && names.last != host.name {
            names.append(host.name)
        }
        return names
    }
}

extension IPAddress {
    /// RFC 6724 §2.1.
    fileprivate var policy: (precedence: Int, label: Int) {
        if isV4 { return (35, 4) }
        if high == 0, low == 1 { return (50, 0) }
        if high >> 48 == 0x2002 { return (30, 2) }
        if high >> 32 == 0x2001_0000 { return (5, 5) }
        if high >> 57 == 0xfc >> 1 { return (3, 13) }
        return (40, 1)
    }

    /// RFC 6724 §3.1 and §3.2: loopback and link-local, or global. Private IPv4 and unique local addresses are global.
    fileprivate var scope: Int {
        if isV4 { return v4 >> 24 == 127 || v4 >> 16 == 0xa9fe ? 2 : 14 }
        return isLinkLocal || high == 0 && low == 1 ? 2 : 14
    }
}
