import ReflectorModel

/// SipHash-2-4 (Aumasson and Bernstein 2012), a keyed hash for short input, processed one word at a time. Interoperable
/// server cookies use it (RFC 9018 §4.4).
struct SipHash {
    /// 128 bits, as two little-endian words.
    struct Key: Sendable, Hashable, BitwiseCopyable {
        var low: UInt64
        var high: UInt64
    }

    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64

    @inline(__always) init(_ key: Key) {
        v0 = key.low ^ 0x736f_6d65_7073_6575
        v1 = key.high ^ 0x646f_7261_6e64_6f6d
        v2 = key.low ^ 0x6c79_6765_6e65_7261
        v3 = key.high ^ 0x7465_6462_7974_6573
    }

    /// Processes eight bytes of input; the first byte is the least significant.
    @inline(__always) mutating func absorb(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    /// Processes the remaining bytes and returns the hash; its first byte on the wire is the least significant.
    /// - Parameters:
    ///   - tail: the last 0 to 7 bytes; the first is the least significant.
    ///   - length: length of the whole input in bytes.
    @inline(__always) mutating func finish(tail: UInt64, length: UInt8) -> UInt64 {
        absorb(tail | UInt64(length) << 56)
        v2 ^= 0xff
        for _ in 0..<4 { round() }
        return v0 ^ v1 ^ v2 ^ v3
    }

    @inline(__always) private mutating func round() {
        v0 = v0 &+ v1
        v1 = (v1 << 13 | v1 >> 51) ^ v0
        v0 = v0 << 32 | v0 >> 32
        v2 = v2 &+ v3
        v3 = (v3 << 16 | v3 >> 48) ^ v2
        v0 = v0 &+ v3
        v3 = (v3 << 21 | v3 >> 43) ^ v0
        v2 = v2 &+ v1
        v1 = (v1 << 17 | v1 >> 47) ^ v2
        v2 = v2 << 32 | v2 >> 32
    }
}
