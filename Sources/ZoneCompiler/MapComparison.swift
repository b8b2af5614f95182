import DNSAnswers
import ReflectorModel

/// Compares two maps over common axes: rows of portsets and columns of regions that no line divides. Cells with the
/// same change are merged across columns, then down rows.
struct MapComparison {
    /// The answer of a cell. Equal answers are equal values, even if different lines give them.
    private struct Answer: Hashable {
        var parents: [String]
        var ttl: UInt32
    }

    /// A change: the indices in `answers` of the old and the new answer.
    private struct Way: Hashable {
        var old: Int
        var new: Int
    }

    /// The columns of one row that have the same change.
    private struct Strip: Hashable {
        var way: Way
        var columns: [Int]
    }

    private struct Open {
        var portsets: ClosedRange<UInt16>
        var oldRule: Int32
        var newRule: Int32
    }

    private let before: ZoneContent
    private let after: ZoneContent
    private let axis: RegionAxis
    private let rows: PortsetAxis
    /// Names of the set regions of both maps, with one column for each name. `setNumbers` has the number of each in the
    /// old map and in the new map.
    private let sets: [String]
    private let setNumbers: [(old: Int?, new: Int?)]
    private var answers: [Answer] = [Answer(parents: [], ttl: 0)]
    private var numbers: [Answer: Int] = [Answer(parents: [], ttl: 0): 0]
    private let streams: StreamCounts

    init(_ before: ZoneContent, _ after: ZoneContent) {
        self.before = before
        self.after = after
        axis = RegionAxis([before, after])
        rows = PortsetAxis([before, after])
        sets = sortedUnique((before.setRegions + after.setRegions).map(\.name))
        let old = Dictionary(uniqueKeysWithValues: before.setRegions.enumerated().map { ($1.name, $0) })
        let new = Dictionary(uniqueKeysWithValues: after.setRegions.enumerated().map { ($1.name, $0) })
        setNumbers = sets.map { (old[$0], new[$0]) }
        streams = StreamCounts(after)
    }

    mutating func moves(limit: Int) -> (moves: [ZoneDiff.Move], isCutShort: Bool) {
        let oldAnswers = before.rules.map { intern(before, $0) }
        let newAnswers = after.rules.map { intern(after, $0) }
        var oldRows = RuleRows(before, axis)
        var newRows = RuleRows(after, axis)
        let edges = axis.segments.count
        var open: [Strip: Open] = [:]
        var done: [(Strip, Open)] = []
        for row in rows.starts.indices {
            let portsets = rows.portsets(row)
            let old = oldRows.winners(portset: portsets.lowerBound)
            let new = newRows.winners(portset: portsets.lowerBound)
            var found: [Way: (columns: [Int], oldRule: Int32, newRule: Int32)] = [:]
            for column in 0..<(edges + sets.count) {
                let oldRule: Int32
                let newRule: Int32
                if column < edges {
                    oldRule = old[column]
                    newRule = new[column]
                } else {
                    oldRule = setNumbers[column - edges].old.map { old[edges + $0] } ?? -1
                    newRule = setNumbers[column - edges].new.map { new[edges + $0] } ?? -1
                }
                let way = Way(
                    old: oldRule < 0 ? 0 : oldAnswers[Int(oldRule)], new: newRule < 0 ? 0 : newAnswers[Int(newRule)])
                if way.old != way.new { found[way, default: ([], oldRule, newRule)].columns.append(column) }
            }
            var still: [Strip: Open] = [:]
            for (way, strip) in found {
                let key = Strip(way: way, columns: strip.columns)
                if let above = open.removeValue(forKey: key) {
                    still[key] = Open(
                        portsets: above.portsets.lowerBound...portsets.upperBound, oldRule: above.oldRule,
                        newRule: above.newRule)
                } else {
                    still[key] = Open(portsets: portsets, oldRule: strip.oldRule, newRule: strip.newRule)
                }
            }
            done += open.map { ($0, $1) }
            open = still
            if done.count > limit { break }
        }
        done += open.map { ($0, $1) }
        done.sort {
            ($0.1.portsets.lowerBound, $0.0.columns.first ?? 0, $0.0.way.old, $0.0.way.new)
                < ($1.1.portsets.lowerBound, $1.0.columns.first ?? 0, $1.0.way.old, $1.0.way.new)
        }
        return (done.prefix(max(limit, 0)).map { move($0, $1) }, done.count > limit)
    }

    private mutating func intern(_ content: ZoneContent, _ rule: ZoneContent.Rule) -> Int {
        // Without parents the TTL has no meaning.
        guard !rule.parents.isEmpty else { return 0 }
        let answer = Answer(parents: rule.parents.map { content.setRegions[$0].name }, ttl: rule.ttl)
        if let known = numbers[answer] { return known }
        numbers[answer] = answers.count
        answers.append(answer)
        return answers.count - 1
    }

    private func move(_ strip: Strip, _ open: Open) -> ZoneDiff.Move {
        let old = answers[strip.way.old]
        let new = answers[strip.way.new]
        let counted = streams.count(in: open.portsets)
        return ZoneDiff.Move(
            zone: after.zone, portsets: Self.text(open.portsets), regions: regions(strip.columns),
            oldParents: old.parents, newParents: new.parents, oldTTL: old.parents.isEmpty ? nil : old.ttl,
            newTTL: new.parents.isEmpty ? nil : new.ttl, streams: counted.exact, patterns: counted.patterns,
            oldRule: Self.rule(before, open.oldRule), newRule: Self.rule(after, open.newRule))
    }

    private static func text(_ portsets: ClosedRange<UInt16>) -> String {
        if portsets == 0...65_535 { return "s*" }
        return portsets.count == 1 ? "s\(portsets.lowerBound)" : "s\(portsets.lowerBound)-s\(portsets.upperBound)"
    }

    private static func rule(_ content: ZoneContent, _ rule: Int32) -> String? {
        guard rule >= 0 else { return nil }
        let source = content.rules[Int(rule)].source
        return "\(source.file):\(source.line)"
    }

    /// The columns as text: ranges of edge regions, with adjacent segments merged, and then names of set regions. All
    /// segments together are `r*` if there are several.
    private func regions(_ columns: [Int]) -> [String] {
        let edges = columns.prefix { $0 < axis.segments.count }
        var result: [String] = []
        if edges.count == axis.segments.count, edges.count > 1 {
            result = ["r*"]
        } else {
            var ranges: [ClosedRange<UInt32>] = []
            for column in edges {
                let segment = axis.segments[column]
                if let last = ranges.last, UInt64(last.upperBound) + 1 == UInt64(segment.lowerBound) {
                    ranges[ranges.count - 1] = last.lowerBound...segment.upperBound
                } else {
                    ranges.append(segment)
                }
            }
            result = ranges.map { $0.count == 1 ? "r\($0.lowerBound)" : "r\($0.lowerBound)-r\($0.upperBound)" }
        }
        return result + columns.dropFirst(edges.count).map { sets[$0 - axis.segments.count] }
    }
}

/// Counts the streams in ranges of portsets.
struct StreamCounts {
    /// Portsets of exact streams, ascending.
    private let portsets: [UInt16]
    private let patterns: [(range: ClosedRange<UInt16>, name: String)]

    init(_ content: ZoneContent) {
        var exact: [UInt16] = []
        var patterns: [(range: ClosedRange<UInt16>, name: String)] = []
        for stream in content.streams {
            switch (stream.isPattern, stream.portset) {
            case (false, .fixed(let id)): exact.append(id.rawValue)
            case (false, .hashed(let range)):
                if let name = StreamName(stream.name) { exact.append(name.portset(hashedInto: range).rawValue) }
            case (true, .fixed(let id)): patterns.append((id.rawValue...id.rawValue, stream.name))
            case (true, .hashed(let range)): patterns.append((range, stream.name))
            }
        }
        portsets = exact.sorted()
        self.patterns = patterns
    }

    func count(in range: ClosedRange<UInt16>) -> (exact: Int, patterns: [String]) {
        let low = lowerBound(portsets, range.lowerBound)
        let high = range.upperBound == .max ? portsets.count : lowerBound(portsets, range.upperBound + 1)
        return (high - low, patterns.filter { $0.range.overlaps(range) }.map(\.name))
    }
}
