extension FixedHash {
    /// Hash of a stream's payload, to find equal payloads in two feeds. It reads 32 bytes at a time in four independent
    /// lanes, since a relay computes it for every packet of a hot stream. It has no cryptographic strength.
    @inlinable public static func payload(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var (a, b, c, d) = (mix(1), mix(2), mix(3), mix(4))
        var offset = 0
        while offset + 32 <= bytes.count {
            a = add(a, word(bytes, offset))
            b = add(b, word(bytes, offset + 8))
            c = add(c, word(bytes, offset + 16))
            d = add(d, word(bytes, offset + 24))
            offset += 32
        }
        while offset + 8 <= bytes.count {
            a = add(a, word(bytes, offset))
            offset += 8
        }
        var rest: UInt64 = 0
        var shift: UInt64 = 0
        while offset < bytes.count {
            rest |= UInt64(bytes[offset]) << shift
            shift += 8
            offset += 1
        }
        let start = combine(UInt64(bytes.count), rest)
        return combine(combine(combine(combine(start, a), b), c), d)
    }

    @inlinable @inline(__always) static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    @inlinable @inline(__always) static func add(_ lane: UInt64, _ word: UInt64) -> UInt64 {
        let product = (lane ^ word) &* 0x9fb2_1c65_1e98_df25
        return product ^ product >> 32
    }
}
