import DNSAnswers
import LDNSKit
import NodeIdentity

/// The `.revocations` sidecar: the zone's revocation list, which an operator has signed. It becomes two TXT records, so
/// that secondaries of any kind serve it like the rest of the zone. Its signature is not verified here: the compiler
/// knows no operators, and every node verifies it.
extension SidecarReader {
    mutating func readRevocations(_ bytes: [UInt8], file: String, _ problems: inout ProblemList) {
        let start = ByteOrderMark.end(bytes, &problems)
        let parsed: RevocationText.Parsed
        do throws(RevocationText.Problems) {
            parsed = try RevocationText.parse(bytes[start...], zone: content.zone)
        } catch {
            for problem in error.problems { problems.error(problem.line, problem.column, problem.text) }
            return
        }
        let list = parsed.list
        let source = ZoneContent.SourceLine(file: file, line: parsed.line)
        content.revocations = ZoneContent.Revocations(
            sequence: list.content.sequence, serials: list.content.serials.count, source: source)
        let announcement = RecordData.text(RevocationRecords.announcement(of: list))
        let records = [
            (RevocationRecords.announcementName, announcement.data),
            (RevocationRecords.listName, RevocationRecords.data(of: list)),
        ]
        for (name, data) in records {
            content.records.append(
                ZoneContent.Record(
                    owner: WireName.joined(name, below: zoneFile.apex), type: LDNSType.txt, ttl: RevocationRecords.ttl,
                    data: data, source: source))
        }
    }
}

extension ZoneContent {
    /// RDATA of the record that holds the revocation list; nil if the zone has none.
    public var revocationData: [UInt8]? {
        guard revocations != nil else { return nil }
        let owner = WireName.joined(RevocationRecords.listName, below: wireName)
        return records.last { $0.owner == owner && $0.type == LDNSType.txt }?.data
    }
}
