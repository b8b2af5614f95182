import ReflectorModel

/// The order in which a peer's addresses are tried: only those of a family that this node has, sorted by RFC 6724 §6
/// with the default policy table of §2.1.
struct AddressOrder: Equatable {
    /// The node's own addresses; 0.0.0.0 or `::` means any address of its family. Empty if unknown: then all addresses
    /// of an answer are used, in the answer's order.
    private(set) var own: [IPAddress] = []

    /// True if this node can send to the address at all. A link-local address in a DNS zone is useless, because nothing
    /// says on which interface it is valid.
    func reaches(_ address: IPAddress) -> Bool {
        guard !own.isEmpty else { return true }
        return !address.isLinkLocal && own.contains { $0.isV4 == address.isV4 }
    }

    /// The reachable endpoints, best first. Equal ones keep their order.
    func sorted(_ endpoints: [Endpoint]) -> [Endpoint] {
        guard !own.isEmpty else { return endpoints }
        let scored = endpoints.enumerated().filter { reaches($0.element.address) }.map {
            index, endpoint in
            (key: key(endpoint.address, index), endpoint: endpoint)
        }
        return scored.sorted { $0.key < $1.key }.map(\.endpoint)
    }

    /// The sort key of an address; a smaller key is better. It follows rules 2 (scope), 5 (label) and 6 (precedence);
    /// the other rules need the routing table.
    private func key(_ address: IPAddress, _ index: Int) -> (Int, Int, Int, Int) {
        let sources = own.filter { $0.isV4 == address.isV4 }
        let sameScope = sources.contains { $0.isUnspecified || $0.scope == address.scope }
        let sameLabel = sources.contains { $0.isUnspecified || $0.policy.label == address.policy.label }
        return (sameScope ? 0 : 1, sameLabel ? 0 : 1, -address.policy.precedence, index)
    }
}

/// A host in an answer: its best address, which identifies it, and its other addresses in the order in which to try
/// them.
struct HostAddresses: Equatable {
    let host: ResolvedHost
    let others: [Endpoint]
}

extension LookUpAnswer {
    /// Each host once, in the order of the answer. Hosts without a reachable address are left out.
    func hosts(by order: AddressOrder) -> [HostAddresses] {
        var result: [HostAddresses] = []
        result.reserveCapacity(hosts.count)
        var rest = hosts[...]
        while let host = rest.first {
            // The addresses of a host are adjacent.
            let group = rest.prefix { $0.name == host.name && $0.priority == host.priority }
            rest = rest.dropFirst(group.count)
            guard !result.contains(where: { $0.host.name == host.name }) else { continue }
            if group.count == 1 {
                // The usual case needs no array for the addresses.
                if order.reaches(host.endpoint.address) { result.append(HostAddresses(host: host, others: [])) }
                continue
            }
            let endpoints = order.sorted(group.map(\.endpoint))
            guard let first = endpoints.first else { continue }
            var best = host
            best.endpoint = first
            result.append(HostAddresses(host: best, others: Array(endpoints.dropFirst())))
        }
        return result
    }

    /// Names of the hosts of which no address is reachable.
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
    /// The address's row in the default policy table of RFC 6724 §2.1.
    fileprivate var policy: (precedence: Int, label: Int) {
        if isV4 { return (35, 4) }
        if high == 0, low == 1 { return (50, 0) }
        if high >> 48 == 0x2002 { return (30, 2) }
        if high >> 32 == 0x2001_0000 { return (5, 5) }
        if high >> 57 == 0xfc >> 1 { return (3, 13) }
        return (40, 1)
    }

    /// The scope by RFC 6724 §3.1 and §3.2: 2 for loopback and link-local addresses, 14 (global) for all others,
    /// including private IPv4 and unique local addresses.
    fileprivate var scope: Int {
        if isV4 { return v4 >> 24 == 127 || v4 >> 16 == 0xa9fe ? 2 : 14 }
        return isLinkLocal || high == 0 && low == 1 ? 2 : 14
    }
}
