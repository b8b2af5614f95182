import ReflectorModel

/// Turns checked content into the tables of a `ZoneImage`.
struct ZoneImageBuilder {
    let content: ZoneContent
    let serial: UInt32
    let zoneName: [UInt8]
    let addressTTLs: [[UInt8]: AddressTTLs]
    var tree: NameTreeBuilder
    var arena = RRsetArena()
    let tables: RuleTables
    var nodes: [NameNode] = []
    var sets: [StoredSet] = []
    var setNames: [TextReference] = []
    var setStateTexts: [StringsReference] = []
    var firstSetRRset: UInt32 = 0
    var firstRootRRset: UInt32 = 0
    var negative: UInt32 = 0
    /// For wildcards of streams, what answers the ingest names that they match. These nodes have no name of their own.
    var patternIngests: [(wildcard: Int, sets: [StoredSet], explanation: UInt32)] = []

    var names: [[UInt8]] { tree.names }

    static func build(
        _ content: ZoneContent, serial: UInt32, tables: RuleTables
    ) throws(ZoneImage.Invalid) -> ZoneImageBuilder {
        guard let zoneName = WireName.bytes(of: content.zone) else { throw .zoneName }
        var builder = ZoneImageBuilder(
            content: content, serial: serial, zoneName: zoneName, addressTTLs: addressTTLs(content),
            tree: NameTreeBuilder(apex: zoneName), tables: tables)
        builder.addSetRegions()
        builder.addRootSets()
        try builder.addZoneFile()
        builder.addEntrypoints()
        builder.addStreams()
        builder.addNodes()
        builder.addOurNames()
        builder.layOutNodes()
        guard builder.arena.bytes.count <= UInt32.max, !builder.arena.isCut else { throw .tooLarge }
        return builder
    }

    // MARK: Sets of hosts

    private mutating func addSetRegions() {
        firstSetRRset = UInt32(arena.rrsets.count)
        for (number, region) in content.setRegions.enumerated() {
            setNames.append(arena.text(region.name))
            addHostRRsets(of: targets([number]), ttl: .ofRule)
            let text = Self.textData(content.setText(region, serial: serial))
            _ = arena.add { $0.record(type: RecordType.txt, ttl: .ofRule, data: text) }
            let state = Self.textData(content.stateText(region))
            setStateTexts.append(
                StringsReference(offset: arena.append(state), length: UInt32(state.count)))
        }
        addNone()
    }

    /// Adds the answer for a cell whose parents were removed by a line (`map … none`): "the service is decidedly not
    /// available" (RFC 2782). NXDOMAIN would not work, since a node keeps its parents on NXDOMAIN.
    private mutating func addNone() {
        setNames.append(arena.text(ZoneContent.Rule.none))
        setStateTexts.append(StringsReference())
        for _ in [RecordType.a, RecordType.aaaa] { _ = arena.add { _ in } }
        _ = arena.add { $0.record(type: RecordType.srv, ttl: .ofRule, data: [0, 0, 0, 0, 0, 0, 0]) }
        let text = ["set=\(ZoneContent.Rule.none)", "cause=zone"]
        _ = arena.add { $0.record(type: RecordType.txt, ttl: .ofRule, data: Self.textData(text)) }
    }

    private mutating func addRootSets() {
        firstRootRRset = UInt32(arena.rrsets.count)
        for roots in tables.map.rootSets {
            addHostRRsets(of: targets(roots), ttl: .fixed(content.defaults.ttl))
        }
    }

    /// Adds A, AAAA and SRV of a set of hosts.
    private mutating func addHostRRsets(of targets: [Target], ttl: RRsetWriter.TTL) {
        addAddresses(of: targets, ttl: ttl)
        _ = arena.add { $0.hosts(targets, ttl: ttl) }
    }

    /// Adds A and AAAA of hosts, in their order. Returns the first of the two RRsets, which is A.
    @discardableResult
    mutating func addAddresses(of targets: [Target], ttl: RRsetWriter.TTL) -> UInt32 {
        var addresses: [IPAddress] = []
        var seen: Set<IPAddress> = []
        for address in targets.flatMap(\.addresses) where seen.insert(address).inserted { addresses.append(address) }
        let first = UInt32(arena.rrsets.count)
        for isV4 in [true, false] {
            _ = arena.add { writer in
                for address in addresses where address.isV4 == isV4 {
                    writer.record(type: Self.type(of: address), ttl: ttl, data: Self.data(of: address))
                }
            }
        }
        return first
    }

    /// The hosts that are answered for set regions, as SRV targets.
    func targets(_ sets: [Int]) -> [Target] {
        content.answering(sets: sets).compactMap {
            target($0.host, priority: 0, weight: $0.weight, port: $0.port)
        }
    }

    func target(_ host: Int, priority: UInt16, weight: UInt16, port: UInt16) -> Target? {
        let host = content.hosts[host]
        guard let name = WireName.bytes(of: host.name, suffix: zoneName) else { return nil }
        return Target(
            priority: priority, weight: weight, port: port, name: name, addresses: host.addresses,
            ttls: addressTTLs[name] ?? AddressTTLs(content.defaults.ttl))
    }

    /// TTLs of a host's own A and AAAA records.
    struct AddressTTLs {
        var v4: UInt32
        var v6: UInt32
        init(_ ttl: UInt32) { (v4, v6) = (ttl, ttl) }
    }

    /// The TTLs of the zone's hosts, by name.
    static func addressTTLs(_ content: ZoneContent) -> [[UInt8]: AddressTTLs] {
        var result: [[UInt8]: AddressTTLs] = [:]
        for record in content.records where record.type == RecordType.a || record.type == RecordType.aaaa {
            var ttls = result[record.owner] ?? AddressTTLs(record.ttl)
            if record.type == RecordType.a { ttls.v4 = record.ttl } else { ttls.v6 = record.ttl }
            result[record.owner] = ttls
        }
        return result
    }

    /// One SRV record and the addresses of its host.
    struct Target {
        var priority: UInt16
        var weight: UInt16
        var port: UInt16
        var name: [UInt8]
        var addresses: [IPAddress]
        var ttls: AddressTTLs
    }

    // MARK: Data

    static func type(of address: IPAddress) -> UInt16 { address.isV4 ? RecordType.a : RecordType.aaaa }

    static func data(of address: IPAddress) -> [UInt8] {
        let bytes = [address.high, address.low].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
        }
        return address.isV4 ? Array(bytes[12...]) : bytes
    }

    /// Character strings of one TXT record, each truncated to 255 bytes.
    static func textData(_ strings: [String]) -> [UInt8] {
        strings.flatMap { string in
            let bytes = string.utf8.prefix(255)
            return [UInt8(bytes.count)] + bytes
        }
    }
}

extension ZoneContent.SourceLine: CustomStringConvertible {
    /// `reflector.net.portsets:14`.
    public var description: String { "\(file):\(line)" }
}

extension RRsetArena {
    /// Stores text next to the RRsets, truncated to 255 bytes.
    mutating func text(_ string: String) -> TextReference {
        let utf8 = Array(string.utf8.prefix(255))
        return TextReference(offset: append(utf8), length: UInt8(utf8.count))
    }
}

extension RRsetWriter {
    /// Writes the SRV records of set reflectors; if there are none, the one that means "decidedly not available" (RFC
    /// 2782).
    mutating func hosts(_ targets: [ZoneImageBuilder.Target], ttl: TTL) {
        services(targets, ttl: ttl)
        if targets.isEmpty { record(type: RecordType.srv, ttl: ttl, data: [0, 0, 0, 0, 0, 0, 0]) }
    }

    /// Writes SRV records, then the addresses of their hosts as additional records. Targets are uncompressed (RFC
    /// 2782).
    mutating func services(_ targets: [ZoneImageBuilder.Target], ttl: TTL) {
        var written: [(target: ZoneImageBuilder.Target, nameOffset: Int)] = []
        for target in targets {
            let numbers = [target.priority, target.weight, target.port]
            let data = numbers.flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] } + target.name
            guard let offset = record(type: RecordType.srv, ttl: ttl, data: data) else { return }
            written.append((target, offset + 6))
        }
        var seen: Set<[UInt8]> = []
        for (target, nameOffset) in written where seen.insert(target.name).inserted {
            for address in target.addresses {
                record(
                    .additional, owner: .local(offset: nameOffset), type: ZoneImageBuilder.type(of: address),
                    ttl: .fixed(address.isV4 ? target.ttls.v4 : target.ttls.v6),
                    data: ZoneImageBuilder.data(of: address))
            }
        }
    }
}
