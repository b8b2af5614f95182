import DNSAnswers
import ReflectorModel

/// Groups portsets into classes. The caller adds the portsets one by one, in ascending order.
struct PortsetClassBuilder {
    private(set) var answers: [PortsetClasses.Answer] = []
    private(set) var classes: [PortsetClasses.Class] = []
    private(set) var unions: [PortsetClasses.Union] = []
    /// Number of records of the classes so far.
    private(set) var records = 0

    private let content: ZoneContent
    private let hash: (UInt64, UInt64) -> UInt64
    private var rows: RuleRows
    /// For each rule, the index of its answer; -1 for `none` on a set region.
    private var answerOfRule: [Int32] = []
    private var answerHashes: [UInt64] = []
    /// Region ids of each column; nil for a set region without an id, since it has no name `r{R}` in the DNS.
    private let columns: [ClosedRange<UInt32>?]
    /// Indices of classes, by the answer of each column.
    private var numbers: [[Int32]: Int] = [:]
    private var isHashTaken: Set<UInt64> = []
    private var unionNumbers: [[Int]: Int] = [:]
    /// Number of records that each rule contributes to the classes so far.
    private var shares: [Int]

    init(_ content: ZoneContent, hash: @escaping (UInt64, UInt64) -> UInt64) {
        self.content = content
        self.hash = hash
        let axis = RegionAxis([content])
        rows = RuleRows(content, axis)
        columns = axis.segments.map { $0 } + content.setRegions.map { $0.id.map { $0.rawValue...$0.rawValue } }
        shares = Array(repeating: 0, count: content.rules.count)
        var known: [PortsetClasses.Answer: Int32] = [:]
        for rule in content.rules {
            let parents =
                rule.takesParentsAway
                ? Array(repeating: ZoneContent.Rule.none, count: 3)
                : rule.parents.prefix(3).map { content.setRegions[$0].name }
            guard !parents.isEmpty else {
                answerOfRule.append(-1)
                continue
            }
            let answer = PortsetClasses.Answer(parents: parents, ttl: rule.ttl)
            let number = known[answer] ?? Int32(answers.count)
            if Int(number) == answers.count {
                known[answer] = number
                answers.append(answer)
                answerHashes.append(
                    answer.parents.reduce(hash(0, UInt64(answer.ttl))) { hash($0, NodeID(name: $1).rawValue) })
            }
            answerOfRule.append(number)
        }
    }

    /// Finds or creates the class of `portset` and returns its index; nil if the portset has no answer in any column.
    /// Each portset must be greater than that of the previous call. Once `records` exceeds `recordsMax`, it is no
    /// longer exact.
    mutating func add(_ portset: UInt16, recordsMax: Int) -> Int? {
        let rules = rows.winners(portset: portset)
        let winners = rules.map { $0 < 0 ? -1 : answerOfRule[Int($0)] }
        if winners.allSatisfy({ $0 < 0 }) { return nil }
        if let known = numbers[winners] { return known }
        let cells = cells(winners)
        let union = union(portset)
        if union != nil { records += 1 }
        for cell in cells {
            let (count, isOver) = cell.regions.count.multipliedReportingOverflow(by: answers[cell.answer].parents.count)
            records = isOver ? recordsMax + 1 : min(records + count, recordsMax + 1)
        }
        for (column, rule) in rules.enumerated() where rule >= 0 {
            let answer = answerOfRule[Int(rule)]
            let ranks = answer < 0 ? 0 : answers[Int(answer)].parents.count
            let count = min(columns[column]?.count ?? 0, recordsMax + 1) * ranks
            shares[Int(rule)] = min(shares[Int(rule)] + count, recordsMax + 1)
        }
        var name = union.map { unions[$0].hash } ?? 0
        for cell in cells {
            name = hash(name, UInt64(cell.regions.lowerBound) << 32 | UInt64(cell.regions.upperBound))
            name = hash(name, answerHashes[cell.answer])
        }
        classes.append(PortsetClasses.Class(hash: free(name), cells: cells, union: union))
        numbers[winners] = classes.count - 1
        return classes.count - 1
    }

    /// The lines that contribute the most records, at most three, in descending order.
    var responsible: [(rule: Int, records: Int)] {
        let most = shares.indices.sorted { (shares[$0], $1) > (shares[$1], $0) }.prefix(3)
        return most.filter { shares[$0] > 0 }.map { ($0, shares[$0]) }
    }

    /// A hash that no other class or union has: `wanted`, or another one if `wanted` is taken. Collisions of 64-bit
    /// hashes are very rare. If one happens, a name may change, but answers must not be mixed up.
    private mutating func free(_ wanted: UInt64) -> UInt64 {
        var hash = wanted
        while !isHashTaken.insert(hash).inserted { hash = FixedHash.mix(hash &+ 1) }
        return hash
    }

    /// The cells of a class, from the answer of each column. Neighbouring regions with equal answers become one cell,
    /// so that the class does not depend on where lines divide the regions.
    private func cells(_ winners: [Int32]) -> [PortsetClasses.Cell] {
        var cells: [PortsetClasses.Cell] = []
        for (column, answer) in winners.enumerated() where answer >= 0 {
            guard let regions = columns[column] else { continue }
            cells.append(PortsetClasses.Cell(regions: regions, answer: Int(answer)))
        }
        cells.sort { $0.regions.lowerBound < $1.regions.lowerBound }
        var joined: [PortsetClasses.Cell] = []
        for cell in cells {
            if let last = joined.last, last.answer == cell.answer,
                UInt64(last.regions.upperBound) + 1 == UInt64(cell.regions.lowerBound)
            {
                joined[joined.count - 1].regions = last.regions.lowerBound...cell.regions.upperBound
            } else {
                joined.append(cell)
            }
        }
        return joined
    }

    private mutating func union(_ portset: UInt16) -> Int? {
        let sets = rows.map.roots(of: portset)
        if sets.isEmpty { return nil }
        if let known = unionNumbers[sets] { return known }
        let names = sets.map { NodeID(name: content.setRegions[$0].name).rawValue }.sorted()
        unions.append(PortsetClasses.Union(hash: free(names.reduce(1, hash)), sets: sets))
        unionNumbers[sets] = unions.count - 1
        return unions.count - 1
    }
}
