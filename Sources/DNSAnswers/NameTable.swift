/// Finds a name's number: an open-addressed table of fixed hashes, at most half full.
struct NameTable {
    struct Slot: BitwiseCopyable {
        var hash: UInt64
        /// Offset of the name in `names`.
        var nameOffset: UInt32
        /// The name's number + 1; 0 marks an empty slot.
        var entry: UInt32
    }

    let slots: FlatArray<Slot>
    let names: FlatArray<UInt8>

    /// - Parameter list: distinct well-formed lower-case names; a name's number is its position.
    init(_ list: [[UInt8]]) {
        var capacity = 8
        while capacity < 2 * list.count { capacity *= 2 }
        var slots = Array(repeating: Slot(hash: 0, nameOffset: 0, entry: 0), count: capacity)
        var names: [UInt8] = []
        for (number, name) in list.enumerated() {
            let hash = WireName.hash(name)
            var position = Int(truncatingIfNeeded: hash) & (capacity - 1)
            while slots[position].entry != 0 { position = (position + 1) & (capacity - 1) }
            slots[position] = Slot(hash: hash, nameOffset: UInt32(names.count), entry: UInt32(number + 1))
            names += name
        }
        self.slots = FlatArray(slots)
        self.names = FlatArray(names)
    }

    var view: NameTableView { NameTableView(slots: slots.base, mask: slots.count - 1, names: names.base) }
}

/// The same, as the query path reads it.
struct NameTableView {
    let slots: UnsafePointer<NameTable.Slot>
    let mask: Int
    let names: UnsafePointer<UInt8>

    /// Number of the lower-case name of `count` bytes at `name`, or -1.
    @inline(__always) func find(hash: UInt64, name: UnsafePointer<UInt8>, count: Int) -> Int {
        var position = Int(truncatingIfNeeded: hash) & mask
        while true {
            let slot = slots[position]
            if slot.entry == 0 { return -1 }
            if slot.hash == hash, Self.areEqual(names + Int(slot.nameOffset), name, count: count) {
                return Int(slot.entry) - 1
            }
            position = (position &+ 1) & mask
        }
    }

    /// A stored name ends in its only zero byte outside a label, so that equal bytes mean equal length.
    @inline(__always) private static func areEqual(
        _ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, count: Int
    ) -> Bool {
        for index in 0..<count where a[index] != b[index] { return false }
        return true
    }
}
