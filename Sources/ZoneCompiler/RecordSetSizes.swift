import DNSAnswers
import LDNSKit

/// Checks the size of RRsets: no message holds an RRset over 64 KiB, and BIND refuses a zone with an RRset of more than
/// a hundred records.
enum RecordSetSizes {
    /// Default limit of BIND 9.18.28 and later, both for the records of one RRset and for the types at one name.
    static let recordsMaxOfBIND = 100

    /// The problem of an RRset, if it has one, and its remedy. `isError` is true if the RRset can't be answered
    /// completely.
    static func problem(_ what: String, records: Int, bytes: Int) -> (isError: Bool, message: String)? {
        if bytes > ZoneImage.answerBytesMax {
            let message =
                "\(what): \(records) records are \(bytes) bytes, and no DNS message holds more than "
                + "\(ZoneImage.answerBytesMax) of one RRset; remove some"
            return (true, message)
        }
        guard records > recordsMaxOfBIND else { return nil }
        let message =
            "\(what): \(records) records in one RRset; a secondary that is BIND refuses the zone beyond "
            + "\(recordsMaxOfBIND) unless it has 'max-records-per-type 0;'"
        return (false, message)
    }

    /// Size of a record in a message, with its owner compressed to a pointer.
    static func bytes(_ data: [UInt8]) -> Int { 12 + data.count }

    /// Checks the RRsets that the map creates: the hosts of each set region, the hosts of each portset's root set
    /// regions, and the hosts to which each entrypoint announces.
    static func problems(_ content: ZoneContent) -> [ZoneProblem] {
        var problems: [ZoneProblem] = []
        for (number, region) in content.setRegions.enumerated() {
            add("set region \(region.name)", content, sets: [number], to: &problems)
        }
        // One name can have too many hosts only if there are many hosts in total.
        let hosts = content.setRegions.reduce(0) { $0 + $1.members.count }
        guard hosts > recordsMaxOfBIND,
            let classes = try? PortsetClasses(content, recordsMax: AliasedZone.recordsMax)
        else { return problems }
        var seen = Set(content.setRegions.indices.map { [$0] })
        for run in classes.runs {
            let sets = classes.roots(run.number)
            guard !sets.isEmpty, seen.insert(sets).inserted else { continue }
            add("sets.s\(run.portsets.lowerBound)", content, sets: sets, to: &problems)
        }
        for target in AnnounceTargets.all(content, classes) where seen.insert(target.roots).inserted {
            add("\(content.hosts[target.host].name).sets", content, sets: target.roots, to: &problems)
        }
        return problems
    }

    private static func add(_ what: String, _ content: ZoneContent, sets: [Int], to problems: inout [ZoneProblem]) {
        guard let first = sets.first else { return }
        let source = content.setRegions[first].source
        let byType = Dictionary(grouping: ExportedRecord.hosts(content, sets: sets), by: \.type)
        for (type, records) in byType.sorted(by: { $0.key < $1.key }) {
            let size = records.reduce(0) { $0 + bytes($1.data) }
            guard
                let problem = problem(
                    "\(RecordSchema.name(type)) of \(what)", records: records.count, bytes: size)
            else { continue }
            problems.append(
                ZoneProblem(
                    severity: problem.isError ? .error : .warning, file: source.file, line: source.line, column: 1,
                    message: problem.message))
        }
    }
}
