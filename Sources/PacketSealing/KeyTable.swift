/// Keys identified by handles: a bounded array with a free list. A handle is valid until it is released; the slot is
/// then reused.
struct KeyTable<Context> {
    let countMax: Int
    private var slots: [Context?] = []
    private var free: [Int32] = []

    init(countMax: Int) { self.countMax = min(countMax, Int(Int32.max)) }

    /// Number of keys in the table.
    var count: Int { slots.count - free.count }
    /// True if there is room for this many more keys.
    func hasRoom(for keys: Int) -> Bool { countMax - count >= keys }

    /// Stores the key and returns its handle. There must be room.
    mutating func insert(_ context: Context) -> Int32 {
        precondition(hasRoom(for: 1), "KeyTable: insert without room")
        if let index = free.popLast() {
            slots[Int(index)] = context
            return index
        }
        slots.append(context)
        return Int32(slots.count - 1)
    }

    /// Removes the key and returns it to its owner, which frees it. Nil for a handle that is not in use.
    mutating func remove(_ index: Int32) -> Context? {
        guard let context = self[index] else { return nil }
        slots[Int(index)] = nil
        free.append(index)
        return context
    }

    /// Reading gives nil for a handle that is not in use. Writing requires a handle that is in use.
    subscript(_ index: Int32) -> Context? {
        get { slots.indices.contains(Int(index)) ? slots[Int(index)] : nil }
        set {
            precondition(self[index] != nil && newValue != nil, "KeyTable: a handle that is not in use")
            slots[Int(index)] = newValue
        }
    }

    /// Every key, for the owner to free.
    var all: [Context] { slots.compactMap { $0 } }
}
