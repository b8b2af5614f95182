import DNSAnswers
import ReflectorModel

/// Finds `map` lines that win somewhere and whose parents have no host left: their cells would be empty.
public enum EmptiedCells {
    /// Indices of such rules, ascending; lines that later lines cover completely do not count.
    public static func rules(_ content: ZoneContent) -> [Int] {
        let isEmpty = content.setRegions.map { content.answering($0).members.isEmpty }
        let emptied = content.rules.indices.filter { index in
            let parents = content.rules[index].parents.prefix(3)
            return !parents.isEmpty && parents.allSatisfy { isEmpty.indices.contains($0) && isEmpty[$0] }
        }
        guard let first = emptied.first else { return [] }
        let axis = RegionAxis([content])
        let rows = PortsetAxis([content])
        var coverage = RuleCoverage(
            rows: rows.starts.count, columns: axis.segments.count + content.setRegions.count,
            areas: Array(repeating: 1, count: content.rules.count))
        var isHidden = Array(repeating: false, count: content.rules.count)
        for index in content.rules.indices[first...].reversed() {
            let rule = content.rules[index]
            let columns = axis.columns(rule.regions)
            // Once `coverage` reaches a limit, it has no result; this line and all earlier ones count as visible.
            guard let found = coverage.lay(index, rows: rows.rows(rule.portsets), columns: columns) else { break }
            isHidden[index] = !found.isSeen
        }
        return emptied.filter { !isHidden[$0] }
    }
}
