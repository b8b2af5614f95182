import DNSAnswers
import ReflectorModel

/// Checks `map` lines in combination: cycles among set regions, lines that never win, and lines whose order looks like
/// a mistake.
enum RuleChecks {
    /// Maximum number of steps in the search for cycles.
    private static let stepsMax = 50_000_000

    /// - Parameter words: the keyword of each rule, at whose position a problem of the rule is reported.
    static func run(_ content: ZoneContent, _ words: [Word], _ problems: inout ProblemList) {
        cycles(content, words, &problems)
        coverage(content, words, &problems)
        FamilyChecks.run(content, words, &problems)
    }

    private static func coverage(_ content: ZoneContent, _ words: [Word], _ problems: inout ProblemList) {
        let axis = RegionAxis([content])
        let rows = PortsetAxis([content])
        var before: [Double] = [0]
        for segment in axis.segments { before.append(before[before.count - 1] + Double(segment.count)) }
        let spans = content.rules.map { axis.columns($0.regions) }
        let areas = zip(content.rules, spans).map { rule, span -> Double in
            if case .setRegion = rule.regions { return Double(rule.portsets.count) }
            return Double(rule.portsets.count) * (before[span.upperBound] - before[span.lowerBound])
        }
        var coverage = RuleCoverage(
            rows: rows.starts.count, columns: axis.segments.count + content.setRegions.count, areas: areas)
        for index in content.rules.indices.reversed() {
            let rule = content.rules[index]
            if spans[index].isEmpty {
                problems.warning(words[index], "this line never matches: no region is declared; add 'region' lines")
                continue
            }
            guard let found = coverage.lay(index, rows: rows.rows(rule.portsets), columns: spans[index]) else {
                problems.warning(
                    words[index], "the map is too complex to find covered lines from here up; merge ranges")
                return
            }
            guard found.coverer >= 0 else { continue }
            let coverer = content.rules[Int(found.coverer)].source.line
            if !found.isSeen {
                problems.warning(
                    words[index],
                    "this line never matches: line \(coverer) and others below cover all of it; move it below them or "
                        + "remove it")
            } else if areas[Int(found.coverer)] > areas[index] {
                problems.warning(
                    words[index],
                    "line \(coverer) below covers part of this narrower line; move this one below it if it should win")
            }
        }
    }

    /// Reports set regions that are their own ancestors. Checks each portset at which another line begins to win for a
    /// set region.
    private static func cycles(_ content: ZoneContent, _ words: [Word], _ problems: inout ProblemList) {
        let map = RuleMap(setRegionsOf: content)
        var changes: [(portset: Int, set: Int, rule: Int)] = []
        for set in content.setRegions.indices {
            changes += map.runs(ofSetRegion: set).map { ($0.portset, set, $0.rule) }
        }
        changes.sort { ($0.portset, $0.set) < ($1.portset, $1.set) }

        var search = CycleDetector(content)
        var reported: Set<Int> = []
        var next = 0
        while next < changes.count {
            let portset = changes[next].portset
            let first = next
            while next < changes.count, changes[next].portset == portset {
                search.ruleOf[changes[next].set] = changes[next].rule
                next += 1
            }
            for change in changes[first..<next] where change.rule >= 0 && !reported.contains(change.rule) {
                guard let path = search.cycle(from: change.set) else { continue }
                let names = path.map { content.setRegions[$0].name }.joined(separator: " → ")
                for set in path { reported.insert(search.ruleOf[set]) }
                problems.error(
                    words[change.rule],
                    "parents go in a cycle for s\(portset): \(names); a set region can't be its own ancestor, so "
                        + "remove one of these lines")
            }
            if search.steps > stepsMax {
                problems.error(
                    words[changes[first].rule < 0 ? 0 : changes[first].rule],
                    "parents of set regions are too complex to check for cycles; merge ranges")
                return
            }
        }
    }
}
