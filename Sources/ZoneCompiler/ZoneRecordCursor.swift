import DNSAnswers
import LDNSKit

/// Iterates over the records of a zone's aliased form, holding only one at a time.
public struct ZoneRecordCursor: IteratorProtocol {
    private let zone: AliasedZone
    private var section = ZoneRecord.Section.file
    /// Index of the stored record, range of portsets, or class.
    private var index = 0
    /// Portset within the range, or cell within the class.
    private var part = 0
    /// Region within the cell.
    private var region: UInt64 = 0
    private var rank = 0
    private let maps: [UInt8]

    init(_ zone: AliasedZone) {
        self.zone = zone
        maps = WireName.joined("maps", below: zone.zoneName)
    }

    public mutating func next() -> ZoneRecord? {
        while true {
            switch section {
            case .file, .parents, .unions, .announceTargets, .streams, .nodes:
                if let list = zone.listed[section], index < list.count {
                    index += 1
                    return list[index - 1]
                }
            case .portsets:
                if let record = nextPortset() { return record }
            case .classes:
                while index < zone.classes.classes.count {
                    if let record = nextOfClass(index, section, suffix: classSuffix(index)) { return record }
                    skipClass()
                }
            case .standard:
                if let standard = zone.standard, index == 0 {
                    if let record = nextOfClass(standard, section, suffix: zone.zoneName) { return record }
                }
            }
            guard let following = ZoneRecord.Section(rawValue: section.rawValue + 1) else { return nil }
            section = following
            (index, part, region, rank) = (0, 0, 0, 0)
        }
    }

    /// The class whose first record is next, if any.
    var classAhead: Int? {
        guard part == 0, region == 0, rank == 0, index < zone.classes.classes.count else { return nil }
        switch section {
        case .classes: return index
        case .standard: return index == 0 ? zone.standard : nil
        default: return nil
        }
    }

    var sectionAhead: ZoneRecord.Section { section }

    /// Skips all remaining records of the class that contains the next record.
    mutating func skipClass() {
        index += 1
        (part, region, rank) = (0, 0, 0)
    }

    private mutating func nextPortset() -> ZoneRecord? {
        guard index < zone.classes.runs.count else { return nil }
        let run = zone.classes.runs[index]
        let portset = Int(run.portsets.lowerBound) + part
        if portset == run.portsets.upperBound {
            index += 1
            part = 0
        } else {
            part += 1
        }
        return ZoneRecord(
            .init(section: .portsets, major: UInt64(portset)), owner: Self.label("s", UInt64(portset)) + zone.zoneName,
            type: LDNSType.dname, ttl: zone.ttl, data: classSuffix(run.number))
    }

    /// The next record of a class: those of its `n{k}` names and then, in the section `classes`, that of its `sets`
    /// name. Nil at the end of the class.
    private mutating func nextOfClass(
        _ number: Int, _ section: ZoneRecord.Section, suffix: [UInt8]
    ) -> ZoneRecord? {
        let portsetClass = zone.classes.classes[number]
        let major = section == .classes ? portsetClass.hash : 0
        guard part < portsetClass.cells.count else {
            guard part == portsetClass.cells.count, section == .classes, let union = portsetClass.union else {
                return nil
            }
            part += 1
            return ZoneRecord(
                .init(section: section, major: major, minor: .max), owner: Self.label("sets") + suffix,
                type: LDNSType.cname, ttl: zone.ttl,
                data: PortsetClasses.label("u", zone.classes.unions[union].hash) + maps)
        }
        let cell = portsetClass.cells[part]
        let answer = zone.classes.answers[cell.answer]
        let parents = zone.parentNames[cell.answer]
        let number = UInt64(cell.regions.lowerBound) + region
        let record = ZoneRecord(
            .init(section: section, major: major, minor: number << 2 | UInt64(rank)),
            owner: Self.label("n", UInt64(rank + 1)) + Self.label("r", number) + suffix,
            type: LDNSType.cname, ttl: answer.ttl, data: parents[rank])
        rank += 1
        if rank == parents.count {
            rank = 0
            region += 1
            if number == cell.regions.upperBound {
                region = 0
                part += 1
            }
        }
        return record
    }

    /// `{class}.maps`.
    private func classSuffix(_ number: Int) -> [UInt8] {
        PortsetClasses.label("c", zone.classes.classes[number].hash) + maps
    }

    private static func label(_ text: StaticString) -> [UInt8] {
        [UInt8(text.utf8CodeUnitCount)] + (0..<text.utf8CodeUnitCount).map { text.utf8Start[$0] }
    }

    /// A letter and a decimal number.
    private static func label(_ letter: Unicode.Scalar, _ number: UInt64) -> [UInt8] {
        var divisor: UInt64 = 1
        while number / divisor >= 10 { divisor *= 10 }
        var label: [UInt8] = [1, UInt8(ascii: letter)]
        label.reserveCapacity(96)
        while divisor > 0 {
            label.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            label[0] += 1
            divisor /= 10
        }
        return label
    }
}
