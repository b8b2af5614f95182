/// Hashes for placement and ordering. `Hasher` has a different seed in every process, so it can't be used for anything
/// on which two nodes must agree; these hashes are fixed permanently by the vectors in `FixedHashTests`.
public enum FixedHash {
    /// The purpose of a hash, so that equal text gives unrelated values for two purposes.
    public enum Purpose: UInt64, Sendable {
        case node = 1
        case portset = 2
        case incarnation = 3
        case rendezvous = 4
        case shard = 5
        /// The multicast group on which an edge hands a stream to streaming servers.
        case output = 8
        /// The multicast group on which the members of a region give each other a stream.
        case lan = 9
    }

    /// FNV-1a over the UTF-8 bytes, started from the purpose, then finished by `mix`.
    public static func hash(_ text: String, purpose: Purpose) -> UInt64 {
        var state: UInt64 = 0xcbf2_9ce4_8422_2325 ^ mix(purpose.rawValue)
        for byte in text.utf8 { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        return mix(state)
    }

    /// The hash that results from adding one more word to `hash`.
    @inlinable public static func combine(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        mix((hash &* 0x9e37_79b9_7f4a_7c15) ^ mix(word))
    }

    /// The 64-bit finalizer of MurmurHash3 (Appleby): every input bit affects every output bit.
    @inlinable public static func mix(_ value: UInt64) -> UInt64 {
        var x = value
        x ^= x >> 33
        x = x &* 0xff51_afd7_ed55_8ccd
        x ^= x >> 33
        x = x &* 0xc4ce_b9fe_1a85_ec53
        x ^= x >> 33
        return x
    }

    /// Jump consistent hash (Lamping and Veach 2014): when the number of buckets grows by one to n, only 1/n of the
    /// keys move.
    public static func jump(_ key: UInt64, buckets: UInt32) -> UInt32 {
        var state = key
        var bucket: Int64 = -1
        var next: Int64 = 0
        while next < Int64(buckets) {
            bucket = next
            state = state &* 2_862_933_555_777_941_757 &+ 1
            next = Int64(Double(bucket + 1) * (Double(Int64(1) << 31) / Double((state >> 33) + 1)))
        }
        return UInt32(max(bucket, 0))
    }

    /// Score of a host for weighted rendezvous hashing. The host with the *lowest* score is first, and a host of weight
    /// 2 is first twice as often as one of weight 1. The score is `-log2(u) / weight`, for u uniform in (0, 1), scaled
    /// by 2⁴⁰. It uses only integer arithmetic, so that all nodes compute the same order.
    public static func rendezvousScore(key: UInt64, host: NodeID, weight: UInt32) -> UInt64 {
        let draw = combine(key, host.rawValue) | 1
        return negativeLog2(draw) / UInt64(max(weight, 1))
    }

    /// −log2(value / 2⁶⁴), scaled by 2⁴⁰. It is computed by repeated squaring of the mantissa.
    static func negativeLog2(_ value: UInt64) -> UInt64 {
        let leadingZeros = value.leadingZeroBitCount
        var mantissa = value << UInt64(leadingZeros)
        var fraction: UInt64 = 0
        for bit in 1...40 {
            let square = mantissa.multipliedFullWidth(by: mantissa).high
            if square & (1 << 63) != 0 {
                fraction |= 1 << UInt64(40 - bit)
                mantissa = square
            } else {
                mantissa = square << 1
            }
        }
        return (UInt64(leadingZeros + 1) << 40) - fraction
    }
}

/// A small fast generator for random values that must be reproducible from a seed (SplitMix64, Steele et al. 2014). Not
/// for secrets: those come from `PacketCrypto`.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64
    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state = state &+ 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
