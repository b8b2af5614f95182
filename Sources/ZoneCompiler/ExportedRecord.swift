import DNSAnswers
import LDNSKit
import ReflectorModel

/// The records for the synthesised names in the aliased form of a zone. They are the same as the name server's own
/// answers (design §4).
enum ExportedRecord {
    /// A, AAAA and SRV records of the hosts in the answer for set regions, sorted.
    static func hosts(_ content: ZoneContent, sets: [Int]) -> [RecordData] {
        let zone = content.wireName
        var records: [RecordData] = []
        for member in content.answering(sets: sets) {
            let host = content.hosts[member.host]
            records += host.addresses.map { .address($0) }
            records.append(
                .service(
                    priority: 0, weight: member.weight, port: member.port,
                    target: WireName.joined(host.name, below: zone)))
        }
        // Without hosts: "decidedly not available" (RFC 2782).
        if records.isEmpty, !sets.isEmpty {
            records.append(.service(priority: 0, weight: 0, port: 0, target: [0]))
        }
        // Two hosts may share an address.
        return sortedUnique(records)
    }

    static func services(_ content: ZoneContent, sets: [Int]) -> [RecordData] {
        hosts(content, sets: sets).filter { $0.type == LDNSType.srv }
    }

    /// - Parameter serial: serial of the zone; used if the serial of the answer's last change is not known.
    static func setText(_ content: ZoneContent, _ region: ZoneContent.SetRegion, serial: UInt32) -> RecordData {
        .text(content.setText(region, serial: serial))
    }

    /// The answer that there is no parent: SRV with the target `.` (RFC 2782), and TXT.
    static let none: [RecordData] = [
        .service(priority: 0, weight: 0, port: 0, target: [0]),
        .text(["set=\(ZoneContent.Rule.none)", "cause=zone"]),
    ]

    /// SRV and TXT of a host's roles.
    static func node(_ content: ZoneContent, _ entry: ZoneContent.NodeEntry) -> [RecordData] {
        let target = WireName.joined(content.hosts[entry.host].name, below: content.wireName)
        return [
            .service(priority: 0, weight: 1, port: entry.port, target: target),
            .text(entry.parts.map(\.description)),
        ]
    }

    /// The records of a stream's name with their TTLs in seconds.
    static func stream(_ content: ZoneContent, _ answer: StreamAnswer) -> [(record: RecordData, ttl: UInt32)] {
        var result: [(record: RecordData, ttl: UInt32)] = []
        if answer.hasAddresses {
            // Two hosts may share an address.
            let addresses = sortedUnique(
                answer.ingestOrder.flatMap { content.hosts[$0].addresses.map { RecordData.address($0) } })
            result += addresses.map { ($0, content.ingestTTL) }
        }
        let ttl = content.defaults.ttl
        if answer.hasText {
            result.append((.text(content.streamText(content.streams[answer.rule], answer.candidates)), ttl))
        }
        if answer.isIngest {
            result += services(content, inOrder: answer.ingestOrder, port: content.defaults.ingestPort)
                .map { ($0, content.ingestTTL) }
        } else {
            result += services(content, inOrder: answer.candidates.hosts, port: content.defaults.port)
                .map { ($0, ttl) }
        }
        return result
    }

    /// SRV records whose priorities give the order of the hosts.
    private static func services(_ content: ZoneContent, inOrder hosts: [Int], port: UInt16) -> [RecordData] {
        let zone = content.wireName
        return hosts.enumerated().map { order, host in
            .service(
                priority: UInt16(clamping: order), weight: 1, port: port,
                target: WireName.joined(content.hosts[host].name, below: zone))
        }
    }
}

extension ZoneContent {
    /// Serial of the `.zone` file's SOA; 0 without an SOA.
    public var serial: UInt32 {
        guard let soa = records.first(where: { $0.type == LDNSType.soa }), soa.data.count > 20 else { return 0 }
        return soa.data[(soa.data.count - 20)..<(soa.data.count - 16)].reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The zone's name in wire form, lower case.
    var wireName: [UInt8] { WireName.joined(zone, below: [0]) }
}
