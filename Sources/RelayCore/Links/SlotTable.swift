/// A table of objects with small stable numbers, iterated in order of number.
struct SlotTable<Element: AnyObject> {
    private var elements: [Element?] = []
    private var free: [Int] = []
    private(set) var count = 0

    subscript(_ slot: Int) -> Element? { slot < elements.count ? elements[slot] : nil }

    /// Inserts the element that `make` creates for the slot that it is given.
    mutating func insert(_ make: (Int) -> Element) -> Element {
        let slot = free.popLast() ?? elements.count
        if slot == elements.count { elements.append(nil) }
        let element = make(slot)
        elements[slot] = element
        count += 1
        return element
    }

    mutating func remove(_ slot: Int) {
        guard slot < elements.count, elements[slot] != nil else { return }
        elements[slot] = nil
        free.append(slot)
        count -= 1
    }

    /// Up to `count` elements from a slot on, and the slot of the next element, if there is one.
    func page(from first: Int, count: Int) -> (elements: [Element], next: Int?) {
        var found: [Element] = []
        var slot = max(first, 0)
        while slot < elements.count {
            if let element = elements[slot] {
                guard found.count < count else { return (found, slot) }
                found.append(element)
            }
            slot += 1
        }
        return (found, nil)
    }

    /// Everything in the table, by slot.
    var all: [Element] { elements.compactMap { $0 } }
}
