/// Maps names to numbers: an open-addressing table with a fixed hash, at most half full.
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
        // Padding, since comparisons read eight bytes at a time.
        self.names = FlatArray(names + [0, 0, 0, 0, 0, 0, 0, 0])
    }

    var view: NameTableView { NameTableView(slots: slots.base, mask: slots.count - 1, names: names.base) }
}

/// The table as the query path reads it.
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

    /// True if the first `count` bytes of two names are equal. Well-formed names then have equal lengths too, since a
    /// zero byte outside their labels is always their last byte. Up to seven bytes after both names are read and
    /// ignored.
    @inline(__always) private static func areEqual(
        _ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, count: Int
    ) -> Bool {
        var position = 0
        while position < count {
            let difference =
                UnsafeRawPointer(a + position).loadUnaligned(as: UInt64.self)
                ^ UnsafeRawPointer(b + position).loadUnaligned(as: UInt64.self)
            let left = count &- position
            if left >= 8 {
                if difference != 0 { return false }
            } else if UInt64(littleEndian: difference) << UInt64(64 &- 8 &* left) != 0 {
                return false
            }
            position &+= 8
        }
        return true
    }
}

/// The names of the zones, in which the query path finds the zone of a query name.
struct ZoneTableView {
    let names: NameTableView
    /// Bit n is set if some zone name has n labels; bit 63 stands for 63 or more labels.
    private let lengths: UInt64
    /// Maximum number of labels in a zone name.
    let labelsMax: Int

    init(_ names: NameTableView, labelCounts: [Int]) {
        self.names = names
        lengths = labelCounts.reduce(0) { $0 | 1 << UInt64(min($1, 63)) }
        labelsMax = labelCounts.max() ?? 0
    }

    @inline(__always) func mayHave(labels count: Int) -> Bool { lengths >> UInt64(min(count, 63)) & 1 != 0 }
}
