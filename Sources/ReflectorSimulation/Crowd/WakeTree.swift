import ReflectorModel

/// When each of a fixed number of nodes wakes next, and which is first: a tournament. Changing one costs the logarithm of
/// the number of nodes, and nothing stale is left behind, however often it changes.
struct WakeTree {
    /// From `leaves` on, the nodes' instants; at 1 ..< `leaves`, the sooner of the two below.
    private var instants: [MonotonicInstant]
    private let leaves: Int

    init(count: Int) {
        var leaves = 1
        while leaves < count { leaves *= 2 }
        self.leaves = leaves
        instants = Array(repeating: .distantFuture, count: 2 * leaves)
    }

    /// The soonest instant.
    var next: MonotonicInstant { instants[1] }

    /// The node that wakes then; of several, the one with the lowest number.
    var first: Int {
        var place = 1
        while place < leaves {
            place *= 2
            if instants[place] != instants[place / 2] { place += 1 }
        }
        return place - leaves
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
