import DNSAnswers
import LDNSKit
import NodeIdentity

/// Checks which records of a `.zone` file may be combined; libldns leaves these checks to its callers.
struct ZoneFileChecks {
    /// The records of a zone at one name, as a linked list through `next` in file order: half a million names must not
    /// use an array each.
    private struct Owner {
        var first: Int
        var last: Int
        var count = 0
        var has: Types = []
    }

    /// The types that the checks need.
    private struct Types: OptionSet {
        let rawValue: UInt8
        static let soa = Types(rawValue: 1)
        static let ns = Types(rawValue: 2)
        static let cname = Types(rawValue: 4)
        static let address = Types(rawValue: 8)

        init(rawValue: UInt8) { self.rawValue = rawValue }

        init(type: UInt16) {
            switch type {
            case LDNSType.soa: self = .soa
            case LDNSType.ns: self = .ns
            case LDNSType.cname: self = .cname
            case LDNSType.a, LDNSType.aaaa: self = .address
            default: self = []
            }
        }
    }

    private let zone: ZoneFile
    /// In order of first use in the file.
    private var owners: [Owner] = []
    private var numbers: [BytesKey: Int] = [:]
    /// For each record, the next record of the same owner; -1 for the last.
    private var next: [Int]
    /// Owners of NS records below the apex.
    private var delegations: Set<[UInt8]> = []

    /// Type numbers that are allowed next to a CNAME: RRSIG and NSEC (RFC 4035 §2.5).
    private static let besideCNAME: Set<UInt16> = [46, 47]

    static func run(_ zone: ZoneFile, _ problems: inout ProblemList) {
        let checks = ZoneFileChecks(zone)
        checks.ownerChecks(&problems)
        checks.recordSetChecks(&problems)
        checks.targetChecks(&problems)
    }

    private init(_ zone: ZoneFile) {
        self.zone = zone
        next = Array(repeating: -1, count: zone.records.count)
        numbers.reserveCapacity(zone.records.count)
        for (index, record) in zone.records.enumerated() {
            let key = BytesKey(record.owner)
            let number = numbers[key] ?? owners.count
            if number == owners.count {
                numbers[key] = number
                owners.append(Owner(first: index, last: index))
            } else {
                next[owners[number].last] = index
                owners[number].last = index
            }
            owners[number].count += 1
            owners[number].has.formUnion(Types(type: record.type))
            if record.type == LDNSType.ns, record.owner != zone.apex { delegations.insert(record.owner) }
        }
    }

    private func owner(_ name: [UInt8]) -> Owner? { numbers[BytesKey(name)].map { owners[$0] } }

    /// Indices of an owner's records.
    private func records(of owner: Owner) -> some Sequence<Int> {
        sequence(first: owner.first) { next[$0] < 0 ? nil : next[$0] }
    }

    /// Checks SOA and NS of the apex, reserved names, SOA records below the apex, DNAME records, and records that a
    /// delegation hides.
    private func ownerChecks(_ problems: inout ProblemList) {
        let has = owner(zone.apex)?.has ?? []
        let isBroken = zone.brokenOwners.contains(zone.apex)
        if !has.contains(.soa), !isBroken {
            problems.error(1, 1, "no SOA record; begin the zone with '@ SOA ns1 hostmaster 1 3600 600 604800 60'")
        }
        if !has.contains(.ns), !isBroken {
            problems.error(1, 1, "no NS record at the zone; add '@ NS ns1' and an address for ns1")
        }
        for (index, record) in zone.records.enumerated() {
            let place = zone.places[index].owner
            if let label = WireName.firstLabelBelow(zone.apex, in: record.owner), let name = WireName.reserved(label) {
                let origin =
                    name == RevocationRecords.announcementName ? "made from ZONE.revocations" : "answered by the map"
                problems.error(
                    place, "names under '\(name)' are \(origin) and can't be written here; choose another name")
            }
            if record.type == LDNSType.soa, record.owner != zone.apex {
                problems.error(place, "SOA below the zone's own name; only \(zone.zone) has one, so remove this")
            }
            if record.type == LDNSType.dname {
                problems.error(place, "DNAME is not served from a .zone file; write the names out, or use CNAME")
            }
            guard let cut = delegation(above: record.owner) else { continue }
            let isGlue = record.type == LDNSType.a || record.type == LDNSType.aaaa
            if record.owner == cut ? record.type != LDNSType.ns && record.type != 43 && !isGlue : !isGlue {
                let text = LDNSName.text(cut) ?? ""
                problems.warning(place, "hidden by the delegation of \(text), never answered; move it to that zone")
            }
        }
    }

    private func delegation(above owner: [UInt8]) -> [UInt8]? {
        guard !delegations.isEmpty else { return nil }
        for offset in (WireName.labelOffsets(owner) ?? []) where owner.count - offset > zone.apex.count {
            let name = Array(owner[offset...])
            if delegations.contains(name) { return name }
        }
        return nil
    }

    /// Checks for a CNAME next to other data, a second SOA, different TTLs in an RRset, duplicate records, and
    /// oversized sets.
    private func recordSetChecks(_ problems: inout ProblemList) {
        for owner in owners {
            sizeChecks(owner, &problems)
            guard owner.count > 1 else { continue }
            var seen: [UInt16: (first: Int, data: [BytesKey: Int])] = [:]
            let besideCNAME = owner.has.contains(.cname) ? records(of: owner).first(where: isBesideCNAME) : nil
            for index in records(of: owner) {
                let record = zone.records[index]
                let place = zone.places[index].owner
                let data = BytesKey(record.data)
                if let set = seen[record.type] {
                    check(record, after: zone.records[set.first], same: set.data[data], place, &problems)
                    seen[record.type]?.data[data] = record.source.line
                } else {
                    seen[record.type] = (index, [data: record.source.line])
                }
                if record.type == LDNSType.cname, let besideCNAME {
                    let other = zone.records[besideCNAME]
                    problems.error(
                        place,
                        "CNAME beside other data (\(RecordSchema.name(other.type)) on line \(other.source.line)); a name "
                            + "with a CNAME has nothing else")
                }
            }
        }
    }

    /// Reports sets that no message can hold, or that secondaries refuse.
    private func sizeChecks(_ owner: Owner, _ problems: inout ProblemList) {
        // A set of few records can be too large only if one of its records is long.
        guard owner.count > RecordSetSizes.recordsMaxOfBIND || records(of: owner).contains(where: isLong) else {
            return
        }
        let sets = Dictionary(grouping: records(of: owner), by: { zone.records[$0].type })
        for (type, indices) in sets.sorted(by: { $0.value[0] < $1.value[0] }) {
            let bytes = indices.reduce(0) { $0 + RecordSetSizes.bytes(zone.records[$1].data) }
            let name = RecordSchema.name(type) + " of \(LDNSName.text(zone.records[indices[0]].owner) ?? "")"
            guard let problem = RecordSetSizes.problem(name, records: indices.count, bytes: bytes) else { continue }
            let place = zone.places[indices[0]].owner
            if problem.isError {
                problems.error(place, problem.message)
            } else {
                problems.warning(place, problem.message)
            }
        }
        if sets.count > RecordSetSizes.recordsMaxOfBIND {
            problems.warning(
                zone.places[owner.first].owner,
                "\(sets.count) types at one name; a secondary that is BIND refuses the zone beyond "
                    + "\(RecordSetSizes.recordsMaxOfBIND) unless it has 'max-types-per-name 0;'")
        }
    }

    private func isLong(_ index: Int) -> Bool { zone.records[index].data.count > 500 }

    /// Checks a record that is not the first of its set; `same` is the line of an equal record.
    private func check(
        _ record: ZoneContent.Record, after first: ZoneContent.Record, same: Int?, _ place: Word,
        _ problems: inout ProblemList
    ) {
        if record.type == LDNSType.soa {
            problems.error(place, "second SOA, the first is on line \(first.source.line); keep one")
        } else if record.type == LDNSType.cname {
            problems.error(place, "second CNAME here, the first is on line \(first.source.line); keep one")
        } else if let same {
            problems.error(place, "same record as on line \(same); remove one")
        } else if record.ttl != first.ttl {
            problems.error(
                place,
                "TTL \(record.ttl) differs from \(first.ttl) on line \(first.source.line) of the same RRset "
                    + "(RFC 2181 §5.2); use one TTL")
        }
    }

    private func isBesideCNAME(_ index: Int) -> Bool {
        let type = zone.records[index].type
        return type != LDNSType.cname && !Self.besideCNAME.contains(type)
    }

    /// Checks that NS, MX and SRV targets in the zone have addresses.
    private func targetChecks(_ problems: inout ProblemList) {
        for (index, record) in zone.records.enumerated() {
            let skip: Int
            switch record.type {
            case LDNSType.ns: skip = 0
            case LDNSType.mx: skip = 2
            case LDNSType.srv: skip = 6
            default: continue
            }
            let target = WireName.lowercased(Array(record.data.dropFirst(skip)))
            // The root as target means "no such service" (RFC 2782, RFC 7505).
            guard target.count > 1, WireName.isWithin(target, zone.apex), !zone.brokenOwners.contains(target) else {
                continue
            }
            let place = zone.places[index].data
            let type = RecordSchema.name(record.type)
            let text = LDNSName.text(target) ?? ""
            if let owner = owner(target), owner.has.contains(.cname) {
                problems.error(place, "\(type) target \(text) is a CNAME; point at the name that has the address")
                continue
            }
            if record.type != LDNSType.ns, delegation(above: target) != nil { continue }
            if let owner = owner(target) ?? wildcard(for: target), owner.has.contains(.address) { continue }
            problems.error(place, "\(type) target \(text) has no address in the zone; add an A or AAAA record for it")
        }
    }

    private func wildcard(for name: [UInt8]) -> Owner? {
        for offset in (WireName.labelOffsets(name) ?? []).dropFirst() where name.count - offset >= zone.apex.count {
            if let owner = owner([1, UInt8(ascii: "*")] + name[offset...]) { return owner }
        }
        return nil
    }
}
