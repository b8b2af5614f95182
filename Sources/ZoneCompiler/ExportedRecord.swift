import DNSAnswers
import LDNSKit
import ReflectorModel

/// Data of synthesised records, with the same content that the name server gives (design §4).
enum ExportedRecord {
    /// A, AAAA and SRV of the hosts that are answered for set regions, as lines without owner and TTL.
    static func hosts(_ content: ZoneContent, sets: [Int]) -> [String] {
        var lines: [String] = []
        for member in content.answering(sets: sets) {
            let host = content.hosts[member.host]
            lines += host.addresses.map { address($0) }
            lines.append("SRV\t0 \(member.weight) \(member.port) \(host.name)")
        }
        // Nobody: "decidedly not available" (RFC 2782).
        if lines.isEmpty { lines.append("SRV\t0 0 0 .") }
        // Two hosts may share an address.
        return sortedUnique(lines)
    }

    static func services(_ content: ZoneContent, sets: [Int]) -> [String] {
        hosts(content, sets: sets).filter { $0.hasPrefix("SRV") }
    }

    private static func address(_ address: IPAddress) -> String {
        (address.isV4 ? "A\t" : "AAAA\t") + address.description
    }

    static func text(_ strings: [String]) -> String {
        "TXT\t" + strings.map { "\"\(escaped($0))\"" }.joined(separator: " ")
    }

    /// A character string of a master file, without its quotes (RFC 1035 §5.1).
    private static func escaped(_ string: String) -> String {
        string.reduce(into: "") { text, character in
            if character == "\"" || character == "\\" { text += "\\" }
            text.append(character)
        }
    }

    static func setText(_ content: ZoneContent, _ region: ZoneContent.SetRegion, serial: UInt32) -> String {
        text(content.setText(region, serial: serial))
    }

    /// What takes parents away: SRV with the target `.` (RFC 2782), and TXT.
    static func none(serial: UInt32) -> [String] {
        ["SRV\t0 0 0 .", text(["set=\(ZoneContent.Rule.none)", "serial=\(serial)", "cause=zone"])]
    }

    static func portset(_ portset: ZoneContent.StreamPortset) -> String {
        switch portset {
        case .fixed(let id): "portset=\(id)"
        case .hashed(let range): "hash=\(range.lowerBound)-\(range.upperBound)"
        }
    }

    /// SRV of the candidates in order, and TXT, of a stream line.
    static func stream(_ content: ZoneContent, _ stream: ZoneContent.StreamRule, serial: UInt32) -> [String] {
        let candidates = stream.entrypoints.enumerated().map { order, host in
            "SRV\t\(order) 1 \(content.defaults.port) \(content.hosts[host].name)"
        }
        let ingest = stream.ingest == .push ? "ingest=push" : "ingest=pull"
        return candidates + [text([portset(stream.portset), "serial=\(serial)", ingest])]
    }
}

extension ZoneContent {
    /// Serial of the `.zone` file's SOA; 0 without one.
    public var serial: UInt32 {
        guard let soa = records.first(where: { $0.type == LDNSType.soa }), soa.data.count > 20 else { return 0 }
        return soa.data[(soa.data.count - 20)..<(soa.data.count - 16)].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
