import LDNSKit

/// A reply in a form that can be compared: records in canonical form and order (RFC 4034 §6), aliases of synthesised
/// names followed, id removed.
struct CanonicalReply: CustomStringConvertible {
    struct EDNS: Equatable {
        var udpSize: UInt16
        var version: UInt8
        var dnssecOK: Bool
        /// Code and data of each option, without EDE (RFC 8914), which explains the answer and is not part of it, and
        /// without the time and hash of server cookies (RFC 9018).
        var options: [String]
    }

    /// QR, opcode, AA, TC, RD, RA, Z, AD, CD; without the low bits of the response code.
    var flags: UInt16
    /// Includes the EDNS bits of the response code.
    var rcode: UInt16
    var question: [UInt8]
    var answers: [String]
    var authority: [String]
    var additional: [String]
    var edns: EDNS?
    /// True if an alias of a synthesised name was followed.
    var isFlattened = false

    var isTruncated: Bool { flags & 0x0200 != 0 }

    var description: String {
        "flags \(String(flags, radix: 16)) rcode \(rcode) question \(question.count) bytes an \(answers) au \(authority) "
            + "ad \(additional) edns \(edns.map { "\($0)" } ?? "none")"
    }

    /// - Throws: `LDNSError` for a reply that is malformed.
    init(_ bytes: [UInt8], _ query: DifferentialQuery) throws {
        let message = try LDNSMessage.parse(bytes)
        flags = UInt16(bytes[2]) << 8 | UInt16(bytes[3] & 0xf0)
        rcode = message.rcode
        question = message.questions.isEmpty ? [] : Array(bytes[12..<Self.questionEnd(bytes)])
        let answer = FlattenedAnswer(message.answers, question: message.questions.first?.name ?? "")
        isFlattened = answer.isFlattened
        answers = answer.records.map(Self.line).sorted()
        authority = message.authority.map(Self.line).sorted()
        additional = message.additional.map(Self.line).sorted()
        if let found = message.edns {
            edns = EDNS(
                udpSize: found.udpSize, version: found.version, dnssecOK: found.dnssecOK,
                options: found.options.filter { $0.code != 15 }
                    .map { "\($0.code) \($0.code == 10 ? Array($0.data.prefix(12)) : $0.data)" }.sorted())
        }
    }

    private static func questionEnd(_ bytes: [UInt8]) -> Int {
        var position = 12
        while position < bytes.count, bytes[position] != 0, bytes[position] < 64 {
            position += 1 + Int(bytes[position])
        }
        return min(position + 5, bytes.count)
    }

    private static func line(_ record: LDNSRecord) -> String {
        let text = record.type == LDNSType.a || record.type == LDNSType.aaaa ? record.text : record.canonical.text
        return "\(record.owner) \(record.ttl) \(record.recordClass) \(record.type) \(text)"
    }
}

extension CanonicalReply {
    /// The parts that differ, in a few words; empty if none does.
    static func difference(_ a: CanonicalReply?, _ b: CanonicalReply?) -> String {
        guard let a, let b else { return a == nil ? b == nil ? "" : "we do not answer" : "does not answer" }
        var parts: [String] = []
        if a.rcode != b.rcode { parts.append("rcode \(a.rcode)/\(b.rcode)") }
        if a.flags != b.flags { parts.append("flags \(String(a.flags ^ b.flags, radix: 16))") }
        if a.question != b.question { parts.append("question") }
        if a.answers != b.answers { parts.append("answers") }
        if a.authority != b.authority { parts.append("authority") }
        if a.additional != b.additional { parts.append("additional") }
        if a.edns != b.edns { parts.append("edns") }
        return parts.joined(separator: ", ")
    }
}

/// The answer section after following the CNAMEs and DNAMEs that the aliased form of a zone (design §4) has for names
/// that we answer directly. An ordinary CNAME stays.
struct FlattenedAnswer {
    private(set) var records: [LDNSRecord] = []
    private(set) var isFlattened = false

    init(_ answers: [LDNSRecord], question: String) {
        var name = question.lowercased()
        // The owner that flattened records get, and the smallest TTL of the aliases followed from it.
        var start = name
        var ttl = UInt32.max
        var chain: [LDNSRecord] = []
        for record in answers where record.type != LDNSType.dname {
            guard record.type == LDNSType.cname, record.owner == name, let target = LDNSName.text(record.data) else {
                continue
            }
            if Self.isSynthesised(record.owner) {
                isFlattened = true
                ttl = min(ttl, record.ttl)
            } else {
                chain.append(record)
                start = target.lowercased()
                ttl = .max
            }
            name = target.lowercased()
        }
        for record in answers where record.type != LDNSType.dname && record.type != LDNSType.cname {
            var flat = record
            if isFlattened, record.owner == name {
                flat.owner = start
                flat.ttl = min(ttl, record.ttl)
            }
            records.append(flat)
        }
        records += chain
    }

    /// True at and below `s{P}`, `r{R}`, `maps` and `parents`.
    static func isSynthesised(_ name: String) -> Bool {
        guard let zone = DifferentialZones.names.first(where: { name.hasSuffix("." + $0) }) else { return false }
        let top = name.dropLast(zone.count + 1).split(separator: ".").last ?? ""
        if top == "maps" || top == "parents" { return true }
        return (top.first == "s" || top.first == "r") && !top.dropFirst().isEmpty
            && top.dropFirst().allSatisfy(\.isNumber)
    }
}
