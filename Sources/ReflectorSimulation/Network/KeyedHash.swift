import ReflectorModel

/// A fast keyed hash of bytes for the simulator: MACs, seals and digests of events. It has no cryptographic strength,
/// but a wrong key or a changed byte gives another value, as with a real MAC.
struct KeyedHash {
    private var state: UInt64

    init(key: UInt64) { state = FixedHash.mix(key ^ 0x9e37_79b9_7f4a_7c15) }

    mutating func add(_ word: UInt64) {
        state = (state ^ word) &* 0x9fb2_1c65_1e98_df25
        state ^= state >> 29
    }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        var offset = 0
        while offset + 8 <= bytes.count {
            add(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var rest = UInt64(bytes.count)
        while offset < bytes.count {
            rest = rest << 8 | UInt64(bytes[offset])
            offset += 1
        }
        add(rest)
    }

    var value: UInt64 { FixedHash.mix(state) }

    /// Writes a tag of 16 bytes.
    func write(into tag: UnsafeMutableRawBufferPointer) {
        tag.storeBytes(of: value, toByteOffset: 0, as: UInt64.self)
        tag.storeBytes(of: FixedHash.mix(state ^ 0x5851_f42d_4c95_7f2d), toByteOffset: 8, as: UInt64.self)
    }
}
