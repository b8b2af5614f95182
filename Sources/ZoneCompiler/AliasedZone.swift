import DNSAnswers
import LDNSKit
import ReflectorModel

/// One generation of a zone in aliased form (design §4): `s{P} DNAME {class}.maps` for each class of identically mapped
/// portsets, `n{k}.r{R}.{class}.maps CNAME {set}.parents`, `sets.{class}.maps CNAME {union}.maps`, and hosts at
/// `{set}.parents` and `{union}.maps`. Streams have the same names as in our own answers, except that a wildcard also
/// answers the ingest names of its streams (`StreamAnswer.Kind.ingestOfPattern`). Its memory depends on the number of rules and classes; `records` generates the
/// records one by one, in the same order for all generations. Master files and transfers are both made from it.
public final class AliasedZone: Sendable {
    /// Maximum number of records.
    public static let recordsMax = 5_000_000

    /// Why a zone has no aliased form: it would have too many records. The description names the lines that cause most
    /// of them.
    public struct TooLarge: Error, Sendable, CustomStringConvertible {
        public var description: String
    }

    /// Zone name without the final dot, lower case.
    public let zone: String
    /// Zone name in wire form.
    public let zoneName: [UInt8]
    public let serial: UInt32
    /// The SOA with this generation's serial; it comes before all `records` and is not one of them.
    public let startOfAuthority: ZoneRecord
    /// Number of records, including the SOA.
    public let recordCount: Int

    /// TTL of names without a TTL of their own.
    let ttl: UInt32
    let classes: PortsetClasses
    /// Class of the default portset.
    let standard: Int?
    /// Records of the sections that are stored, not generated on demand; sorted.
    let listed: [ZoneRecord.Section: [ZoneRecord]]
    /// For each answer, the names of its parents in wire form.
    let parentNames: [[[UInt8]]]

    /// - Parameters:
    ///   - serial: the serial in the SOA, and in the TXT of each set region for which no earlier change is known; nil
    ///     for the serial of the `.zone` file.
    public init(
        _ content: ZoneContent, serial: UInt32? = nil, recordsMax: Int = recordsMax
    ) throws(TooLarge) {
        let serial = serial ?? content.serial
        self.serial = serial
        zone = content.zone
        zoneName = content.wireName
        ttl = content.defaults.ttl
        var listing = ZoneListing(content, serial: serial)
        let listedBefore = listing.count
        let classes: PortsetClasses
        do throws(PortsetClasses.TooMany) {
            classes = try PortsetClasses(content, recordsMax: max(recordsMax - listedBefore, 0))
        } catch {
            throw Self.tooLarge(content, recordsMax: recordsMax, error.responsible)
        }
        listing.add(classes)
        self.classes = classes
        standard = classes.number(of: content.defaults.portset.rawValue)
        listed = listing.sections
        startOfAuthority = listing.startOfAuthority
        let suffix = WireName.joined("parents", below: zoneName)
        parentNames = classes.answers.map { $0.parents.map { WireName.joined($0, below: suffix) } }
        let portsets = classes.runs.reduce(0) { $0 + $1.portsets.count }
        let own = standard.map { number in
            classes.classes[number].cells.reduce(0) { $0 + $1.regions.count * classes.answers[$1.answer].parents.count }
        }
        recordCount = 1 + listing.count + portsets + classes.recordCount + (own ?? 0)
        if recordCount > recordsMax { throw Self.tooLarge(content, recordsMax: recordsMax, []) }
    }

    /// All records except the SOA, in order.
    public var records: ZoneRecordCursor { ZoneRecordCursor(self) }

    private static func tooLarge(
        _ content: ZoneContent, recordsMax: Int, _ responsible: [(rule: Int, records: Int)]
    ) -> TooLarge {
        let lines = responsible.map { share in
            "\(content.rules[share.rule].source) (\(share.records) or more)"
        }
        let which = lines.isEmpty ? "" : "; the lines that make most: " + lines.joined(separator: ", ")
        return TooLarge(
            description: "\(content.zone): over \(recordsMax) records in the aliased form\(which); use the same ranges "
                + "of portsets for all regions, or declare fewer regions")
    }
}

/// The records that come from single lines of the files, not from the map.
private struct ZoneListing {
    private(set) var sections: [ZoneRecord.Section: [ZoneRecord]] = [:]
    let startOfAuthority: ZoneRecord
    private let content: ZoneContent
    private let zoneName: [UInt8]

    init(_ content: ZoneContent, serial: UInt32) {
        self.content = content
        zoneName = content.wireName
        startOfAuthority = Self.startOfAuthority(content, serial)
        sections[.file] = Self.fileRecords(content)
        let parents = WireName.joined("parents", below: zoneName)
        for (number, region) in content.setRegions.enumerated() {
            add(
                .parents, owner: WireName.joined(region.name, below: parents),
                ExportedRecord.hosts(content, sets: [number]))
            add(
                .parents, owner: WireName.joined(region.name, below: parents),
                [ExportedRecord.setText(content, region, serial: serial)])
        }
        var served = Set(content.setRegions.map(\.name))
        if content.rules.contains(where: \.takesParentsAway) {
            served.insert(ZoneContent.Rule.none)
            add(.parents, owner: WireName.joined(ZoneContent.Rule.none, below: parents), ExportedRecord.none)
        }
        for set in content.outliving?.sets ?? [] where served.insert(set.name).inserted {
            add(
                .parents, owner: WireName.joined(set.name, below: parents),
                set.records.map { RecordData(type: $0.type, data: $0.data) })
        }
        content.forEachStreamAnswer { answer in
            let owner = WireName.joined(answer.labels.joined(separator: "."), below: zoneName)
            guard answer.kind != .ingestOfPattern, owner.count <= WireName.lengthMax else { return }
            for (record, ttl) in ExportedRecord.stream(content, answer) {
                add(.streams, owner: owner, [record], ttl: ttl)
            }
        }
        let nodes = WireName.joined("nodes", below: zoneName)
        for entry in content.nodeEntries {
            add(
                .nodes, owner: WireName.joined(content.hosts[entry.host].name, below: nodes),
                ExportedRecord.node(content, entry))
        }
        for section in sections.keys { sections[section]?.sort() }
    }

    var count: Int { sections.values.reduce(0) { $0 + $1.count } }

    mutating func add(_ classes: PortsetClasses) {
        let maps = WireName.joined("maps", below: zoneName)
        for union in classes.unions {
            let owner = PortsetClasses.label("u", union.hash) + maps
            let records = union.records ?? ExportedRecord.hosts(content, sets: union.sets)
            add(.unions, owner: owner, records, major: union.hash)
        }
        let sets = WireName.joined("sets", below: zoneName)
        for entrypoint in AnnounceTargets.all(content, classes) {
            let owner = WireName.joined(content.hosts[entrypoint.host].name, below: sets)
            add(.announceTargets, owner: owner, ExportedRecord.services(content, sets: entrypoint.roots))
        }
        sections[.unions]?.sort()
        sections[.announceTargets]?.sort()
    }

    private mutating func add(
        _ section: ZoneRecord.Section, owner: [UInt8], _ records: [RecordData], major: UInt64 = 0, ttl: UInt32? = nil
    ) {
        let sortKey = ZoneRecord.SortKey(section: section, major: major)
        for record in records {
            sections[section, default: []].append(
                ZoneRecord(
                    sortKey, owner: owner, type: record.type, ttl: ttl ?? content.defaults.ttl, data: record.data))
        }
    }

    private static func startOfAuthority(_ content: ZoneContent, _ serial: UInt32) -> ZoneRecord {
        let record = content.records.first { $0.type == LDNSType.soa }
        var data = record?.data ?? []
        if data.count > 20 {
            for byte in 0..<4 {
                data[data.count - 20 + byte] = UInt8(truncatingIfNeeded: serial >> (24 - 8 * byte))
            }
        }
        return ZoneRecord(
            .init(section: .file), owner: record?.owner ?? content.wireName, type: LDNSType.soa,
            ttl: record?.ttl ?? 0, data: data)
    }

    /// The records of the `.zone` file. An RRset has one TTL (RFC 2181 §5.2): the lowest, as in our own answers.
    private static func fileRecords(_ content: ZoneContent) -> [ZoneRecord] {
        struct Key: Hashable {
            var owner: [UInt8]
            var type: UInt16
        }
        var lowest: [Key: UInt32] = [:]
        for record in content.records {
            let key = Key(owner: record.owner, type: record.type)
            lowest[key] = min(lowest[key] ?? .max, record.ttl)
        }
        var records = content.records.filter { $0.type != LDNSType.soa }.map { record in
            let ttl = lowest[Key(owner: record.owner, type: record.type)] ?? record.ttl
            return ZoneRecord(
                .init(section: .file), owner: record.owner, type: record.type, ttl: ttl, data: record.data)
        }
        records += keptFromWildcard(content)
        return sortedUnique(records)
    }

    /// Reserved names that have no records in the aliased form are given one if a wildcard would otherwise match them
    /// (RFC 4592 §4.1).
    private static func keptFromWildcard(_ content: ZoneContent) -> [ZoneRecord] {
        let wildcard = WireName.joined("*", below: content.wireName)
        guard content.records.contains(where: { $0.owner == wildcard }) else { return [] }
        let text = RecordData.text(["answered only by reflector nameserver, to --explain-from"])
        return ["explain", "_status"].map { name in
            ZoneRecord(
                .init(section: .file), owner: WireName.joined(name, below: content.wireName), type: text.type,
                ttl: content.defaults.ttl, data: text.data)
        }
    }
}

/// The set regions to which each entrypoint announces: the root set regions of all portsets of its streams.
enum AnnounceTargets {
    static func all(_ content: ZoneContent, _ classes: PortsetClasses) -> [(host: Int, roots: [Int])] {
        var ranges: [Int: Set<ClosedRange<UInt16>>] = [:]
        for stream in content.streams {
            for host in stream.entrypoints { ranges[host, default: []].insert(stream.portset.range) }
        }
        return ranges.sorted { $0.key < $1.key }.map { host, ranges in
            var numbers: Set<Int> = []
            for range in ranges {
                var at = classes.firstRun(reaching: range.lowerBound)
                while at < classes.runs.count, classes.runs[at].portsets.lowerBound <= range.upperBound {
                    numbers.insert(classes.runs[at].number)
                    at += 1
                }
            }
            return (host, sortedUnique(numbers.flatMap { classes.roots($0) }))
        }
    }
}

extension ZoneContent.StreamPortset {
    /// All portsets that the stream may have.
    var range: ClosedRange<UInt16> {
        switch self {
        case .fixed(let id): id.rawValue...id.rawValue
        case .hashed(let range): range
        }
    }
}
