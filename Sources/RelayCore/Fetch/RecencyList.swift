/// Table slots in order of last use, as a doubly linked list in arrays: every change takes constant time.
struct RecencyList {
    private static let none: Int32 = -1

    private var before: [Int32] = []
    private var after: [Int32] = []
    private var head: Int32 = none
    private var tail: Int32 = none

    /// The least recently used slot.
    var first: Int? { head == Self.none ? nil : Int(head) }

    /// Appends a slot that is not in the list.
    mutating func append(_ slot: Int) {
        while before.count <= slot {
            before.append(Self.none)
            after.append(Self.none)
        }
        let place = Int32(slot)
        before[slot] = tail
        after[slot] = Self.none
        if tail == Self.none { head = place } else { after[Int(tail)] = place }
        tail = place
    }

    /// Removes a slot that is in the list.
    mutating func remove(_ slot: Int) {
        let (previous, next) = (before[slot], after[slot])
        if previous == Self.none { head = next } else { after[Int(previous)] = next }
        if next == Self.none { tail = previous } else { before[Int(next)] = previous }
        before[slot] = Self.none
        after[slot] = Self.none
    }

    /// Moves a slot of the list to the end.
    mutating func touch(_ slot: Int) {
        guard tail != Int32(slot) else { return }
        remove(slot)
        append(slot)
    }
}
