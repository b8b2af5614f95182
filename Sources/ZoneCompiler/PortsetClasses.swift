import DNSAnswers
import ReflectorModel

/// Portsets grouped by how they are mapped: all of one class have the same parents, TTLs and roots in every region.
/// What the aliased form of a zone is built on (design §4).
struct PortsetClasses {
    /// Identically mapped portsets.
    struct Class {
        /// Winning rule of each column, replaced by the first rule with the same answer; -1 where there are no names.
        var rules: [Int32]
        /// Ascending indices of set regions.
        var roots: [Int]
        /// Names that begin with `n`.
        var records: Int
    }

    /// The map is too finely divided; the lines that take part most, with their share of the records found so far.
    struct TooMany: Error {
        var responsible: [(rule: Int, records: Int)]
    }

    let axis: RegionAxis
    private(set) var classes: [Class] = []
    /// Runs of portsets, ascending, with their class; those without any mapping are left out.
    private(set) var runs: [(portsets: ClosedRange<UInt16>, number: Int)] = []

    init(_ content: ZoneContent, recordsMax: Int) throws(TooMany) {
        axis = RegionAxis([content])
        let axis = self.axis
        let edges = axis.segments.count
        let answers = Self.answers(content)
        // Regions with a name of their own in the DNS, by column.
        let widths = axis.segments.map(\.count) + content.setRegions.map { $0.id == nil ? 0 : 1 }
        var painter = RowPainter(content, axis)
        let rows = PortsetAxis([content])
        var numbers: [[Int32]: Int] = [:]
        var records = 0
        var shares = Array(repeating: 0, count: content.rules.count)
        for row in rows.starts.indices {
            let portsets = rows.portsets(row)
            let winners = painter.winners(portset: portsets.lowerBound).map { $0 < 0 ? -1 : answers[Int($0)] }
            if winners.allSatisfy({ $0 < 0 }) { continue }
            let number: Int
            if let known = numbers[winners] {
                number = known
            } else {
                number = classes.count
                numbers[winners] = number
                var size = 0
                for (column, rule) in winners.enumerated() where rule >= 0 {
                    let (count, overflow) = widths[column].multipliedReportingOverflow(
                        by: content.rules[Int(rule)].takesParentsAway ? 3 : content.rules[Int(rule)].parents.count)
                    size = overflow ? recordsMax + 1 : min(size + count, recordsMax + 1)
                    shares[Int(rule)] = min(shares[Int(rule)] + count, recordsMax + 1)
                }
                let edgeRules = sortedUnique(winners[..<edges].filter { $0 >= 0 }).map(Int.init)
                let roots = Mapping.roots(content, edgeRules: edgeRules) {
                    winners[edges + $0] < 0 ? nil : Int(winners[edges + $0])
                }
                classes.append(Class(rules: winners, roots: roots, records: size))
                records += size
            }
            if let last = runs.last, last.number == number, Int(last.portsets.upperBound) + 1 == portsets.lowerBound {
                runs[runs.count - 1].portsets = last.portsets.lowerBound...portsets.upperBound
            } else {
                runs.append((portsets, number))
            }
            guard records <= recordsMax else {
                let most = shares.indices.sorted { (shares[$0], $1) > (shares[$1], $0) }.prefix(3)
                throw TooMany(responsible: most.filter { shares[$0] > 0 }.map { ($0, shares[$0]) })
            }
        }
    }

    /// For each rule, the first with the same parents and TTL; -1 for `none` on a set region.
    private static func answers(_ content: ZoneContent) -> [Int32] {
        struct Answer: Hashable {
            var parents: [Int]
            var ttl: UInt32
        }
        var first: [Answer: Int32] = [:]
        return content.rules.enumerated().map { index, rule in
            if rule.parents.isEmpty, !rule.takesParentsAway { return -1 }
            let answer = Answer(parents: rule.parents, ttl: rule.ttl)
            if let known = first[answer] { return known }
            first[answer] = Int32(index)
            return Int32(index)
        }
    }
}
