import ReflectorModel

/// The names of streams, as stored names.
extension ZoneImageBuilder {
    /// Adds names such as `news.live.streams`: the entrypoints, best first (SRV), the portset and the policy (TXT); and
    /// `ingest.news.live.streams`. A pattern becomes a wildcard.
    mutating func addStreams() {
        var shared = IngestRRsets()
        content.forEachStreamAnswer { add($0, &shared) }
    }

    /// RRsets of ingest names by the order of their hosts: thousands of streams share few of them. The candidates of
    /// each stream have their own RRset, and so their own bucket in the `ResponseLimiter`: an edge asks for many streams
    /// at once.
    private struct IngestRRsets {
        var services: [[Int]: UInt32] = [:]
        /// The first of A and AAAA.
        var addresses: [[Int]: UInt32] = [:]
    }

    private mutating func add(_ answer: StreamAnswer, _ shared: inout IngestRRsets) {
        guard let name = WireName.bytes(of: answer.labels.joined(separator: "."), suffix: zoneName),
            let node = tree.node(name)
        else { return }
        let rule = content.streams[answer.rule]
        var sets: [StoredSet] = []
        if answer.hasAddresses {
            let first = addresses(answer.ingestOrder, &shared)
            for (type, rrset) in [(RecordType.a, first), (RecordType.aaaa, first + 1)]
            where arena.rrsets[Int(rrset)].answers > 0 {
                sets.append(StoredSet(type: type, rrset: rrset))
            }
        }
        let ttl = content.defaults.ttl
        let services: UInt32
        if answer.isIngest {
            services = ingestServices(answer.ingestOrder, &shared)
        } else {
            let targets = targets(answer.candidates.hosts, port: content.defaults.port)
            services = arena.add { $0.services(targets, ttl: .fixed(ttl)) }
        }
        sets.append(StoredSet(type: RecordType.srv, rrset: services))
        if answer.hasText {
            let text = Self.textData(content.streamText(rule, answer.candidates))
            let rrset = arena.add { $0.record(type: RecordType.txt, ttl: .fixed(ttl), data: text) }
            sets.append(StoredSet(type: RecordType.txt, rrset: rrset))
        }
        var more = [rule.portset.text]
        more += content.candidatesText(answer.candidates, answer.lead, serial: serial)
        if answer.kind == .ingestOfPattern {
            patternIngests.append((node, sets, explanation(rule.source, more)))
        } else {
            tree.nodes[node].sets += sets
            explain(node, source: rule.source, more: more)
        }
    }

    // MARK: RRsets

    private mutating func ingestServices(_ hosts: [Int], _ shared: inout IngestRRsets) -> UInt32 {
        if let known = shared.services[hosts] { return known }
        let targets = targets(hosts, port: content.defaults.ingestPort)
        let ttl = content.ingestTTL
        let rrset = arena.add { $0.services(targets, ttl: .fixed(ttl)) }
        shared.services[hosts] = rrset
        return rrset
    }

    private mutating func addresses(_ hosts: [Int], _ shared: inout IngestRRsets) -> UInt32 {
        if let known = shared.addresses[hosts] { return known }
        let rrset = addAddresses(of: targets(hosts, port: 0), ttl: .fixed(content.ingestTTL))
        shared.addresses[hosts] = rrset
        return rrset
    }

    /// Hosts as SRV targets, the first one with priority 0.
    private func targets(_ hosts: [Int], port: UInt16) -> [Target] {
        hosts.enumerated().compactMap { order, host in
            target(host, priority: UInt16(clamping: order), weight: 1, port: port)
        }
    }
}
