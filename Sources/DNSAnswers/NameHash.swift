/// The fixed hash that finds names in an image. Only the zone's files add names to the table, so clients cannot
/// lengthen its probe sequences.
enum NameHash {
    static let root: UInt64 = 0x9e37_79b9_7f4a_7c15

    /// Adds a label to `hash`, the hash of the name to the right of the label. `label` points to the label's length
    /// byte. Reads eight bytes at a time; up to seven bytes after the label are read and ignored.
    @inline(__always) static func extend(_ hash: UInt64, label: UnsafeRawPointer) -> UInt64 {
        var state = hash
        let count = Int(label.load(as: UInt8.self)) + 1
        var position = 0
        while position < count {
            var word = UInt64(littleEndian: label.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            let left = count &- position
            if left < 8 { word &= (1 << UInt64(8 &* left)) &- 1 }
            let product = (state ^ word).multipliedFullWidth(by: 0x9fb2_1c65_1e98_df25)
            state = product.high ^ product.low ^ 0xd6e8_feb8_6659_fd93
            position &+= 8
        }
        return state
    }
}
