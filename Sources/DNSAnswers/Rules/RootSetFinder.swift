/// Finds the root set regions of a portset: set regions that have no parents for that portset, but are themselves
/// parents of some edge region, directly or through other set regions. `sets.s{P}` lists them, and entrypoints announce
/// to them.
struct RootSetFinder {
    /// Distinct results: each lists root set regions as ascending indices. The first is empty.
    private(set) var sets: [[Int]] = [[]]

    private let content: ZoneContent
    private var numberOf: [[Int]: UInt32] = [[]: 0]
    /// Number of set regions that at least one rule of edge regions names as a parent. Once all of them are found, the
    /// search may end.
    private let parentsMost: Int
    /// Number of the pass (one call of `find`) in which each rule or set region was last seen.
    private var ruleSeen: [UInt32]
    private var setSeen: [UInt32]
    private var pass: UInt32 = 0
    /// Cached results, by the values that determine them.
    private var remembered: [Key: (rootSets: UInt32, exists: Bool)] = [:]
    /// True if a line that removes parents won somewhere in this pass: names then exist for its cells.
    private var hasNone = false

    private struct Key: Hashable {
        var root: UInt32
        var setRules: [UInt32]
    }

    init(_ content: ZoneContent) {
        self.content = content
        var isParent = Array(repeating: false, count: content.setRegions.count)
        for rule in content.rules {
            if case .setRegion = rule.regions { continue }
            for parent in rule.parents where isParent.indices.contains(parent) { isParent[parent] = true }
        }
        parentsMost = isParent.count { $0 }
        ruleSeen = Array(repeating: 0, count: content.rules.count + 1)
        setSeen = Array(repeating: 0, count: content.setRegions.count)
    }

    /// The root set regions of `portset`, whose tree starts at node `root`, and whether any name of the portset exists.
    mutating func find(in index: RuleIndex, root: UInt32, portset: UInt16) -> (rootSets: UInt32, exists: Bool) {
        let setRules = index.setRegions.map { Self.tag(of: $0, in: index.runs, portset: portset) }
        let setHasParents = zip(setRules, index.setRegions).contains { tag, entry in
            tag != 0 && entry.id != .max && !content.rules[Int(tag) - 1].parents.isEmpty
        }
        let key = Key(root: root, setRules: setRules)
        if let known = remembered[key] { return known }

        pass += 1
        hasNone = false
        var found: [Int] = []
        collect(index.nodes, node: root, best: 0, into: &found)
        let rulesBySet = parentRules(of: index, setRules: setRules)
        var roots: [Int] = []
        var position = 0
        while position < found.count {
            let set = found[position]
            position += 1
            let tag = rulesBySet[set]
            let parents = tag == 0 ? [] : content.rules[Int(tag) - 1].parents
            if parents.isEmpty { roots.append(set) } else { mark(parents, into: &found) }
        }
        roots.sort()
        let number = numberOf[roots] ?? UInt32(sets.count)
        if number == sets.count {
            sets.append(roots)
            numberOf[roots] = number
        }
        let result = (rootSets: number, exists: number != 0 || setHasParents || hasNone)
        remembered[key] = result
        return result
    }

    private static func tag(of entry: RuleIndex.SetRegionEntry, in runs: [RuleIndex.Run], portset: UInt16) -> UInt32 {
        let own = runs[Int(entry.firstRun)..<Int(entry.firstRun + entry.runCount)]
        return own.last { $0.firstPortset <= UInt32(portset) }?.tag ?? 0
    }

    /// Winning rule (index + 1) of each set region, 0 for none.
    private func parentRules(of index: RuleIndex, setRules: [UInt32]) -> [UInt32] {
        var result = Array(repeating: UInt32(0), count: content.setRegions.count)
        for (entry, tag) in zip(index.setRegions, setRules) { result[Int(entry.set)] = tag }
        return result
    }

    /// Adds the parents of every rule that wins somewhere below `node`.
    private mutating func collect(_ nodes: [RuleIndex.Node], node: UInt32, best: UInt32, into found: inout [Int]) {
        if found.count == parentsMost, parentsMost > 0 || hasNone { return }
        let entry = nodes[Int(node)]
        let top = max(best, entry.tag)
        if entry.left == 0 || entry.right == 0 || node == 0 {
            if top != 0, ruleSeen[Int(top)] != pass {
                ruleSeen[Int(top)] = pass
                let parents = content.rules[Int(top) - 1].parents
                if parents.isEmpty { hasNone = true }
                mark(parents, into: &found)
            }
        }
        if entry.left != 0 { collect(nodes, node: entry.left, best: top, into: &found) }
        if entry.right != 0 { collect(nodes, node: entry.right, best: top, into: &found) }
    }

    private mutating func mark(_ parents: [Int], into found: inout [Int]) {
        for parent in parents where setSeen.indices.contains(parent) && setSeen[parent] != pass {
            setSeen[parent] = pass
            found.append(parent)
        }
    }
}
