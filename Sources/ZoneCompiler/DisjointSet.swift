/// A line of cells that get covered one by one, and a quick answer to "which is the next uncovered one?" (union-find with
/// path compression).
struct DisjointSet {
    private var next: [Int32]

    init(count: Int) { next = (0...Int32(count)).map { $0 } }

    mutating func clear() {
        for index in next.indices { next[index] = Int32(index) }
    }

    /// First uncovered cell at or behind `cell`; the count if there is none.
    mutating func first(from cell: Int) -> Int {
        var end = cell
        while next[end] != end { end = Int(next[end]) }
        var at = cell
        while next[at] != end {
            let following = Int(next[at])
            next[at] = Int32(end)
            at = following
        }
        return end
    }

    mutating func cover(_ cell: Int) { next[cell] = Int32(cell + 1) }
}
