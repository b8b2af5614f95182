import ReflectorModel

/// The next wake-up of each node, in a tournament tree. A change takes time proportional to the logarithm of the number
/// of nodes, and leaves no stale entry.
struct WakeTree {
    /// From index `leaves` on: the instants of the nodes. At 1 ..< `leaves`: the earlier of the two entries below.
    private var instants: [MonotonicInstant] = [.distantFuture, .distantFuture]
    private var leaves = 1

    /// The earliest instant.
    var next: MonotonicInstant { instants[1] }

    /// The node that wakes at the instant `next`; if there are several, the one with the lowest number.
    var first: Int {
        var place = 1
        while place < leaves {
            place *= 2
            if instants[place] != instants[place / 2] { place += 1 }
        }
        return place - leaves
    }

    /// The instant at which this node wakes.
    subscript(_ node: Int) -> MonotonicInstant { instants[leaves + node] }

    /// Makes room for this many nodes; new ones do not wake.
    mutating func grow(to count: Int) {
        guard count > leaves else { return }
        let before = instants[leaves...]
        while leaves < count { leaves *= 2 }
        instants = Array(repeating: .distantFuture, count: 2 * leaves)
        for (node, at) in before.enumerated() { set(node, at) }
    }

    mutating func set(_ node: Int, _ at: MonotonicInstant) {
        var place = leaves + node
        guard instants[place] != at else { return }
        instants[place] = at
        while place > 1 {
            place /= 2
            let sooner = min(instants[2 * place], instants[2 * place + 1])
            guard instants[place] != sooner else { return }
            instants[place] = sooner
        }
    }
}
