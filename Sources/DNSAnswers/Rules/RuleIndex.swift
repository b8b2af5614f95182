/// Finds the `map` line that wins for a portset and a region: of the lines that match, the last one in the file. Built
/// once per generation.
///
/// Declared edge regions have consecutive numbers (ordinals), so that gaps between region ids cost nothing. A segment
/// tree over the ordinals holds the rules: a rule tags the O(log n) nodes that cover its regions; the answer is the
/// highest tag on the path from the root to the region. Each portset has such a tree. Trees of neighbouring portsets
/// share all nodes that no rule between them changes (path copying). For n rules the memory is therefore O(n log n),
/// even if the rules are overlapping rectangles (portsets × regions) with n² visible pieces. Subtrees that cannot beat
/// a tag above them are pruned.
struct RuleIndex {
    /// A range of declared edge regions and the ordinal of its first region.
    struct Declared: BitwiseCopyable {
        var lower: UInt32
        var upper: UInt32
        var firstOrdinal: UInt32
    }

    /// A node that many trees may share. Node 0 means "no rule below".
    struct Node: BitwiseCopyable, Hashable {
        /// Last ordinal that belongs to the left child.
        var leftLast: UInt32
        /// Highest rule (index + 1) that covers the whole node, or 0.
        var tag: UInt32
        var left: UInt32
        var right: UInt32
        /// Highest tag of this node and all nodes below it. A search that has already found this tag, or a higher one,
        /// can end here.
        var highest: UInt32
    }

    /// The properties that neighbouring portsets have in common.
    struct PortsetClass: BitwiseCopyable, Equatable {
        /// Root of its tree in `nodes`.
        var root: UInt32
        /// Its root set regions: index in `rootSets`; 0 for none.
        var rootSets: UInt32
        /// True when any name `n{k}.r{R}.s{P}` exists.
        var exists: Bool
    }

    /// A set region that some rule applies to, and the position of its runs.
    struct SetRegionEntry: BitwiseCopyable {
        /// Its region id. If it has none, a value above every id, so that no query can match it.
        var id: UInt64
        /// Index in `ZoneContent.setRegions`.
        var set: UInt32
        var firstRun: UInt32
        var runCount: UInt32
    }

    /// The portsets from `firstPortset` up to the start of the next run have this rule (index + 1, or 0 for none).
    struct Run: BitwiseCopyable {
        var firstPortset: UInt32
        var tag: UInt32
    }

    var declared: [Declared] = []
    var nodes: [Node] = [Node(leftLast: .max, tag: 0, left: 0, right: 0, highest: 0)]
    /// Class of each of the 65,536 portsets.
    var classOf: [UInt16] = []
    var classes: [PortsetClass] = []
    /// Sorted by id.
    var setRegions: [SetRegionEntry] = []
    var runs: [Run] = []
    /// Distinct sets of root set regions, as ascending indices in `ZoneContent.setRegions`. The first is empty.
    var rootSets: [[Int]] = [[]]
}

/// A rule index as the query path reads it.
struct RuleIndexView {
    let declared: UnsafePointer<RuleIndex.Declared>
    let declaredCount: Int
    let nodes: UnsafePointer<RuleIndex.Node>
    let classOf: UnsafePointer<UInt16>
    let classes: UnsafePointer<RuleIndex.PortsetClass>
    let setRegions: UnsafePointer<RuleIndex.SetRegionEntry>
    let setRegionCount: Int
    let runs: UnsafePointer<RuleIndex.Run>

    /// The winning rule (index + 1); 0 if there is none or the region is not declared.
    @inline(__always) func winner(portset: UInt16, region: UInt32) -> UInt32 {
        guard let ordinal = ordinal(of: region) else { return setRegionWinner(portset: portset, region: region) }
        return winner(root: entry(of: portset).root, ordinal: ordinal)
    }

    /// The winning rule (index + 1) of an edge region in the tree of a portset, or 0.
    @inline(__always) func winner(root: UInt32, ordinal: UInt32) -> UInt32 {
        var node = root
        var best: UInt32 = 0
        while true {
            let entry = nodes + Int(node)
            // Node 0, "no rule below", ends the walk too.
            if entry.pointee.highest <= best { return best }
            best = max(best, entry.pointee.tag)
            node = ordinal <= entry.pointee.leftLast ? entry.pointee.left : entry.pointee.right
        }
    }

    @inline(__always) func entry(of portset: UInt16) -> RuleIndex.PortsetClass {
        classes[Int(classOf[Int(portset)])]
    }

    @inline(__always) func ordinal(of region: UInt32) -> UInt32? {
        var low = 0
        var high = declaredCount
        while low < high {
            let middle = (low + high) >> 1
            if declared[middle].upper < region { low = middle + 1 } else { high = middle }
        }
        guard low < declaredCount, declared[low].lower <= region else { return nil }
        return declared[low].firstOrdinal &+ (region &- declared[low].lower)
    }

    private func setRegionWinner(portset: UInt16, region: UInt32) -> UInt32 {
        var low = 0
        var high = setRegionCount
        while low < high {
            let middle = (low + high) >> 1
            if setRegions[middle].id < UInt64(region) { low = middle + 1 } else { high = middle }
        }
        guard low < setRegionCount, setRegions[low].id == UInt64(region) else { return 0 }
        return runTag(of: setRegions[low], portset: portset)
    }

    /// The winning rule (index + 1) of a set region, or 0.
    func runTag(of entry: RuleIndex.SetRegionEntry, portset: UInt16) -> UInt32 {
        var low = 0
        var high = Int(entry.runCount)
        while low < high {
            let middle = (low + high) >> 1
            if runs[Int(entry.firstRun) + middle].firstPortset <= UInt32(portset) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low == 0 ? 0 : runs[Int(entry.firstRun) + low - 1].tag
    }
}
