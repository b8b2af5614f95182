import DNSAnswers
import LDNSKit
import ReflectorModel

/// The aliased form of a zone as a master file (design §4), for any name server: `s{P} DNAME c{C}.maps` for each class
/// of identically mapped portsets, `n{k}.r{R}.c{C}.maps CNAME {set}.parents`, and the addresses at `{set}.parents`.
public struct ZoneExport {
    /// Most records of an export.
    public static let recordsMax = 5_000_000

    /// Why there is no export: too many records, and the lines that make them.
    public struct TooLarge: Error, Sendable, CustomStringConvertible {
        public var description: String
    }

    /// Records written so far.
    public private(set) var records = 0
    private let content: ZoneContent
    private let serial: UInt32
    private let classes: PortsetClasses
    private let write: (String) -> Void

    /// Writes a zone piece by piece.
    ///
    /// - Parameters:
    ///   - serial: stands in the SOA and in TXT; nil for that of the `.zone` file.
    ///   - write: takes the text; called with pieces of some kilobytes.
    /// - Returns: the number of records.
    @discardableResult
    public static func write(
        _ content: ZoneContent, serial: UInt32? = nil, recordsMax: Int = recordsMax,
        to write: @escaping (String) -> Void
    ) throws(TooLarge) -> Int {
        let classes: PortsetClasses
        do throws(PortsetClasses.TooMany) {
            classes = try PortsetClasses(content, recordsMax: recordsMax)
        } catch {
            let lines = error.responsible.map { share in
                let source = content.rules[share.rule].source
                return "\(source.file):\(source.line) (\(share.records) or more)"
            }
            throw TooLarge(
                description:
                    "\(content.zone): over \(recordsMax) records in the aliased form; the lines that make most: "
                    + lines.joined(separator: ", ") + "; use the same ranges of portsets for all regions, or declare "
                    + "fewer regions")
        }
        var export = ZoneExport(content, serial ?? content.serial, classes, write)
        export.head()
        export.parents()
        export.maps()
        export.names()
        export.flush()
        return export.records
    }

    /// The whole export as text.
    public static func text(_ content: ZoneContent, serial: UInt32? = nil) throws(TooLarge) -> String {
        let result = Collector()
        try write(content, serial: serial) { result.text += $0 }
        return result.text
    }

    private final class Collector { var text = "" }

    private init(
        _ content: ZoneContent, _ serial: UInt32, _ classes: PortsetClasses, _ write: @escaping (String) -> Void
    ) {
        self.content = content
        self.serial = serial
        self.classes = classes
        self.write = write
    }

    private var pending = ""

    private mutating func line(_ owner: String, _ ttl: UInt32, _ rest: String) {
        pending += "\(owner)\t\(ttl)\tIN\t\(rest)\n"
        records += 1
        if pending.utf8.count > 60_000 { flush() }
    }

    private mutating func lines(_ owner: String, _ rests: [String]) {
        for rest in rests { line(owner, content.defaults.ttl, rest) }
    }

    private mutating func flush() {
        write(pending)
        pending = ""
    }

    /// What the `.zone` file has, SOA first.
    private mutating func head() {
        pending += "; \(content.zone), aliased form: portsets by DNAME to classes, parents by CNAME to set regions.\n"
        pending += "$ORIGIN \(content.zone).\n"
        let soaFirst =
            content.records.filter { $0.type == LDNSType.soa } + content.records.filter { $0.type != LDNSType.soa }
        for record in soaFirst {
            var data = record.data
            if record.type == LDNSType.soa, data.count > 20 {
                for byte in 0..<4 {
                    data[data.count - 20 + byte] = UInt8(truncatingIfNeeded: serial >> (24 - 8 * byte))
                }
            }
            guard let text = LDNSRecord.line(owner: record.owner, type: record.type, ttl: record.ttl, data: data) else {
                continue
            }
            pending += text + "\n"
            records += 1
        }
    }

    /// `{set}.parents`.
    private mutating func parents() {
        for (number, region) in content.setRegions.enumerated() {
            let owner = "\(region.name).parents"
            lines(owner, ExportedRecord.hosts(content, sets: [number]))
            lines(owner, [ExportedRecord.setText(content, region, serial: serial)])
        }
        if content.rules.contains(where: \.takesParentsAway) {
            lines("\(ZoneContent.Rule.none).parents", ExportedRecord.none(serial: serial))
        }
    }

    /// `s{P}`, `n{k}.r{R}.c{C}.maps`, `sets.c{C}.maps`, and `n{k}.r{R}` for the default portset.
    private mutating func maps() {
        for run in classes.runs {
            for portset in run.portsets { line("s\(portset)", content.defaults.ttl, "DNAME\tc\(run.number).maps") }
        }
        for (number, portsetClass) in classes.classes.enumerated() {
            parents(of: portsetClass, under: ".c\(number).maps")
            lines("sets.c\(number).maps", ExportedRecord.hosts(content, sets: portsetClass.roots))
        }
        let standard = content.defaults.portset.rawValue
        if let run = classes.runs.first(where: { $0.portsets.contains(standard) }) {
            parents(of: classes.classes[run.number], under: "")
        }
    }

    private mutating func parents(of portsetClass: PortsetClasses.Class, under suffix: String) {
        for (column, number) in portsetClass.rules.enumerated() where number >= 0 {
            let rule = content.rules[Int(number)]
            let names =
                rule.takesParentsAway
                ? Array(repeating: ZoneContent.Rule.none, count: 3)
                : rule.parents.prefix(3).map { content.setRegions[$0].name }
            let regions: ClosedRange<UInt32>
            if column < classes.axis.segments.count {
                regions = classes.axis.segments[column]
            } else {
                guard let id = content.setRegions[column - classes.axis.segments.count].id else { continue }
                regions = id.rawValue...id.rawValue
            }
            for region in regions {
                for (rank, name) in names.enumerated() {
                    line("n\(rank + 1).r\(region)\(suffix)", rule.ttl, "CNAME\t\(name).parents")
                }
            }
        }
    }

    /// `{host}.sets` and `….streams`.
    private mutating func names() {
        for entrypoint in AnnounceTargets.all(content, classes) {
            lines(
                "\(content.hosts[entrypoint.host].name).sets", ExportedRecord.services(content, sets: entrypoint.roots))
        }
        for stream in content.streams {
            let owner = ((stream.isPattern ? ["*"] : []) + stream.segments.reversed() + ["streams"])
                .joined(separator: ".")
            lines(owner, ExportedRecord.stream(content, stream, serial: serial))
        }
    }
}

/// Where each entrypoint announces: the root set regions of all portsets of its streams.
enum AnnounceTargets {
    static func all(_ content: ZoneContent, _ classes: PortsetClasses) -> [(host: Int, roots: [Int])] {
        var ranges: [Int: Set<ClosedRange<UInt16>>] = [:]
        for stream in content.streams {
            for host in stream.entrypoints { ranges[host, default: []].insert(stream.portset.range) }
        }
        return ranges.sorted { $0.key < $1.key }.map { host, ranges in
            var numbers: Set<Int> = []
            for range in ranges {
                var low = 0
                var high = classes.runs.count
                while low < high {
                    let middle = (low + high) / 2
                    if classes.runs[middle].portsets.upperBound < range.lowerBound {
                        low = middle + 1
                    } else {
                        high = middle
                    }
                }
                while low < classes.runs.count, classes.runs[low].portsets.lowerBound <= range.upperBound {
                    numbers.insert(classes.runs[low].number)
                    low += 1
                }
            }
            return (host, sortedUnique(numbers.flatMap { classes.classes[$0].roots }))
        }
    }
}

extension ZoneContent.StreamPortset {
    /// Every portset that it may be.
    var range: ClosedRange<UInt16> {
        switch self {
        case .fixed(let id): id.rawValue...id.rawValue
        case .hashed(let range): range
        }
    }
}
