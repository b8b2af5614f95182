import DNSAnswers

/// Reads whole maps row by row: the winning rule of every column of an axis, as computed by `RuleMap`.
struct RuleRows {
    let map: RuleMap
    private let setRegionCount: Int
    /// Ordinals, in ascending order, of those segments of the axis that the map declares. `columns` has the column of
    /// each.
    private var ordinals: [UInt32] = []
    private var columns: [Int] = []
    private let edgeCount: Int
    /// The winners at `ordinals` in the row that was read last. They were read from `tree`.
    private var edges: [Int32]
    private var tree: UInt32?

    init(_ content: ZoneContent, _ axis: RegionAxis) {
        map = RuleMap(content)
        setRegionCount = content.setRegions.count
        edgeCount = axis.segments.count
        for (column, segment) in axis.segments.enumerated() {
            guard let ordinal = map.ordinal(of: segment.lowerBound) else { continue }
            ordinals.append(ordinal)
            columns.append(column)
        }
        edges = Array(repeating: -1, count: ordinals.count)
    }

    /// Winning rule of each column of a portset: edge segments, then set regions; -1 for none.
    mutating func winners(portset: UInt16) -> [Int32] {
        map.fill(&edges, ordinals: ordinals, portset: portset, tree: &tree)
        var result = Array(repeating: Int32(-1), count: edgeCount + setRegionCount)
        for (place, column) in columns.enumerated() { result[column] = edges[place] }
        for set in 0..<setRegionCount {
            if let rule = map.winner(portset: portset, setRegion: set) { result[edgeCount + set] = Int32(rule) }
        }
        return result
    }
}
