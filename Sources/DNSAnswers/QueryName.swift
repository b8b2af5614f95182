/// The name of the current query: its bytes in lower case and the offsets of its labels. Each loop has one and reuses
/// it for every query.
struct QueryName: ~Copyable {
    static let labelsMax = 127

    /// `WireName.lengthMax` bytes, with room for reads of eight bytes at a time.
    let bytes: UnsafeMutablePointer<UInt8>
    let offsets: UnsafeMutablePointer<UInt8>
    /// Length of the name in bytes, including the root's zero.
    private(set) var length = 1
    /// Number of labels, without the root.
    private(set) var labelCount = 0

    init() {
        bytes = .allocate(capacity: 272)
        bytes.initialize(repeating: 0, count: 272)
        offsets = .allocate(capacity: Self.labelsMax + 1)
        offsets.initialize(repeating: 0, count: Self.labelsMax + 1)
    }

    deinit {
        bytes.deallocate()
        offsets.deallocate()
    }

    /// Reads the uncompressed name at `start`. False if it is compressed, too long, or extends beyond `end`.
    @inline(__always) mutating func load(_ source: UnsafePointer<UInt8>, start: Int, end: Int) -> Bool {
        var position = start
        var count = 0
        while true {
            guard position < end else { return false }
            let label = Int(source[position])
            if label == 0 { break }
            // If the two upper bits are set, this is a compression pointer, which no question needs.
            guard label < 64, position &- start &+ label &+ 2 <= WireName.lengthMax else { return false }
            offsets[count] = UInt8(truncatingIfNeeded: position &- start)
            count &+= 1
            position &+= label &+ 1
        }
        length = position &- start &+ 1
        labelCount = count
        copyLowercased(source + start, readable: end &- start)
        return true
    }

    /// Copies the name in lower case, eight bytes at a time. Reads may extend beyond the name, but not beyond
    /// `readable` bytes.
    @inline(__always) private func copyLowercased(_ source: UnsafePointer<UInt8>, readable: Int) {
        let (from, to) = (UnsafeRawPointer(source), UnsafeMutableRawPointer(bytes))
        let wordsEnd = min(length, readable &- 7)
        var position = 0
        while position < wordsEnd {
            let word = from.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            to.storeBytes(of: Self.lowercase(word), toByteOffset: position, as: UInt64.self)
            position &+= 8
        }
        while position < length {
            bytes[position] = UInt8(truncatingIfNeeded: Self.lowercase(UInt64(source[position])))
            position &+= 1
        }
    }

    /// Lowercases eight bytes. Length bytes are below 64 and so are not letters.
    @inline(__always) private static func lowercase(_ word: UInt64) -> UInt64 {
        let low = word & 0x7f7f_7f7f_7f7f_7f7f
        let aboveZ = low &+ 0x2525_2525_2525_2525
        let fromA = low &+ 0x3f3f_3f3f_3f3f_3f3f
        return word | (~word & (fromA ^ aboveZ) & 0x8080_8080_8080_8080) >> 2
    }

    @inline(__always) func label(_ number: Int) -> UnsafePointer<UInt8> {
        UnsafePointer(bytes + Int(offsets[number]))
    }

    /// Hash of the name that begins at a label, computed from the hash of the name to its right.
    @inline(__always) func extend(_ hash: UInt64, by number: Int) -> UInt64 {
        NameHash.extend(hash, label: UnsafeRawPointer(label(number)))
    }

    /// Hash of the name itself.
    var wholeHash: UInt64 {
        var hash = NameHash.root
        for number in stride(from: labelCount - 1, through: 0, by: -1) { hash = extend(hash, by: number) }
        return hash
    }

    /// Number in `table` of the name that begins at label `number` and has this hash, or -1.
    @inline(__always) func find(_ number: Int, hash: UInt64, in table: NameTableView) -> Int {
        let start = number == labelCount ? length &- 1 : Int(offsets[number])
        return table.find(hash: hash, name: UnsafePointer(bytes + start), count: length &- start)
    }

    /// The longest zone that contains this name: the zone's number (-1 if there is none), and the label at which the
    /// zone's name begins. The search ignores zones whose name would begin to the left of label `first`.
    @inline(__always) func longestSuffix(in zones: ZoneTableView, first: Int = 0) -> (number: Int, label: Int) {
        var label = labelCount
        var hash = NameHash.root
        var found = (number: zones.mayHave(labels: 0) ? find(label, hash: hash, in: zones.names) : -1, label: label)
        let last = max(labelCount &- zones.labelsMax, first)
        while label > last {
            label &-= 1
            hash = extend(hash, by: label)
            guard zones.mayHave(labels: labelCount &- label) else { continue }
            let number = find(label, hash: hash, in: zones.names)
            if number >= 0 { found = (number, label) }
        }
        return found
    }

    /// True when a label is `text`, given in lower case.
    @inline(__always) func label(_ number: Int, is text: StaticString) -> Bool {
        let label = label(number)
        guard Int(label[0]) == text.utf8CodeUnitCount else { return false }
        for index in 0..<text.utf8CodeUnitCount where label[1 &+ index] != text.utf8Start[index] { return false }
        return true
    }

    /// The number after the letter in labels such as `r1283` or `s4096`: decimal, without leading zeros, at most
    /// `most`. Nil for every other label.
    @inline(__always) func number(_ label: Int, letter: UInt8, most: UInt64) -> UInt64? {
        let text = self.label(label)
        let digits = Int(text[0]) &- 1
        guard text[1] == letter, digits >= 1, digits <= 10 else { return nil }
        if text[2] == 48 { return digits == 1 ? 0 : nil }
        var value: UInt64 = 0
        for index in 0..<digits {
            let digit = text[2 &+ index] &- 48
            guard digit <= 9 else { return nil }
            value = value &* 10 &+ UInt64(digit)
        }
        return value <= most ? value : nil
    }
}
