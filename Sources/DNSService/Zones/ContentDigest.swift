import DNSAnswers
import ReflectorModel

/// A 128-bit fingerprint of a zone's files, of its set regions' answers and of its election, the same in every process
/// (`FixedHash`). Line numbers are left out: a new comment changes no answer and raises no serial.
struct ContentDigest: Equatable, CustomStringConvertible {
    private var first: UInt64 = 0x243f_6a88_85a3_08d3
    private var second: UInt64 = 0x1319_8a2e_0370_7344

    init(_ content: ZoneContent) {
        add(content.zone)
        add(UInt64(content.defaults.portset.rawValue), UInt64(content.defaults.port), UInt64(content.defaults.ttl))
        add(UInt64(content.defaults.ingestPort))
        add(UInt64(content.records.count))
        for record in content.records {
            add(record.owner)
            add(UInt64(record.type), UInt64(record.ttl))
            add(record.data)
        }
        add(UInt64(content.hosts.count))
        for host in content.hosts {
            add(host.name)
            add(UInt64(host.addresses.count))
            for address in host.addresses { add(address.high, address.low) }
        }
        add(UInt64(content.setRegions.count))
        for region in content.setRegions {
            add(region.name)
            add(region.id.map { UInt64($0.rawValue) } ?? .max, region.capacity, UInt64(region.members.count))
            add(region.site)
            for member in region.members { add(UInt64(member.host), UInt64(member.port)) }
        }
        add(UInt64(content.edgeRegions.count))
        for regions in content.edgeRegions {
            add(UInt64(regions.ids.lowerBound), UInt64(regions.ids.upperBound))
            add(regions.name)
        }
        addRules(content.rules)
        addStreams(content.streams)
    }

    /// Adds the answers of the set regions.
    mutating func add(_ sets: [SetChange]) {
        add(UInt64(sets.count))
        for set in sets {
            add(set.name)
            add(set.digest)
        }
    }

    /// Adds what decides answers, and who leads. Reasons, expiry times and serials only appear in `explain`.
    mutating func add(_ election: ZoneContent.Election) {
        add(UInt64(election.leads.count))
        for lead in election.leads {
            add(lead.stream)
            add(lead.host.map { UInt64($0) } ?? .max)
        }
        add(UInt64(election.overrides.count))
        for choice in election.overrides {
            add(choice.stream)
            add(choice.action == .pin ? 1 : 2, UInt64(choice.host))
        }
    }

    var description: String { NodeID(first).description + NodeID(second).description }

    private mutating func addRules(_ rules: [ZoneContent.Rule]) {
        add(UInt64(rules.count))
        for rule in rules {
            add(UInt64(rule.portsets.lowerBound), UInt64(rule.portsets.upperBound), UInt64(rule.ttl))
            switch rule.regions {
            case .allEdge: add(1)
            case .edge(let ids): add(2, UInt64(ids.lowerBound), UInt64(ids.upperBound))
            case .setRegion(let set): add(3, UInt64(set))
            }
            add(UInt64(rule.parents.count))
            for parent in rule.parents { add(UInt64(parent)) }
        }
    }

    private mutating func addStreams(_ streams: [ZoneContent.StreamRule]) {
        add(UInt64(streams.count))
        for stream in streams {
            add(stream.segments.joined(separator: "/"))
            add(stream.isPattern ? 1 : 0)
            switch stream.portset {
            case .fixed(let portset): add(1, UInt64(portset.rawValue))
            case .hashed(let range): add(2, UInt64(range.lowerBound), UInt64(range.upperBound))
            }
            add(UInt64(stream.entrypoints.count))
            for host in stream.entrypoints { add(UInt64(host)) }
            switch stream.ingest {
            case .push: add(1)
            case .pull(let url):
                add(2)
                add(url)
            }
            let policy = stream.policy.text
            add(UInt64(policy.count))
            for text in policy { add(text) }
        }
    }

    private mutating func add(_ words: UInt64...) {
        for word in words {
            first = FixedHash.combine(first, word)
            second = FixedHash.combine(second, ~word)
        }
    }

    private mutating func add(_ text: String) { add(Array(text.utf8)) }

    private mutating func add(_ bytes: [UInt8]) {
        add(UInt64(bytes.count))
        var start = 0
        while start < bytes.count {
            var word: UInt64 = 0
            for byte in bytes[start..<min(start + 8, bytes.count)] { word = word << 8 | UInt64(byte) }
            add(word)
            start += 8
        }
    }
}
