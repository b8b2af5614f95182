import ReflectorModel

/// Finds the `map` line that wins for a portset and a region (of the lines that match, the last one in the file), and
/// the root set regions of a portset. This is the only rule engine: queries, `explain`, `list`, `diff`, `check` and
/// exports all use it.
package final class RuleMap: Sendable {
    let declared: FlatArray<RuleIndex.Declared>
    let nodes: FlatArray<RuleIndex.Node>
    let classOf: FlatArray<UInt16>
    let classes: FlatArray<RuleIndex.PortsetClass>
    let setRegions: FlatArray<RuleIndex.SetRegionEntry>
    let runs: FlatArray<RuleIndex.Run>
    /// Distinct sets of root set regions; the first is empty.
    let rootSets: [[Int]]
    /// Index in `setRegions` of each set region of the content; -1 if no line applies to it.
    private let entryOfSet: [Int32]

    /// - Parameter portsets: the portsets that callers will query. Lines about other portsets are skipped.
    package convenience init(_ content: ZoneContent, portsets: ClosedRange<UInt16> = 0...UInt16.max) {
        self.init(RuleIndexBuilder.build(content, portsets: portsets), setRegionCount: content.setRegions.count)
    }

    /// Reads only the lines about set regions. The result supports `runs(ofSetRegion:)` and nothing else.
    package convenience init(setRegionsOf content: ZoneContent) {
        self.init(RuleIndexBuilder.buildSetRegions(content), setRegionCount: content.setRegions.count)
    }

    private init(_ index: RuleIndex, setRegionCount: Int) {
        declared = FlatArray(index.declared)
        nodes = FlatArray(index.nodes)
        classOf = FlatArray(index.classOf)
        classes = FlatArray(index.classes)
        setRegions = FlatArray(index.setRegions)
        runs = FlatArray(index.runs)
        rootSets = index.rootSets
        var entries = Array(repeating: Int32(-1), count: setRegionCount)
        for (number, entry) in index.setRegions.enumerated() { entries[Int(entry.set)] = Int32(number) }
        entryOfSet = entries
    }

    /// Number of set regions that lines may name.
    var setRegionCount: Int { entryOfSet.count }

    var byteCount: Int {
        declared.byteCount + nodes.byteCount + classOf.byteCount + classes.byteCount + setRegions.byteCount
            + runs.byteCount
    }

    /// The map as the query path reads it. Valid as long as the map exists.
    var view: RuleIndexView {
        RuleIndexView(
            declared: declared.base, declaredCount: declared.count, nodes: nodes.base, classOf: classOf.base,
            classes: classes.base, setRegions: setRegions.base, setRegionCount: setRegions.count, runs: runs.base)
    }

    // MARK: Single names

    /// Index of the winning line, including `none` lines. Nil if no line matches or the region is not declared.
    package func winner(portset: PortsetID, region: RegionID) -> Int? {
        let tag = view.winner(portset: portset.rawValue, region: region.rawValue)
        return tag == 0 ? nil : Int(tag) - 1
    }

    /// Index of the winning line for a set region, given by its index in the content.
    package func winner(portset: UInt16, setRegion: Int) -> Int? {
        guard let entry = entry(of: setRegion) else { return nil }
        let tag = view.runTag(of: entry, portset: portset)
        return tag == 0 ? nil : Int(tag) - 1
    }

    /// True if any name below `s{P}` exists.
    package func isMapped(_ portset: PortsetID) -> Bool { view.entry(of: portset.rawValue).exists }

    // MARK: Roots

    /// Root set regions of a portset, as ascending indices.
    package func roots(of portset: UInt16) -> [Int] { rootSets[Int(view.entry(of: portset).rootSets)] }

    /// Union of the root set regions of every portset in `ranges`, ascending.
    package func roots(of ranges: [ClosedRange<UInt16>]) -> [Int] {
        var isSeen = Array(repeating: false, count: rootSets.count)
        var isRoot = Array(repeating: false, count: setRegionCount)
        for portset in ranges.joined() {
            let number = Int(view.entry(of: portset).rootSets)
            if isSeen[number] { continue }
            isSeen[number] = true
            for root in rootSets[number] { isRoot[root] = true }
        }
        return isRoot.indices.filter { isRoot[$0] }
    }

    // MARK: Runs and rows

    /// The portsets, from 0 up, at which the winning line of a set region changes, each with the index of the line that
    /// wins from there on (-1 for none). Empty if no line applies to the set region.
    package func runs(ofSetRegion set: Int) -> [(portset: Int, rule: Int)] {
        guard let entry = entry(of: set) else { return [] }
        var result: [(portset: Int, rule: Int)] = []
        for number in 0..<Int(entry.runCount) {
            let run = runs.base[Int(entry.firstRun) + number]
            let rule = Int(run.tag) - 1
            if result.last?.rule != rule { result.append((Int(run.firstPortset), rule)) }
        }
        return result
    }

    /// The lines that win for an edge region in some portset, as ascending indices.
    package func winners(region: RegionID) -> [Int] {
        let view = view
        guard let ordinal = view.ordinal(of: region.rawValue) else { return [] }
        var tags: Set<UInt32> = []
        for number in 0..<classes.count { tags.insert(view.winner(root: classes.base[number].root, ordinal: ordinal)) }
        return tags.filter { $0 != 0 }.map { Int($0) - 1 }.sorted()
    }

    /// Number of an edge region among the declared ones; nil if it is not declared.
    package func ordinal(of region: UInt32) -> UInt32? { view.ordinal(of: region) }

    /// Writes the index of each ordinal's winning line (-1 for none) to `result`, at the ordinal's position in
    /// `ordinals`, which must be ascending. Writes nothing if `result` already holds the row of a portset that shares
    /// this portset's tree.
    /// - Parameter tree: the tree that `result` was written for; nil at first.
    package func fill(
        _ result: inout [Int32], ordinals: [UInt32], portset: UInt16, tree: inout UInt32?
    ) {
        let root = view.entry(of: portset).root
        if tree == root { return }
        tree = root
        fill(&result, ordinals, node: root, best: 0, places: 0..<ordinals.count)
    }

    private func fill(_ result: inout [Int32], _ ordinals: [UInt32], node: UInt32, best: UInt32, places: Range<Int>) {
        guard !places.isEmpty else { return }
        let entry = nodes.base[Int(node)]
        // Node 0, "no rule below", ends the walk too.
        if entry.highest <= best {
            for place in places { result[place] = Int32(best) - 1 }
            return
        }
        let top = max(best, entry.tag)
        var (low, high) = (places.lowerBound, places.upperBound)
        while low < high {
            let middle = (low + high) / 2
            if ordinals[middle] <= entry.leftLast { low = middle + 1 } else { high = middle }
        }
        fill(&result, ordinals, node: entry.left, best: top, places: places.lowerBound..<low)
        fill(&result, ordinals, node: entry.right, best: top, places: low..<places.upperBound)
    }

    private func entry(of set: Int) -> RuleIndex.SetRegionEntry? {
        guard entryOfSet.indices.contains(set), entryOfSet[set] >= 0 else { return nil }
        return setRegions.base[Int(entryOfSet[set])]
    }
}

extension ZoneContent {
    /// Indices of all lines that match a portset and a region, in file order, including shadowed lines.
    package func rulesMatching(portset: PortsetID, region: RegionID) -> [Int] {
        let set = setRegions.firstIndex { $0.id == region }
        let isEdge = edgeRegions.contains { $0.ids.contains(region.rawValue) }
        return rules.indices.filter { index in
            guard rules[index].portsets.contains(portset.rawValue) else { return false }
            switch rules[index].regions {
            case .allEdge: return isEdge
            case .edge(let ids): return isEdge && ids.contains(region.rawValue)
            case .setRegion(let number): return number == set
            }
        }
    }
}
