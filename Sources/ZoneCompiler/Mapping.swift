import DNSAnswers
import ReflectorModel

/// Which line decides about a (portset, region): the one place that says "the last that matches wins", for single
/// names and, over axes cut at the edges of all lines, for whole maps.
public enum Mapping {
    /// Index of the rule that decides about a portset of a region, `none` rules included. Nil if no line matches, or the
    /// region is not declared.
    public static func winner(_ content: ZoneContent, portset: PortsetID, region: RegionID) -> Int? {
        matches(content, portset: portset, region: region).last
    }

    /// Indices of all rules that match, in the order of the file; the last one wins.
    public static func matches(_ content: ZoneContent, portset: PortsetID, region: RegionID) -> [Int] {
        let set = content.setRegions.firstIndex { $0.id == region }
        let isEdge = content.edgeRegions.contains { $0.ids.contains(region.rawValue) }
        guard set != nil || isEdge else { return [] }
        return content.rules.indices.filter { index in
            let rule = content.rules[index]
            guard rule.portsets.contains(portset.rawValue) else { return false }
            switch rule.regions {
            case .allEdge: return isEdge
            case .edge(let ids): return isEdge && ids.contains(region.rawValue)
            case .setRegion(let number): return number == set
            }
        }
    }

    /// Set regions, as ascending indices, where the streams of a portset enter the tree: those that edge regions have
    /// as parents, and those parents' parents, as far as they have none themselves. `edgeRules` are the rules that win
    /// for some edge region, `setRule` the winning rule of a set region.
    static func roots(_ content: ZoneContent, edgeRules: [Int], setRule: (Int) -> Int?) -> [Int] {
        var isSeen = Array(repeating: false, count: content.setRegions.count)
        var found: [Int] = []
        func mark(_ parents: [Int]) {
            for parent in parents where !isSeen[parent] {
                isSeen[parent] = true
                found.append(parent)
            }
        }
        for rule in edgeRules { mark(content.rules[rule].parents) }
        var roots: [Int] = []
        var next = 0
        while next < found.count {
            let parents = setRule(found[next]).map { content.rules[$0].parents } ?? []
            if parents.isEmpty { roots.append(found[next]) } else { mark(parents) }
            next += 1
        }
        return roots.sorted()
    }

    /// Root set regions of one portset.
    public static func roots(_ content: ZoneContent, portset: PortsetID) -> [Int] {
        var painter = RowPainter(content, RegionAxis([content]))
        let winners = painter.winners(portset: portset.rawValue)
        let edgeCount = painter.axis.segments.count
        return roots(content, edgeRules: Array(Set(winners[..<edgeCount].filter { $0 >= 0 }.map(Int.init))).sorted()) {
            winners[edgeCount + $0] < 0 ? nil : Int(winners[edgeCount + $0])
        }
    }
}

/// The regions as columns: declared edge regions cut wherever a line or declaration begins or ends, then one column for
/// each set region.
struct RegionAxis: Sendable {
    /// Ascending, apart; every region of a segment is treated alike by every line.
    private(set) var segments: [ClosedRange<UInt32>] = []

    /// Cut for several contents at once, so that they can be compared column by column.
    init(_ contents: [ZoneContent]) {
        var cuts: [UInt64] = []
        var declared: [ClosedRange<UInt32>] = []
        for content in contents {
            for region in content.edgeRegions {
                declared.append(region.ids)
                cuts += [UInt64(region.ids.lowerBound), UInt64(region.ids.upperBound) + 1]
            }
            for rule in content.rules {
                if case .edge(let ids) = rule.regions {
                    cuts += [UInt64(ids.lowerBound), UInt64(ids.upperBound) + 1]
                }
            }
        }
        cuts = sortedUnique(cuts)
        var end: UInt64 = 0
        for range in declared.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            var low = max(UInt64(range.lowerBound), end)
            let stop = UInt64(range.upperBound) + 1
            var cut = lowerBound(cuts, low + 1)
            while low < stop {
                let high = cut < cuts.count ? min(cuts[cut], stop) : stop
                segments.append(UInt32(low)...UInt32(high - 1))
                low = high
                cut += 1
            }
            end = max(end, stop)
        }
    }

    /// Columns of an edge selector. Its ends are cuts.
    func columns(_ selector: ZoneContent.RegionSelector) -> Range<Int> {
        switch selector {
        case .allEdge: return 0..<segments.count
        case .setRegion(let number): return (segments.count + number)..<(segments.count + number + 1)
        case .edge(let ids):
            let low = firstSegment { $0.lowerBound >= ids.lowerBound }
            return low..<max(low, firstSegment { $0.lowerBound > ids.upperBound })
        }
    }

    private func firstSegment(_ isBehind: (ClosedRange<UInt32>) -> Bool) -> Int {
        var low = 0
        var high = segments.count
        while low < high {
            let middle = (low + high) / 2
            if isBehind(segments[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// The portsets as rows, cut wherever a line begins or ends.
struct PortsetAxis: Sendable {
    /// First portset of each row; the first is 0.
    let starts: [Int]

    init(_ contents: [ZoneContent]) {
        var cuts = [0]
        for content in contents {
            for rule in content.rules {
                cuts.append(Int(rule.portsets.lowerBound))
                cuts.append(Int(rule.portsets.upperBound) + 1)
            }
        }
        starts = sortedUnique(cuts).filter { $0 <= 65_535 }
    }

    func portsets(_ row: Int) -> ClosedRange<UInt16> {
        let end = row + 1 < starts.count ? starts[row + 1] : 65_536
        return UInt16(starts[row])...UInt16(end - 1)
    }

    func rows(_ portsets: ClosedRange<UInt16>) -> Range<Int> {
        lowerBound(starts, Int(portsets.lowerBound))..<lowerBound(starts, Int(portsets.upperBound) + 1)
    }
}

/// Finds the winning rule of every column of one row after another: lines are laid from the last to the first, each
/// only on what is still uncovered.
struct RowPainter {
    let axis: RegionAxis
    private let content: ZoneContent
    private let spans: [Range<Int>]
    /// Rules that begin, and that end, at a portset; ascending.
    private var begins: [[Int32]]
    private var ends: [[Int32]]
    /// Rules of the current row, ascending.
    private var active: [Int32] = []
    private var uncovered: DisjointSet
    private var portset = -1
    private let columnCount: Int

    init(_ content: ZoneContent, _ axis: RegionAxis) {
        self.content = content
        self.axis = axis
        columnCount = axis.segments.count + content.setRegions.count
        uncovered = DisjointSet(count: columnCount)
        spans = content.rules.map { axis.columns($0.regions) }
        begins = Array(repeating: [], count: 65_537)
        ends = begins
        for (index, rule) in content.rules.enumerated() {
            begins[Int(rule.portsets.lowerBound)].append(Int32(index))
            ends[Int(rule.portsets.upperBound) + 1].append(Int32(index))
        }
    }

    /// Winning rule of each column for a portset not below the last one asked for; -1 for none.
    mutating func winners(portset next: UInt16) -> [Int32] {
        while portset < Int(next) {
            portset += 1
            for rule in ends[portset] {
                let at = lowerBound(active, rule)
                if at < active.count, active[at] == rule { active.remove(at: at) }
            }
            for rule in begins[portset] { active.insert(rule, at: lowerBound(active, rule)) }
        }
        var result = Array(repeating: Int32(-1), count: columnCount)
        uncovered.clear()
        var left = columnCount
        for rule in active.reversed() {
            if left == 0 { break }
            let span = spans[Int(rule)]
            var column = uncovered.first(from: span.lowerBound)
            while column < span.upperBound {
                result[column] = rule
                left -= 1
                uncovered.cover(column)
                column = uncovered.first(from: column + 1)
            }
        }
        return result
    }
}

/// First index whose element is not below `value`.
func lowerBound<Element: Comparable>(_ sorted: [Element], _ value: Element) -> Int {
    var low = 0
    var high = sorted.count
    while low < high {
        let middle = (low + high) / 2
        if sorted[middle] < value { low = middle + 1 } else { high = middle }
    }
    return low
}

func sortedUnique<Element: Comparable>(_ values: [Element]) -> [Element] {
    var result: [Element] = []
    for value in values.sorted() where result.last != value { result.append(value) }
    return result
}
