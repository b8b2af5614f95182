/// A max-heap of rule numbers. Rules that no longer apply are dropped when they reach the top, so nothing ever needs to
/// be removed from the middle.
struct RuleHeap {
    private var items: [UInt32] = []

    mutating func insert(_ tag: UInt32) {
        items.append(tag)
        var child = items.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard items[parent] < items[child] else { break }
            items.swapAt(parent, child)
            child = parent
        }
    }

    /// The highest number for which `isActive` holds, or 0.
    mutating func top(where isActive: (UInt32) -> Bool) -> UInt32 {
        while let first = items.first {
            if isActive(first) { return first }
            removeFirst()
        }
        return 0
    }

    private mutating func removeFirst() {
        items.swapAt(0, items.count - 1)
        items.removeLast()
        var parent = 0
        while true {
            var largest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < items.count && items[child] > items[largest] {
                largest = child
            }
            guard largest != parent else { return }
            items.swapAt(parent, largest)
            parent = largest
        }
    }
}
