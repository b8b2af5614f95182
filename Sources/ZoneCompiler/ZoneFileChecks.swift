import DNSAnswers
import LDNSKit

/// What records of a `.zone` file may stand beside: the checks that libldns leaves to its callers.
struct ZoneFileChecks {
    private struct Owner {
        var records: [Int] = []
        var has: Set<UInt16> = []
    }

    private let zone: ZoneFile
    private var owners: [[UInt8]: Owner] = [:]
    /// Owners of NS records below the apex.
    private var delegations: Set<[UInt8]> = []

    /// Type numbers that may stand beside a CNAME: DNSSEC's (RFC 4034 §2.5).
    private static let besideCNAME: Set<UInt16> = [46, 47]

    static func run(_ zone: ZoneFile, _ problems: inout ProblemList) {
        let checks = ZoneFileChecks(zone)
        checks.ownerChecks(&problems)
        checks.recordSetChecks(&problems)
        checks.targetChecks(&problems)
    }

    private init(_ zone: ZoneFile) {
        self.zone = zone
        for (index, record) in zone.records.enumerated() {
            owners[record.owner, default: Owner()].records.append(index)
            owners[record.owner, default: Owner()].has.insert(record.type)
            if record.type == LDNSType.ns, record.owner != zone.apex { delegations.insert(record.owner) }
        }
    }

    /// SOA and NS of the apex; names that are ours; names under a delegation.
    private func ownerChecks(_ problems: inout ProblemList) {
        let apex = owners[zone.apex]
        let isBroken = zone.brokenOwners.contains(zone.apex)
        if apex?.has.contains(LDNSType.soa) != true, !isBroken {
            problems.error(1, 1, "no SOA record; begin the zone with '@ SOA ns1 hostmaster 1 3600 600 604800 60'")
        }
        if apex?.has.contains(LDNSType.ns) != true, !isBroken {
            problems.error(1, 1, "no NS record at the zone; add '@ NS ns1' and an address for ns1")
        }
        for (index, record) in zone.records.enumerated() {
            let place = zone.places[index].owner
            if let label = Names.firstLabelBelow(zone.apex, in: record.owner), let name = Names.reserved(label) {
                problems.error(
                    place,
                    "names under '\(name)' are answered by the map and can't be written here; choose another name")
            }
            if record.type == LDNSType.soa, record.owner != zone.apex {
                problems.error(place, "SOA below the zone's own name; only \(zone.zone) has one, so remove this")
            }
            if record.type == LDNSType.dname {
                problems.error(place, "DNAME is not served from a .zone file; write the names out, or use CNAME")
            }
            guard let cut = delegation(above: record.owner), !delegations.isEmpty else { continue }
            let isGlue = record.type == LDNSType.a || record.type == LDNSType.aaaa
            if record.owner == cut ? record.type != LDNSType.ns && record.type != 43 && !isGlue : !isGlue {
                let text = LDNSName.text(cut) ?? ""
                problems.warning(place, "hidden by the delegation of \(text), never answered; move it to that zone")
            }
        }
    }

    private func delegation(above owner: [UInt8]) -> [UInt8]? {
        guard !delegations.isEmpty else { return nil }
        for offset in Names.labels(owner) where owner.count - offset > zone.apex.count {
            let name = Array(owner[offset...])
            if delegations.contains(name) { return name }
        }
        return nil
    }

    /// One CNAME alone, one SOA, one TTL in an RRset, no record twice.
    private func recordSetChecks(_ problems: inout ProblemList) {
        var seen: [RecordSetKey: (first: Int, data: [[UInt8]: Int])] = [:]
        for (index, record) in zone.records.enumerated() {
            let place = zone.places[index]
            let key = RecordSetKey(owner: record.owner, type: record.type)
            if let set = seen[key] {
                let first = zone.records[set.first]
                if record.type == LDNSType.soa {
                    problems.error(place.owner, "second SOA, the first is on line \(first.source.line); keep one")
                } else if record.type == LDNSType.cname {
                    problems.error(
                        place.owner, "second CNAME here, the first is on line \(first.source.line); keep one")
                } else if let same = set.data[record.data] {
                    problems.error(place.owner, "same record as on line \(same); remove one")
                } else if record.ttl != first.ttl {
                    problems.error(
                        place.owner,
                        "TTL \(record.ttl) differs from \(first.ttl) on line \(first.source.line) of the same RRset "
                            + "(RFC 2181 §5.2); use one TTL")
                }
                seen[key]?.data[record.data] = record.source.line
            } else {
                seen[key] = (index, [record.data: record.source.line])
            }
            if record.type == LDNSType.cname, let owner = owners[record.owner],
                let other = owner.records.first(where: {
                    let type = zone.records[$0].type
                    return type != LDNSType.cname && !Self.besideCNAME.contains(type)
                })
            {
                problems.error(
                    place.owner,
                    "CNAME beside other data (\(LDNSType.name(zone.records[other].type)) on line "
                        + "\(zone.records[other].source.line)); a name with a CNAME has nothing else")
            }
        }
    }

    private struct RecordSetKey: Hashable {
        var owner: [UInt8]
        var type: UInt16
    }

    /// NS, MX and SRV point at names with addresses.
    private func targetChecks(_ problems: inout ProblemList) {
        for (index, record) in zone.records.enumerated() {
            let skip: Int
            switch record.type {
            case LDNSType.ns: skip = 0
            case LDNSType.mx: skip = 2
            case LDNSType.srv: skip = 6
            default: continue
            }
            let target = Names.lowercased(Array(record.data.dropFirst(skip)))
            // The root as target means "no such service" (RFC 2782, RFC 7505).
            guard target.count > 1, Names.isWithin(target, zone.apex), !zone.brokenOwners.contains(target) else {
                continue
            }
            let place = zone.places[index].data
            let type = LDNSType.name(record.type)
            let text = LDNSName.text(target) ?? ""
            if let owner = owners[target], owner.has.contains(LDNSType.cname) {
                problems.error(place, "\(type) target \(text) is a CNAME; point at the name that has the address")
                continue
            }
            if record.type != LDNSType.ns, delegation(above: target) != nil { continue }
            if let owner = owners[target] ?? wildcard(for: target),
                owner.has.contains(LDNSType.a) || owner.has.contains(LDNSType.aaaa)
            {
                continue
            }
            problems.error(place, "\(type) target \(text) has no address in the zone; add an A or AAAA record for it")
        }
    }

    private func wildcard(for name: [UInt8]) -> Owner? {
        for offset in Names.labels(name).dropFirst() where name.count - offset >= zone.apex.count {
            if let owner = owners[[1, UInt8(ascii: "*")] + name[offset...]] { return owner }
        }
        return nil
    }
}
