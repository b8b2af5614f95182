import DNSAnswers
import DatagramIO
import ReflectorModel

/// The processes that make up the network of one zone, and the addresses of each. `up` starts them; `status` and
/// `trace` query them.
public struct NetworkPlan: Sendable {
    /// What a node does; the raw value is the subcommand of `reflector`.
    public enum Role: String, Sendable {
        case nameServer = "nameserver"
        case entrypoint
        case set
        case edge
    }

    /// One process.
    public struct Node: Sendable {
        /// Host name relative to the zone.
        public var name: String
        /// What it does.
        public var role: Role
        /// Its only address.
        public var address: IPAddress
        /// For an edge: the region it serves. For a set reflector: its own region, if that region has parents.
        public var region: RegionID?
        /// Port of the relay protocol.
        public var port: UInt16
        /// For a set reflector: its egress limit in bits a second; 0 if not set.
        public var capacity: UInt64 = 0

        /// Where it serves its status.
        public var ops: Endpoint { Endpoint(address: address, port: NetworkPlan.opsPort) }
        /// Where an entrypoint accepts streams over HTTP.
        public var ingest: Endpoint { Endpoint(address: address, port: NetworkPlan.ingestPort) }
        /// Where an edge serves viewers.
        public var http: Endpoint { Endpoint(address: address, port: NetworkPlan.httpPort) }
        /// Where a name server answers.
        public var dns: Endpoint { Endpoint(address: address, port: NetworkPlan.dnsPort) }
    }

    /// Every reason why the zone's network cannot be run or queried.
    public struct Unusable: Error, CustomStringConvertible {
        /// Each problem says what to do.
        public var problems: [String]
        public var description: String { problems.joined(separator: "\n") }
    }

    static let dnsPort: UInt16 = 5300
    static let opsPort: UInt16 = 4980
    static let ingestPort: UInt16 = 8000
    static let httpPort: UInt16 = 8080

    /// The zone.
    public let content: ZoneContent
    /// In start order: name servers, entrypoints, set reflectors, edges.
    public private(set) var nodes: [Node] = []

    /// Name of the zone.
    public var zone: String { content.zone }
    /// The name servers of the zone.
    public var nameServers: [Node] { nodes.filter { $0.role == .nameServer } }
    /// The edge reflectors.
    public var edges: [Node] { nodes.filter { $0.role == .edge } }

    /// Reads the roles from the zone. Name servers are the hosts of its NS records, entrypoints the hosts of stream
    /// lines, set reflectors the members of set regions, and edges the `hosts=` of region lines.
    public init(_ content: ZoneContent) throws(Unusable) {
        self.content = content
        var problems: [String] = []
        let servers = Self.nameServers(of: content)
        for server in servers { add(server, .nameServer, to: &problems) }
        for rule in content.streams {
            for index in rule.entrypoints { add(content.hosts[index], .entrypoint, to: &problems) }
        }
        for (index, region) in content.setRegions.enumerated() {
            let isMapped = content.rules.contains { $0.regions == .setRegion(index) }
            for member in region.members {
                add(
                    content.hosts[member.host], .set, region: isMapped ? region.id : nil, port: member.port,
                    capacity: region.capacity, to: &problems)
            }
        }
        for regions in content.edgeRegions {
            for index in regions.hosts {
                add(content.hosts[index], .edge, region: RegionID(regions.ids.lowerBound), to: &problems)
            }
        }
        if servers.isEmpty { problems.append("\(content.zone): no name server of the zone has an address in it") }
        if edges.isEmpty {
            problems.append(
                "\(content.zone): no edge reflectors; name them in a region line: region r1283 hosts=edge-1")
        }
        let order: [Role] = [.nameServer, .entrypoint, .set, .edge]
        nodes = order.flatMap { role in nodes.filter { $0.role == role } }
        guard problems.isEmpty else { throw Unusable(problems: problems) }
    }

    /// Throws unless every node has its own loopback address. Then all nodes can run on this machine with the same
    /// port, and no packet leaves the machine.
    public func checkRunsHere() throws(Unusable) {
        var problems: [String] = []
        for (index, node) in nodes.enumerated() {
            if !node.address.isV4 {
                // There is only one IPv6 loopback address; others can be added to the loopback device.
                let isHere = (try? DatagramSocket(bind: Endpoint(address: node.address, port: 0))) != nil
                if !isHere {
                    problems.append(
                        "\(node.name) has the address \(node.address), which no interface of this machine has: "
                            + "ip addr add \(node.address)/128 dev lo")
                }
            } else if node.address.v4 >> 24 != 127 {
                problems.append(
                    "\(node.name) has the address \(node.address): `up` runs every node on this machine, "
                        + "so give it one in 127.0.0.0/8 in \(zone).zone")
            }
            if let other = nodes[..<index].first(where: { $0.address == node.address }) {
                problems.append(
                    "\(node.name) (\(node.role.rawValue)) and \(other.name) (\(other.role.rawValue)) share the "
                        + "address \(node.address); give each node one of its own in \(zone).zone")
            }
        }
        guard problems.isEmpty else { throw Unusable(problems: problems) }
    }

    /// The rule of a stream: an exact line wins over a pattern, and a longer pattern over a shorter one.
    func rule(for stream: StreamName) -> ZoneContent.StreamRule? {
        let segments = stream.segments.map(String.init)
        let matching = content.streams.filter { rule in
            rule.isPattern
                ? segments.count > rule.segments.count && segments.starts(with: rule.segments)
                : segments == rule.segments
        }
        return matching.max { a, b in
            (a.isPattern ? 0 : 1, a.segments.count) < (b.isPattern ? 0 : 1, b.segments.count)
        }
    }

    /// The candidate entrypoints of a stream, the preferred one first.
    public func candidates(for stream: StreamName) -> [Node] {
        let names = rule(for: stream)?.entrypoints.map { content.hosts[$0].name } ?? []
        return names.compactMap { name in nodes.first { $0.name == name && $0.role == .entrypoint } }
    }

    /// The portset of a stream; nil if no line covers the stream.
    public func portset(of stream: StreamName) -> PortsetID? {
        switch rule(for: stream)?.portset {
        case .fixed(let portset): portset
        case .hashed(let range): stream.portset(hashedInto: range)
        case nil: nil
        }
    }

    private mutating func add(
        _ host: ZoneContent.Host, _ role: Role, region: RegionID? = nil, port: UInt16? = nil, capacity: UInt64 = 0,
        to problems: inout [String]
    ) {
        if let known = nodes.first(where: { $0.name == host.name }) {
            guard known.role != role || known.region != region else { return }
            problems.append(
                "\(host.name) is \(known.role.rawValue) and \(role.rawValue) at once, or in two regions; "
                    + "give the second role a host of its own")
            return
        }
        guard let address = host.addresses.first(where: \.isV4) ?? host.addresses.first else {
            problems.append("\(host.name) has no address; add an A record to \(zone).zone")
            return
        }
        nodes.append(
            Node(
                name: host.name, role: role, address: address, region: region, port: port ?? content.defaults.port,
                capacity: capacity))
    }

    /// Hosts of the apex NS records that have addresses in the zone, in the order of the records.
    static func nameServers(of content: ZoneContent) -> [ZoneContent.Host] {
        let typeA: UInt16 = 1
        let typeNS: UInt16 = 2
        let typeSOA: UInt16 = 6
        let typeAAAA: UInt16 = 28
        guard let apex = content.records.first(where: { $0.type == typeSOA })?.owner else { return [] }
        let targets = content.records.filter { $0.type == typeNS && $0.owner == apex }.map(\.data)
        return targets.compactMap { target in
            guard let name = relativeName(target.map(lowercased), below: apex) else { return nil }
            let addresses = content.records.filter { $0.owner == target.map(lowercased) }.compactMap {
                record -> IPAddress? in
                switch (record.type, record.data.count) {
                case (typeA, 4): IPAddress(v4: UInt32(word(record.data[...])))
                case (typeAAAA, 16): IPAddress(high: word(record.data[..<8]), low: word(record.data[8...]))
                default: nil
                }
            }
            return addresses.isEmpty ? nil : ZoneContent.Host(name: name, addresses: addresses)
        }
    }

    /// Text of an uncompressed wire name (RFC 1035 §3.1) without the zone's labels; nil outside the zone.
    private static func relativeName(_ wire: [UInt8], below apex: [UInt8]) -> String? {
        guard wire.count > apex.count, Array(wire.suffix(apex.count)) == apex else { return nil }
        var labels: [String] = []
        var rest = wire.dropLast(apex.count)
        while let length = rest.popFirst() {
            guard rest.count >= Int(length) else { return nil }
            labels.append(String(decoding: rest.prefix(Int(length)), as: UTF8.self))
            rest = rest.dropFirst(Int(length))
        }
        return labels.joined(separator: ".")
    }

    private static func word(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
    private static func lowercased(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte | 0x20 : byte }
}
