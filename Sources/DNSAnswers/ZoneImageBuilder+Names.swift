import ReflectorModel

/// The stored names: those of the `.zone` file, entrypoints under `sets`, and nodes.
extension ZoneImageBuilder {
    // MARK: The zone file

    /// Adds the RRsets of the file, referrals at delegations, and the SOA for negative answers.
    mutating func addZoneFile() throws(ZoneImage.Invalid) {
        struct Key: Hashable {
            var node: Int
            var type: UInt16
        }
        var numberOf: [Key: Int] = [:]
        var groups: [(key: Key, records: [ZoneContent.Record])] = []
        for record in content.records {
            guard let node = tree.node(record.owner) else { continue }
            let key = Key(node: node, type: record.type)
            if let known = numberOf[key] {
                groups[known].records.append(record)
            } else {
                numberOf[key] = groups.count
                groups.append((key, [record]))
            }
        }
        let addresses = addressRecords()
        for (key, records) in groups {
            // All records of an RRset have one TTL (RFC 2181 §5.2).
            let ttl = records.map(\.ttl).min() ?? 0
            var list = records.map(\.data)
            if key.type == RecordType.soa, key.node == 0 {
                guard let first = list.first, let data = withSerial(first) else { throw .startOfAuthority }
                list = [data]
                addNegative(data, ttl: ttl)
            }
            if key.type == RecordType.ns, key.node != 0 {
                tree.nodes[key.node].referral = addReferral(
                    owner: records[0].owner, targets: list, ttl: ttl, addresses: addresses)
            }
            let rrset = arena.add { writer in
                for data in list { writer.record(type: key.type, ttl: .fixed(ttl), data: data) }
            }
            if key.type == RecordType.cname { tree.nodes[key.node].alias = rrset }
            tree.nodes[key.node].sets.append(StoredSet(type: key.type, rrset: rrset))
            explain(key.node, source: records[0].source, more: [])
        }
        guard negative != 0 else { throw .startOfAuthority }
    }

    /// SOA data with the serial of this generation.
    private func withSerial(_ data: [UInt8]) -> [UInt8]? {
        guard data.count >= 22 else { return nil }
        var result = data
        for byte in 0..<4 { result[data.count - 20 + byte] = UInt8(truncatingIfNeeded: serial >> (24 - 8 * byte)) }
        return result
    }

    /// Adds the SOA for negative answers. Their TTL is the smaller of the SOA's TTL and its minimum field (RFC 2308
    /// §3).
    private mutating func addNegative(_ data: [UInt8], ttl: UInt32) {
        let minimum = data.suffix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let zoneLength = zoneName.count
        negative = arena.add {
            $0.record(
                .authority, owner: .suffix(length: zoneLength), type: RecordType.soa, ttl: .fixed(min(ttl, minimum)),
                data: data)
        }
    }

    /// Adds the referral of a delegation: its NS records, and the addresses that the zone has of the servers in them.
    /// Addresses below the delegation are glue, without which the delegation cannot be followed.
    private mutating func addReferral(
        owner: [UInt8], targets: [[UInt8]], ttl: UInt32, addresses: [[UInt8]: [ZoneContent.Record]]
    ) -> UInt32 {
        let glue = targets.map { addresses[$0.map(WireName.lowercased)] ?? [] }
        return arena.add { writer in
            var offsets: [Int?] = []
            for target in targets {
                offsets.append(
                    writer.record(
                        .authority, owner: .suffix(length: owner.count), type: RecordType.ns, ttl: .fixed(ttl),
                        data: target))
            }
            for (number, records) in glue.enumerated() {
                guard let offset = offsets[number] else { continue }
                for record in records {
                    if WireName.isWithin(record.owner, owner) { writer.needsAdditionals = true }
                    writer.record(
                        .additional, owner: .local(offset: offset), type: record.type, ttl: .fixed(record.ttl),
                        data: record.data)
                }
            }
        }
    }

    private func addressRecords() -> [[UInt8]: [ZoneContent.Record]] {
        var result: [[UInt8]: [ZoneContent.Record]] = [:]
        for record in content.records where record.type == RecordType.a || record.type == RecordType.aaaa {
            result[record.owner, default: []].append(record)
        }
        return result
    }

    // MARK: Entrypoints and nodes

    /// Adds `{host}.sets` for every entrypoint: the reflectors of the root set regions, for all portsets of the streams
    /// that name `host` as an entrypoint.
    mutating func addEntrypoints() {
        struct Entrypoint {
            var host: Int
            var firstStream: Int
            var ranges: Set<ClosedRange<UInt16>>
        }
        var entrypoints: [Entrypoint] = []
        var numberOf: [Int: Int] = [:]
        for (number, stream) in content.streams.enumerated() {
            let range: ClosedRange<UInt16> =
                switch stream.portset {
                case .fixed(let portset): portset.rawValue...portset.rawValue
                case .hashed(let range): range
                }
            for host in stream.entrypoints where content.hosts.indices.contains(host) {
                if let known = numberOf[host] {
                    entrypoints[known].ranges.insert(range)
                } else {
                    numberOf[host] = entrypoints.count
                    entrypoints.append(Entrypoint(host: host, firstStream: number, ranges: [range]))
                }
            }
        }
        let ttl = content.defaults.ttl
        for entrypoint in entrypoints {
            let ranges = entrypoint.ranges.sorted { ($0.lowerBound, $0.upperBound) < ($1.lowerBound, $1.upperBound) }
            let roots = tables.map.roots(of: ranges)
            guard !roots.isEmpty, let base = WireName.bytes(of: "sets", suffix: zoneName),
                let name = WireName.bytes(of: content.hosts[entrypoint.host].name, suffix: base),
                let node = tree.node(name)
            else { continue }
            let targets = targets(roots)
            let rrset = arena.add { $0.hosts(targets, ttl: .fixed(ttl)) }
            tree.nodes[node].sets.append(StoredSet(type: RecordType.srv, rrset: rrset))
            explain(node, source: content.streams[entrypoint.firstStream].source, more: [])
        }
    }

    /// Adds `{host}.nodes`: a host's addresses and port (SRV), and its roles and regions (TXT), regardless of its
    /// health.
    mutating func addNodes() {
        let ttl = content.defaults.ttl
        for entry in content.nodeEntries {
            guard let target = target(entry.host, priority: 0, weight: 1, port: entry.port),
                let base = WireName.bytes(of: "nodes", suffix: zoneName),
                let name = WireName.bytes(of: content.hosts[entry.host].name, suffix: base),
                let node = tree.node(name)
            else { continue }
            let service = arena.add { $0.services([target], ttl: .fixed(ttl)) }
            let text = arena.add {
                $0.record(type: RecordType.txt, ttl: .fixed(ttl), data: Self.textData(entry.parts.map(\.description)))
            }
            tree.nodes[node].sets.append(StoredSet(type: RecordType.srv, rrset: service))
            tree.nodes[node].sets.append(StoredSet(type: RecordType.txt, rrset: text))
            explain(node, source: entry.source, more: [])
        }
    }

    /// Adds `parents` and `maps` as names without records. In the aliased form they exist, because there are names
    /// below them, and so no wildcard matches them (RFC 4592 §2.2.2). Adding them here makes both forms of a zone give
    /// equal answers.
    mutating func addOurNames() {
        let hasParents = !content.setRegions.isEmpty || content.rules.contains(where: \.takesParentsAway)
        let index = tables.map.view
        let hasMaps = (0...UInt16.max).contains { index.entry(of: $0).exists }
        for (label, isThere) in [("parents", hasParents), ("maps", hasMaps)] where isThere {
            if let name = WireName.bytes(of: label, suffix: zoneName) { _ = tree.node(name) }
        }
    }

    // MARK: Layout

    /// Stores what `explain` reports about a stored name: the line that defines it. For a name of the zone file, that
    /// is the line of its first record.
    mutating func explain(_ node: Int, source: ZoneContent.SourceLine, more: [String]) {
        guard tree.nodes[node].explanation == 0 else { return }
        tree.nodes[node].explanation = explanation(source, more)
    }

    mutating func explanation(_ source: ZoneContent.SourceLine, _ more: [String]) -> UInt32 {
        let strings = ["rule=\(source)"] + more + ["serial=\(serial)"]
        return arena.add { $0.record(type: RecordType.txt, ttl: .fixed(0), data: Self.textData(strings)) }
    }

    mutating func layOutNodes() {
        for node in tree.nodes {
            nodes.append(
                NameNode(
                    firstSet: UInt32(sets.count), setCount: UInt32(node.sets.count), alias: node.alias,
                    referral: node.referral, explanation: node.explanation, wildcard: node.wildcard))
            sets += node.sets
        }
        for ingest in patternIngests {
            nodes[ingest.wildcard].ingest = Int32(nodes.count)
            nodes.append(
                NameNode(
                    firstSet: UInt32(sets.count), setCount: UInt32(ingest.sets.count), explanation: ingest.explanation))
            sets += ingest.sets
        }
    }
}
