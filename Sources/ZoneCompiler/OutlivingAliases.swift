import DNSAnswers
import ReflectorModel

/// The parts of a generation's aliased form that must still be answered after an edit, because resolvers cache aliases
/// to them: classes that no portset uses any more, unions, and removed set regions (design §4).
///
/// A resolver may query a class for as long as it caches the DNAME, and then a set region for as long as it caches the
/// CNAME that it got from the class. `margin` is added to these times, for secondaries that transfer the edit later
/// than others, and for resolvers with a minimum cache time.
public enum OutlivingAliases {
    /// In seconds.
    static let margin: Int64 = 300
    /// Number of records that a small zone may keep after an edit; larger zones may keep twice their own number.
    /// Neither may exceed what the maximum number of records of the aliased form leaves free.
    static let recordsMin = 200_000

    /// What is kept, and how much had to be dropped.
    public struct Result: Sendable, Equatable {
        /// Nil if nothing is kept.
        public var outliving: ZoneContent.Outliving?
        /// Number of classes left out because too many records would be kept: resolvers get NXDOMAIN for their names
        /// until the TTL has expired.
        public var dropped = 0
    }

    /// - Parameters:
    ///   - before: the generation whose aliases resolvers cache, including the aliases kept in it.
    ///   - after: the generation that replaces it.
    ///   - now: seconds since 1970.
    ///   - recordsMax: maximum number of records of the aliased form.
    public static func outliving(
        _ before: ZoneContent, in after: ZoneContent, at now: Int64, recordsMax: Int = AliasedZone.recordsMax
    ) -> Result {
        var (old, new) = (before, after)
        (old.outliving, new.outliving) = (nil, nil)
        var result = carriedOver(before.outliving, at: now)
        let answersAlike = old.rules == new.rules && old.edgeRegions == new.edgeRegions && old.defaults == new.defaults
        var records = 0
        if !answersAlike || old.setRegions.map(\.name) != new.setRegions.map(\.name)
            || old.setRegions.map(\.id) != new.setRegions.map(\.id) || !result.isEmpty
        {
            // A map that is divided too finely has no aliased form, so there is nothing to keep.
            guard let oldClasses = try? PortsetClasses(old, recordsMax: recordsMax),
                let newClasses = try? PortsetClasses(new, recordsMax: recordsMax)
            else { return Result() }
            records = newClasses.recordCount
            add(oldClasses, of: old, to: &result, at: now)
            let named = Set(newClasses.classes.map(\.hash))
            result.classes = unique(result.classes.filter { !named.contains($0.hash) }, \.hash, \.until)
            let unions = Set(newClasses.unions.map(\.hash))
            let wanted = Set(result.classes.compactMap(\.union))
            result.unions = unique(result.unions, \.hash, \.until)
                .filter { !unions.contains($0.hash) && wanted.contains($0.hash) }
        }
        var served = Set(new.setRegions.map(\.name))
        if new.rules.contains(where: \.takesParentsAway) { served.insert(ZoneContent.Rule.none) }
        result.sets = unique(result.sets.filter { !served.contains($0.name) }, \.name, \.until)
        let dropped = limit(&result, to: min(max(2 * records, recordsMin), max(recordsMax - records, 0)))
        return Result(outliving: result.isEmpty ? nil : result, dropped: dropped)
    }

    /// The parts kept so far, without the classes and set regions that have expired.
    private static func carriedOver(_ outliving: ZoneContent.Outliving?, at now: Int64) -> ZoneContent.Outliving {
        var result = outliving ?? ZoneContent.Outliving()
        result.classes.removeAll { $0.until <= now }
        result.sets.removeAll { $0.until <= now }
        return result
    }

    private static func add(
        _ classes: PortsetClasses, of content: ZoneContent, to result: inout ZoneContent.Outliving, at now: Int64
    ) {
        let highest = max(content.defaults.ttl, classes.answers.map(\.ttl).max() ?? 0)
        let until = now + Int64(content.defaults.ttl) + Int64(highest) + margin
        for portsetClass in classes.classes {
            let cells = portsetClass.cells.map { cell in
                let answer = classes.answers[cell.answer]
                return ZoneContent.Outliving.Cell(regions: cell.regions, parents: answer.parents, ttl: answer.ttl)
            }
            let union = portsetClass.union.map { classes.unions[$0].hash }
            result.classes.append(.init(hash: portsetClass.hash, cells: cells, union: union, until: until))
        }
        for union in classes.unions {
            let names = union.sets.map { content.setRegions[$0].name }
            let records = data(ExportedRecord.hosts(content, sets: union.sets))
            result.unions.append(.init(hash: union.hash, sets: names, records: records, until: until))
        }
        for (number, region) in content.setRegions.enumerated() {
            let records =
                ExportedRecord.hosts(content, sets: [number])
                + [ExportedRecord.setText(content, region, serial: content.serial)]
            result.sets.append(.init(name: region.name, records: data(records), until: until))
        }
        if content.rules.contains(where: \.takesParentsAway) {
            result.sets.append(.init(name: ZoneContent.Rule.none, records: data(ExportedRecord.none), until: until))
        }
    }

    private static func data(_ records: [RecordData]) -> [ZoneContent.Outliving.Data] {
        records.map { .init(type: $0.type, data: $0.data) }
    }

    /// Keeps one element for each key: the one that expires last.
    private static func unique<Element, Key: Hashable>(
        _ list: [Element], _ key: (Element) -> Key, _ until: (Element) -> Int64
    ) -> [Element] {
        var places: [Key: Int] = [:]
        var result: [Element] = []
        for element in list {
            guard let place = places[key(element)] else {
                places[key(element)] = result.count
                result.append(element)
                continue
            }
            if until(element) > until(result[place]) { result[place] = element }
        }
        return result
    }

    /// Drops the classes that expire first, until the rest is within `recordsMax`. Returns how many it dropped.
    private static func limit(_ result: inout ZoneContent.Outliving, to recordsMax: Int) -> Int {
        func size(_ outlived: ZoneContent.Outliving.Class) -> Int {
            1 + outlived.cells.reduce(0) { $0 + $1.regions.count * $1.parents.count }
        }
        var records = result.classes.reduce(0) { $0 + size($1) }
        guard records > recordsMax else { return 0 }
        let before = result.classes.count
        result.classes.sort { $0.until > $1.until }
        while records > recordsMax, let last = result.classes.popLast() { records -= size(last) }
        return before - result.classes.count
    }
}
