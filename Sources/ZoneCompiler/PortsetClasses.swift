import DNSAnswers
import ReflectorModel

/// Portsets grouped by their mapping: all portsets of one class have the same parents, TTLs and roots in every region.
/// The aliased form of a zone is built from them (design §4). A class is named by a fixed hash of its mapping, so that
/// it keeps its name when other classes are added or removed.
struct PortsetClasses: Sendable {
    /// The names of the parents, and their TTL. Since names are stored, answers of two generations can be compared.
    struct Answer: Hashable {
        var parents: [String]
        var ttl: UInt32
    }

    /// Regions with equal answers.
    struct Cell: Hashable {
        var regions: ClosedRange<UInt32>
        /// Index in `answers`.
        var answer: Int
    }

    /// Identically mapped portsets.
    struct Class: Equatable {
        /// Distinct among the classes of a generation.
        var hash: UInt64
        /// Ascending by region.
        var cells: [Cell]
        /// Index in `unions` of the union of its root set regions; nil if it has none.
        var union: Int?
    }

    /// The combined hosts of some root set regions.
    struct Union: Equatable {
        var hash: UInt64
        /// Ascending indices of set regions.
        var sets: [Int]
        /// The answer if one of its set regions has since been removed; nil if the answer is the hosts of `sets`.
        var records: [RecordData]?
    }

    /// The map is divided too finely. Lists the lines that contribute most, with the number of records of each so far.
    struct TooMany: Error {
        var responsible: [(rule: Int, records: Int)]
    }

    private(set) var answers: [Answer] = []
    /// Sorted by hash.
    private(set) var classes: [Class] = []
    private(set) var unions: [Union] = []
    /// Ranges of portsets, ascending, with their class; portsets without any mapping are left out.
    private(set) var runs: [(portsets: ClosedRange<UInt16>, number: Int)] = []
    /// Number of records of all classes: those of their `n{k}` names and `sets` names.
    private(set) var recordCount = 0

    /// - Parameter hash: adds one more word to a hash; tests pass another function to force collisions.
    init(
        _ content: ZoneContent, recordsMax: Int, hash: @escaping (UInt64, UInt64) -> UInt64 = FixedHash.combine
    ) throws(TooMany) {
        var builder = PortsetClassBuilder(content, hash: hash)
        let rows = PortsetAxis([content])
        for row in rows.starts.indices {
            let portsets = rows.portsets(row)
            guard let number = builder.add(portsets.lowerBound, recordsMax: recordsMax) else { continue }
            if let last = runs.last, last.number == number, Int(last.portsets.upperBound) + 1 == portsets.lowerBound {
                runs[runs.count - 1].portsets = last.portsets.lowerBound...portsets.upperBound
            } else {
                runs.append((portsets, number))
            }
            guard builder.records <= recordsMax else { throw TooMany(responsible: builder.responsible) }
        }
        answers = builder.answers
        classes = builder.classes
        unions = builder.unions
        recordCount = builder.records
        if let outliving = content.outliving { add(outliving, content) }
        sort()
    }

    /// Sorts classes and unions by hash.
    private mutating func sort() {
        let order = classes.indices.sorted { classes[$0].hash < classes[$1].hash }
        var position = Array(repeating: 0, count: order.count)
        for (new, old) in order.enumerated() { position[old] = new }
        let unionOrder = unions.indices.sorted { unions[$0].hash < unions[$1].hash }
        var unionPosition = Array(repeating: 0, count: unionOrder.count)
        for (new, old) in unionOrder.enumerated() { unionPosition[old] = new }
        classes = order.map { number in
            var result = classes[number]
            result.union = result.union.map { unionPosition[$0] }
            return result
        }
        unions = unionOrder.map { unions[$0] }
        for run in runs.indices { runs[run].number = position[runs[run].number] }
    }

    /// Adds the classes and unions to which resolvers may still cache aliases. No portset leads to them any more.
    private mutating func add(_ outliving: ZoneContent.Outliving, _ content: ZoneContent) {
        var taken = Set(classes.map(\.hash) + unions.map(\.hash))
        var unionNumbers = Dictionary(unions.enumerated().map { ($1.hash, $0) }) { first, _ in first }
        let setNumbers = Dictionary(content.setRegions.enumerated().map { ($1.name, $0) }) { first, _ in first }
        for union in outliving.unions where taken.insert(union.hash).inserted {
            let sets = union.sets.compactMap { setNumbers[$0] }.sorted()
            let isWhole = sets.count == union.sets.count
            unionNumbers[union.hash] = unions.count
            unions.append(
                Union(
                    hash: union.hash, sets: sets,
                    records: isWhole ? nil : union.records.map { RecordData(type: $0.type, data: $0.data) }))
        }
        var answerNumbers = Dictionary(answers.enumerated().map { ($1, $0) }) { first, _ in first }
        for outlived in outliving.classes where taken.insert(outlived.hash).inserted {
            var cells: [Cell] = []
            for cell in outlived.cells {
                let answer = Answer(parents: cell.parents, ttl: cell.ttl)
                let number = answerNumbers[answer] ?? answers.count
                if number == answers.count {
                    answerNumbers[answer] = number
                    answers.append(answer)
                }
                cells.append(Cell(regions: cell.regions, answer: number))
                recordCount += cell.regions.count * cell.parents.count
            }
            let union = outlived.union.flatMap { unionNumbers[$0] }
            if union != nil { recordCount += 1 }
            classes.append(Class(hash: outlived.hash, cells: cells, union: union))
        }
    }

    /// Indices of the root set regions of a class.
    func roots(_ number: Int) -> [Int] { classes[number].union.map { unions[$0].sets } ?? [] }

    /// The class of a portset; nil for one that is not mapped.
    func number(of portset: UInt16) -> Int? {
        let at = firstRun(reaching: portset)
        return at < runs.count && runs[at].portsets.contains(portset) ? runs[at].number : nil
    }

    /// Index in `runs` of the first range that ends at or after a portset; `runs.count` if there is none.
    func firstRun(reaching portset: UInt16) -> Int {
        var low = 0
        var high = runs.count
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].portsets.upperBound < portset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The label that encodes a hash: a letter and 13 digits of base 32. Labels sort in the same order as their hashes.
    static func label(_ letter: Unicode.Scalar, _ hash: UInt64) -> [UInt8] {
        let digits = Array("0123456789abcdefghijklmnopqrstuv".utf8)
        var result: [UInt8] = [14, UInt8(ascii: letter)]
        for position in 0..<13 { result.append(digits[Int(hash >> UInt64(60 - 5 * position) & 31)]) }
        return result
    }
}
