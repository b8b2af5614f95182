import DNSAnswers
import LDNSKit
import ReflectorModel

/// The differences between two contents of a zone, except in the map: one sentence each.
enum ZoneChanges {
    static func between(_ old: ZoneContent, _ new: ZoneContent) -> [ZoneDiff.Change] {
        var changes: [ZoneDiff.Change] = []
        func compare(_ kind: String, _ old: [(key: String, value: String)], _ new: [(key: String, value: String)]) {
            let before = Dictionary(old.map { ($0.key, $0.value) }, uniquingKeysWith: { $0 + "; " + $1 })
            let after = Dictionary(new.map { ($0.key, $0.value) }, uniquingKeysWith: { $0 + "; " + $1 })
            for key in sortedUnique(old.map(\.key) + new.map(\.key)) where before[key] != after[key] {
                let was = before[key] ?? "none"
                let text = "\(key): \(was) → \(after[key] ?? "none")"
                changes.append(ZoneDiff.Change(zone: zone, kind: kind, text: text))
            }
        }
        let zone = new.zone
        compare("record", records(old), records(new))
        compare("default", defaults(old), defaults(new))
        compare(
            "setregion", old.setRegions.map { ($0.name, text($0, old)) },
            new.setRegions.map { ($0.name, text($0, new)) })
        compare("region", old.edgeRegions.compactMap { text($0, old) }, new.edgeRegions.compactMap { text($0, new) })
        compare("stream", old.streams.map { ($0.name, text($0, old)) }, new.streams.map { ($0.name, text($0, new)) })
        return changes
    }

    /// Each RRset, with its data sorted. The SOA's serial is left out, since it changes no answer.
    private static func records(_ content: ZoneContent) -> [(key: String, value: String)] {
        var sets: [String: [String]] = [:]
        for record in content.records {
            var data = record.data
            if record.type == LDNSType.soa, data.count > 20 {
                for index in (data.count - 20)..<(data.count - 16) { data[index] = 0 }
            }
            let text = Self.text(type: record.type, data)
            let owner = LDNSName.text(record.owner) ?? "?"
            let key = "\(owner) \(RecordSchema.name(record.type))"
            sets[key, default: []].append("\(text) (TTL \(record.ttl))")
        }
        return sets.map { ($0.key, $0.value.sorted().joined(separator: ", ")) }.sorted { $0.0 < $1.0 }
    }

    /// Data in presentation form, or the length and a fingerprint of long data, such as a revocation list.
    private static func text(type: UInt16, _ data: [UInt8]) -> String {
        guard data.count > shownBytesMax else { return RecordText.text(type: type, data) }
        let fingerprint = data.reduce(UInt64(data.count)) { FixedHash.combine($0, UInt64($1)) }
        return "\(data.count) bytes with fingerprint \(NodeID(fingerprint))"
    }

    private static let shownBytesMax = 1_024

    private static func defaults(_ content: ZoneContent) -> [(key: String, value: String)] {
        [
            ("portset", "\(content.defaults.portset)"), ("port", "\(content.defaults.port)"),
            ("ttl", "\(content.defaults.ttl)"), ("ingest", "\(content.defaults.ingestPort)"),
        ]
    }

    private static func text(_ region: ZoneContent.SetRegion, _ content: ZoneContent) -> String {
        let hosts = region.members.map { "\(content.hosts[$0.host].name):\($0.port)" }.joined(separator: ",")
        var text = "hosts=\(hosts)"
        if let id = region.id { text += " id=\(id)" }
        if region.capacity > 0 { text += " capacity=\(region.capacity)bps" }
        if !region.site.isEmpty { text += " site=\(region.site)" }
        return text
    }

    /// Describes a region that has a name or hosts. Nil for any other region, since the comparison of the maps shows
    /// its changes.
    private static func text(_ region: ZoneContent.EdgeRegions, _ content: ZoneContent) -> (String, String)? {
        guard !region.name.isEmpty || !region.hosts.isEmpty else { return nil }
        let hosts = region.hosts.map { content.hosts[$0].name }.joined(separator: ",")
        let name = region.name.isEmpty ? "" : "name=\(region.name)"
        return (
            ruleText(region.ids),
            [name, hosts.isEmpty ? "" : "hosts=\(hosts)"].filter { !$0.isEmpty }.joined(separator: " ")
        )
    }

    private static func ruleText(_ ids: ClosedRange<UInt32>) -> String {
        ids.count == 1 ? "r\(ids.lowerBound)" : "r\(ids.lowerBound)-r\(ids.upperBound)"
    }

    private static func text(_ stream: ZoneContent.StreamRule, _ content: ZoneContent) -> String {
        let portset =
            switch stream.portset {
            case .fixed(let id): "\(id)"
            case .hashed(let range): "hash(\(range.lowerBound)-\(range.upperBound))"
            }
        let hosts = stream.entrypoints.map { content.hosts[$0].name }.joined(separator: ",")
        return "\(portset) entrypoints=\(hosts) \(stream.options)"
    }
}
