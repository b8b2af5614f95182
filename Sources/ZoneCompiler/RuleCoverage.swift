/// A plane of portsets × regions on which `map` lines are placed from the last to the first: where a line finds the
/// plane already covered, a later line wins. The plane is a binary tree of rectangles, each halved by its children. The
/// tree grows only along the lines' edges, so that the cost of 100,000 lines depends on their edges and never on their
/// area.
struct RuleCoverage {
    /// The result of placing a line.
    struct Finding: Equatable {
        /// True if part of the line is visible.
        var isSeen = false
        /// The line with the largest area among the later lines that cover part of this one; -1 for none.
        var coverer: Int32 = -1
    }

    /// Maximum number of steps over all lines; beyond it, `lay` returns nil.
    static let stepsMax = 60_000_000
    /// Maximum number of nodes of the tree.
    static let nodesMax = 8_000_000

    private struct Node {
        var left: Int32 = 0
        var right: Int32 = 0
        /// The line with the largest area among those visible in the node; -1 for none.
        var widest: Int32 = -1
        var isFull = false
    }

    private struct Rectangle {
        var rows: Range<Int>
        var columns: Range<Int>
    }

    private var nodes = [Node()]
    private let whole: Rectangle
    /// Area of each line: portsets times regions.
    private let areas: [Double]
    private var steps = 0

    init(rows: Int, columns: Int, areas: [Double]) {
        whole = Rectangle(rows: 0..<rows, columns: 0..<columns)
        self.areas = areas
    }

    /// Places line `rule`, which must precede all lines placed so far. Nil once a limit is exceeded.
    mutating func lay(_ rule: Int, rows: Range<Int>, columns: Range<Int>) -> Finding? {
        var finding = Finding()
        guard !rows.isEmpty, !columns.isEmpty else { return finding }
        lay(Int32(rule), Rectangle(rows: rows, columns: columns), node: 0, at: whole, &finding)
        return steps > Self.stepsMax || nodes.count > Self.nodesMax ? nil : finding
    }

    private mutating func lay(
        _ rule: Int32, _ line: Rectangle, node: Int, at place: Rectangle, _ finding: inout Finding
    ) {
        steps += 1
        guard steps <= Self.stepsMax, nodes.count <= Self.nodesMax else { return }
        let isInside =
            line.rows.lowerBound <= place.rows.lowerBound && line.rows.upperBound >= place.rows.upperBound
            && line.columns.lowerBound <= place.columns.lowerBound
            && line.columns.upperBound >= place.columns.upperBound
        let isLeaf = nodes[node].left == 0
        if nodes[node].isFull, isInside || isLeaf {
            note(nodes[node].widest, &finding)
            return
        }
        if isLeaf {
            if isInside {
                nodes[node].isFull = true
                nodes[node].widest = rule
                finding.isSeen = true
                return
            }
            nodes[node].left = Int32(nodes.count)
            nodes[node].right = Int32(nodes.count + 1)
            nodes.append(Node())
            nodes.append(Node())
        }
        let (first, second) = halves(place)
        let (left, right) = (Int(nodes[node].left), Int(nodes[node].right))
        if meets(line, first) { lay(rule, line, node: left, at: first, &finding) }
        if meets(line, second) { lay(rule, line, node: right, at: second, &finding) }
        nodes[node].isFull = nodes[left].isFull && nodes[right].isFull
        nodes[node].widest = wider(nodes[left].widest, nodes[right].widest)
    }

    private func halves(_ place: Rectangle) -> (Rectangle, Rectangle) {
        var (first, second) = (place, place)
        if place.rows.count >= place.columns.count {
            let middle = (place.rows.lowerBound + place.rows.upperBound) / 2
            first.rows = place.rows.lowerBound..<middle
            second.rows = middle..<place.rows.upperBound
        } else {
            let middle = (place.columns.lowerBound + place.columns.upperBound) / 2
            first.columns = place.columns.lowerBound..<middle
            second.columns = middle..<place.columns.upperBound
        }
        return (first, second)
    }

    private func meets(_ a: Rectangle, _ b: Rectangle) -> Bool {
        a.rows.overlaps(b.rows) && a.columns.overlaps(b.columns)
    }

    private func note(_ rule: Int32, _ finding: inout Finding) { finding.coverer = wider(finding.coverer, rule) }

    private func wider(_ a: Int32, _ b: Int32) -> Int32 {
        if a < 0 { return b }
        if b < 0 { return a }
        return areas[Int(a)] >= areas[Int(b)] ? a : b
    }
}
