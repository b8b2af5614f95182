import ReflectorModel

/// The part of a zone image that follows from the `map` lines alone, and grows with them: shared by all images of one
/// generation of the files, so that a host that dies or is drained costs nothing for them.
final class RuleTables: Sendable {
    let declared: FlatArray<RuleIndex.Declared>
    let nodes: FlatArray<RuleIndex.Node>
    let classOf: FlatArray<UInt16>
    let classes: FlatArray<RuleIndex.PortsetClass>
    let setRegions: FlatArray<RuleIndex.SetRegionEntry>
    let runs: FlatArray<RuleIndex.Run>
    let rules: FlatArray<RuleEntry>
    /// Where the rules were written.
    let text: FlatArray<UInt8>
    /// Distinct sets of root set regions; the first is empty.
    let rootSets: [[Int]]
    let defaultPortset: UInt16
    /// Number of set regions that rules may name.
    let setRegionCount: Int

    init(_ content: ZoneContent) {
        let index = RuleIndexBuilder.build(content)
        declared = FlatArray(index.declared)
        nodes = FlatArray(index.nodes)
        classOf = FlatArray(index.classOf)
        classes = FlatArray(index.classes)
        setRegions = FlatArray(index.setRegions)
        runs = FlatArray(index.runs)
        rootSets = index.rootSets
        var text: [UInt8] = []
        rules = FlatArray(content.rules.map { RuleEntry($0, in: content, text: &text) })
        self.text = FlatArray(text)
        defaultPortset = content.defaults.portset.rawValue
        setRegionCount = content.setRegions.count
    }

    var byteCount: Int {
        declared.byteCount + nodes.byteCount + classOf.byteCount + classes.byteCount + setRegions.byteCount
            + runs.byteCount + rules.byteCount + text.byteCount
    }

    /// Valid as long as the tables are.
    var view: RuleIndexView {
        RuleIndexView(
            declared: declared.base, declaredCount: declared.count, nodes: nodes.base, classOf: classOf.base,
            classes: classes.base, setRegions: setRegions.base, setRegionCount: setRegions.count, runs: runs.base)
    }

    /// Union of the root set regions of every portset in `ranges`, ascending.
    func roots(of ranges: [ClosedRange<UInt16>]) -> [Int] {
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
}

extension RuleEntry {
    fileprivate init(_ rule: ZoneContent.Rule, in content: ZoneContent, text: inout [UInt8]) {
        let source = Array(rule.source.description.utf8.prefix(255))
        let reference = TextReference(offset: UInt32(truncatingIfNeeded: text.count), length: UInt8(source.count))
        text += source
        let parents = rule.parents.prefix(3).map { UInt32($0) }
        self.init(
            ttl: rule.ttl, parentCount: UInt8(parents.count),
            parents: (parents.first ?? 0, parents.dropFirst().first ?? 0, parents.dropFirst(2).first ?? 0),
            source: reference, portsetLower: rule.portsets.lowerBound, portsetUpper: rule.portsets.upperBound,
            regionLower: 0, regionUpper: .max, isForSetRegion: false)
        if rule.takesParentsAway {
            let none = UInt32(content.setRegions.count)
            (parentCount, self.parents) = (3, (none, none, none))
        }
        switch rule.regions {
        case .allEdge: break
        case .edge(let ids): (regionLower, regionUpper) = (ids.lowerBound, ids.upperBound)
        case .setRegion(let set):
            isForSetRegion = true
            // A set region without an id can't be asked for: an empty range.
            let id = content.setRegions[set].id?.rawValue
            (regionLower, regionUpper) = id.map { ($0, $0) } ?? (1, 0)
        }
    }
}
