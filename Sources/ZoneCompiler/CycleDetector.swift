import DNSAnswers

/// Finds a set region that is its own ancestor, under the rules of one portset.
struct CycleDetector {
    /// Winning rule of each set region; -1 for none.
    var ruleOf: [Int]
    /// Number of set regions visited so far, over all searches.
    private(set) var steps = 0

    private let content: ZoneContent
    private var seen: [Int]
    private var pass = 0

    init(_ content: ZoneContent) {
        self.content = content
        ruleOf = Array(repeating: -1, count: content.setRegions.count)
        seen = Array(repeating: 0, count: content.setRegions.count)
    }

    /// The cycle from a set region through parents back to itself; the set region is both its first and its last
    /// element. Nil if there is none.
    mutating func cycle(from start: Int) -> [Int]? {
        pass += 1
        // The path from `start` to the current set region, and for each step the next parent to try.
        var path = [(set: start, next: 0)]
        while let here = path.last {
            let parents = ruleOf[here.set] < 0 ? [] : content.rules[ruleOf[here.set]].parents
            guard here.next < parents.count else {
                path.removeLast()
                continue
            }
            path[path.count - 1].next += 1
            let parent = parents[here.next]
            if parent == start { return path.map(\.set) + [start] }
            guard seen[parent] != pass else { continue }
            seen[parent] = pass
            steps += 1
            path.append((parent, 0))
        }
        return nil
    }
}
