/// Builds a `RuleIndex` in a sweep over the portsets at which some rule begins or ends. The sweep updates one mutable
/// segment tree, from which it copies the shared nodes of each portset's tree.
struct RuleIndexBuilder {
    /// Up to this number, new nodes are remembered, so that equal nodes are shared across the whole sweep. Later nodes
    /// are shared only between neighbouring portsets. This bounds the memory needed for building.
    static let sharedNodesMax = 1 << 19

    private let content: ZoneContent
    /// Rules that apply to none of these portsets are left out.
    private let portsets: ClosedRange<UInt16>
    private var index = RuleIndex()
    /// For each rule, the range of its edge regions' ordinals; nil for rules that have none, such as rules of set
    /// regions.
    private var ordinals: [ClosedRange<UInt32>?] = []
    /// First ordinal of each segment between the rules' boundaries.
    private var starts: [UInt32] = [0]
    /// Power of two ≥ number of segments; position 1 is the root, position p's children are 2p and 2p+1.
    private var width = 1
    private var active: [RuleHeap] = []
    private var drawn: [UInt32] = []
    private var isDirty: [Bool] = []
    private var known: [RuleIndex.Node: UInt32] = [:]

    /// - Parameter portsets: the portsets that will be queried.
    static func build(_ content: ZoneContent, portsets: ClosedRange<UInt16>) -> RuleIndex {
        var builder = RuleIndexBuilder(content, portsets)
        builder.numberRegions()
        builder.buildSetRegions()
        builder.sweep()
        return builder.index
    }

    /// Builds only the runs of set regions.
    static func buildSetRegions(_ content: ZoneContent) -> RuleIndex {
        var builder = RuleIndexBuilder(content, 0...UInt16.max)
        builder.buildSetRegions()
        return builder.index
    }

    private init(_ content: ZoneContent, _ portsets: ClosedRange<UInt16>) {
        self.content = content
        self.portsets = portsets
    }

    // MARK: Regions

    /// Merges adjacent declared ranges of regions, and turns each rule's regions into a range of ordinals.
    private mutating func numberRegions() {
        var next: UInt64 = 0
        for ids in content.edgeRegions.map(\.ids).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = index.declared.last, UInt64(ids.lowerBound) <= UInt64(last.upper) + 1 {
                guard ids.upperBound > last.upper else { continue }
                next += UInt64(ids.upperBound - last.upper)
                index.declared[index.declared.count - 1].upper = ids.upperBound
            } else {
                index.declared.append(
                    .init(lower: ids.lowerBound, upper: ids.upperBound, firstOrdinal: UInt32(truncatingIfNeeded: next)))
                next += UInt64(ids.count)
            }
        }
        let last = UInt32(truncatingIfNeeded: max(next, 1) - 1)
        var ends: [UInt32] = [0]
        for rule in content.rules {
            let range: ClosedRange<UInt32>? =
                switch rule.regions {
                case _ where next == 0 || !rule.portsets.overlaps(portsets): nil
                case .allEdge: 0...last
                case .edge(let ids): ordinalRange(of: ids, count: next)
                case .setRegion: nil
                }
            ordinals.append(range)
            guard let range else { continue }
            ends.append(range.lowerBound)
            if range.upperBound < last { ends.append(range.upperBound + 1) }
        }
        ends.sort()
        starts = ends.reduce(into: []) { if $0.last != $1 { $0.append($1) } }
        while width < starts.count { width *= 2 }
        active = Array(repeating: RuleHeap(), count: 2 * width)
        drawn = Array(repeating: 0, count: 2 * width)
        isDirty = Array(repeating: false, count: 2 * width)
    }

    /// Number of declared regions below `region`.
    private func ordinal(below region: UInt64, count: UInt64) -> UInt64 {
        var low = 0
        var high = index.declared.count
        while low < high {
            let middle = (low + high) / 2
            if UInt64(index.declared[middle].upper) < region { low = middle + 1 } else { high = middle }
        }
        guard low < index.declared.count else { return count }
        let run = index.declared[low]
        return UInt64(run.firstOrdinal) + (region > UInt64(run.lower) ? region - UInt64(run.lower) : 0)
    }

    private func ordinalRange(of ids: ClosedRange<UInt32>, count: UInt64) -> ClosedRange<UInt32>? {
        let lower = ordinal(below: UInt64(ids.lowerBound), count: count)
        let upper = ordinal(below: UInt64(ids.upperBound) + 1, count: count)
        return lower < upper ? UInt32(lower)...UInt32(upper - 1) : nil
    }

    // MARK: Set regions with parents of their own

    private mutating func buildSetRegions() {
        var rulesOf: [[Int]] = Array(repeating: [], count: content.setRegions.count)
        for (number, rule) in content.rules.enumerated() {
            if case .setRegion(let set) = rule.regions, rulesOf.indices.contains(set), rule.portsets.overlaps(portsets)
            {
                rulesOf[set].append(number)
            }
        }
        for (set, region) in content.setRegions.enumerated() where !rulesOf[set].isEmpty {
            let first = index.runs.count
            appendRuns(of: rulesOf[set])
            index.setRegions.append(
                .init(
                    id: region.id.map { UInt64($0.rawValue) } ?? .max, set: UInt32(set), firstRun: UInt32(first),
                    runCount: UInt32(index.runs.count - first)))
        }
        index.setRegions.sort { $0.id < $1.id }
    }

    private mutating func appendRuns(of rules: [Int]) {
        var heap = RuleHeap()
        var begin = rules.sorted { content.rules[$0].portsets.lowerBound < content.rules[$1].portsets.lowerBound }[...]
        for point in eventPoints(of: rules) {
            while let first = begin.first, UInt32(content.rules[first].portsets.lowerBound) == point {
                heap.insert(UInt32(first) + 1)
                begin.removeFirst()
            }
            let tag = heap.top { UInt32(content.rules[Int($0) - 1].portsets.upperBound) >= point }
            index.runs.append(.init(firstPortset: point, tag: tag))
        }
    }

    /// The portsets at which a rule begins or has just ended, ascending, 0 first.
    private func eventPoints(of rules: some Sequence<Int>) -> [UInt32] {
        var points: [UInt32] = [0]
        for rule in rules {
            points.append(UInt32(content.rules[rule].portsets.lowerBound))
            points.append(UInt32(content.rules[rule].portsets.upperBound) + 1)
        }
        points.sort()
        return points.reduce(into: []) { if $0.last != $1, $1 <= 65_535 { $0.append($1) } }
    }

    // MARK: The sweep

    private mutating func sweep() {
        let rules = content.rules
        let edgeRules = rules.indices.filter { ordinals[$0] != nil }
        var begin = edgeRules.sorted { rules[$0].portsets.lowerBound < rules[$1].portsets.lowerBound }[...]
        var end = edgeRules.sorted { rules[$0].portsets.upperBound < rules[$1].portsets.upperBound }[...]
        var roots = RootSetFinder(content)
        let points = eventPoints(of: rules.indices.filter { rules[$0].portsets.overlaps(portsets) })
        index.classOf.reserveCapacity(65_536)
        for (number, point) in points.enumerated() {
            while let first = end.first, UInt32(rules[first].portsets.upperBound) + 1 <= point {
                if let range = ordinals[first] { touch(range, inserting: nil) }
                end.removeFirst()
            }
            while let first = begin.first, UInt32(rules[first].portsets.lowerBound) == point {
                if let range = ordinals[first] { touch(range, inserting: UInt32(first) + 1) }
                begin.removeFirst()
            }
            let root = draw(1, segments: 0..<width, at: point)
            let found = roots.find(in: index, root: root, portset: UInt16(truncatingIfNeeded: point))
            let entry = RuleIndex.PortsetClass(root: root, rootSets: found.rootSets, exists: found.exists)
            if index.classes.last != entry { index.classes.append(entry) }
            let next = number + 1 < points.count ? Int(points[number + 1]) : 65_536
            let number = UInt16(truncatingIfNeeded: index.classes.count - 1)
            index.classOf.append(contentsOf: repeatElement(number, count: next - Int(point)))
        }
        index.rootSets = roots.sets
    }

    /// Marks the tree positions that cover `range`, and the positions above them, so that their nodes are copied again.
    private mutating func touch(_ range: ClosedRange<UInt32>, inserting tag: UInt32?) {
        let first = segment(of: range.lowerBound)
        let last = segment(of: range.upperBound)
        touch(position: 1, segments: 0..<width, target: first..<last + 1, inserting: tag)
    }

    private mutating func touch(position: Int, segments: Range<Int>, target: Range<Int>, inserting tag: UInt32?) {
        guard segments.overlaps(target) else { return }
        isDirty[position] = true
        if segments.lowerBound >= target.lowerBound, segments.upperBound <= target.upperBound {
            if let tag { active[position].insert(tag) }
            return
        }
        let middle = (segments.lowerBound + segments.upperBound) / 2
        touch(position: 2 * position, segments: segments.lowerBound..<middle, target: target, inserting: tag)
        touch(position: 2 * position + 1, segments: middle..<segments.upperBound, target: target, inserting: tag)
    }

    /// Last segment that begins at or before `ordinal`.
    private func segment(of ordinal: UInt32) -> Int {
        var low = 0
        var high = starts.count
        while low < high {
            let middle = (low + high) / 2
            if starts[middle] <= ordinal { low = middle + 1 } else { high = middle }
        }
        return low - 1
    }

    /// The shared node for a tree position, in its state at portset `point`.
    private mutating func draw(_ position: Int, segments: Range<Int>, at point: UInt32) -> UInt32 {
        guard isDirty[position] else { return drawn[position] }
        isDirty[position] = false
        let rules = content.rules
        let tag = active[position].top { UInt32(rules[Int($0) - 1].portsets.upperBound) >= point }
        var left: UInt32 = 0
        var right: UInt32 = 0
        let middle = (segments.lowerBound + segments.upperBound) / 2
        if position < width {
            left = draw(2 * position, segments: segments.lowerBound..<middle, at: point)
            right = draw(2 * position + 1, segments: middle..<segments.upperBound, at: point)
            if index.nodes[Int(left)].highest <= tag { left = 0 }
            if index.nodes[Int(right)].highest <= tag { right = 0 }
        }
        let result: UInt32
        if left == 0, right == 0 {
            result = tag == 0 ? 0 : share(.max, tag, 0, 0, previous: drawn[position])
        } else if left == right, tag == 0 {
            result = left
        } else {
            let leftLast = middle < starts.count ? starts[middle] - 1 : .max
            result = share(leftLast, tag, left, right, previous: drawn[position])
        }
        drawn[position] = result
        return result
    }

    private mutating func share(
        _ leftLast: UInt32, _ tag: UInt32, _ left: UInt32, _ right: UInt32, previous: UInt32
    ) -> UInt32 {
        let highest = max(tag, index.nodes[Int(left)].highest, index.nodes[Int(right)].highest)
        let node = RuleIndex.Node(leftLast: leftLast, tag: tag, left: left, right: right, highest: highest)
        if index.nodes[Int(previous)] == node { return previous }
        if let same = known[node] { return same }
        let number = UInt32(index.nodes.count)
        index.nodes.append(node)
        if index.nodes.count < Self.sharedNodesMax { known[node] = number }
        return number
    }
}
