/// A histogram of delays in 36 fixed buckets: small enough for one per stream; recording a delay allocates nothing.
///
/// Bucket 0 is below 2¹³ ns (8.2 µs). The upper bound of each further bucket is √2 times that of the previous one, so
/// bucket `i` is from 2^(13 + (i − 1)/2) to 2^(13 + i/2) ns; bucket 35 is everything from 2³⁰ ns (1.07 s) on.
public struct DelayBuckets: Sendable {
    public static let count = 36
    /// Exponents of two, in nanoseconds, of the upper bound of the first bucket and the lower bound of the last.
    private static let exponentMin = 13
    private static let exponentMax = 30

    private var buckets = InlineArray<36, UInt64>(repeating: 0)
    /// Sum of all delays, in nanoseconds.
    public private(set) var sumNanoseconds: UInt64 = 0

    public init() {}

    /// Number of delays in each bucket.
    public var counts: [UInt64] { buckets.indices.map { buckets[$0] } }

    /// Records the same delay for `count` packets. A negative delay counts as zero.
    public mutating func note(_ delay: TimeSpan, count: UInt64 = 1) {
        let nanoseconds = UInt64(max(delay.nanoseconds, 0))
        buckets[Self.bucket(of: nanoseconds)] &+= count
        sumNanoseconds &+= nanoseconds &* count
    }

    public static func += (a: inout DelayBuckets, b: DelayBuckets) {
        for bucket in 0..<count { a.buckets[bucket] &+= b.buckets[bucket] }
        a.sumNanoseconds &+= b.sumNanoseconds
    }

    static func bucket(of nanoseconds: UInt64) -> Int {
        let exponent = UInt64.bitWidth - 1 - nanoseconds.leadingZeroBitCount
        guard exponent >= exponentMin else { return 0 }
        guard exponent < exponentMax else { return count - 1 }
        // There are two buckets from 2^exponent to 2^(exponent + 1); the upper one begins at √2 · 2^exponent. The delay
        // is below 2³⁰, so its square fits into 64 bits.
        let isUpper = nanoseconds &* nanoseconds >= 1 << UInt64(2 * exponent + 1)
        return 1 + 2 * (exponent - exponentMin) + (isUpper ? 1 : 0)
    }

    /// The upper bound of a bucket, in seconds; infinite for the last.
    public static func bound(of bucket: Int) -> Double {
        guard bucket < count - 1 else { return .infinity }
        let whole = Double(UInt64(1) << UInt64(exponentMin + bucket / 2)) / 1e9
        return bucket.isMultiple(of: 2) ? whole : whole * 2.0.squareRoot()
    }

    /// Number of recorded delays.
    public var total: UInt64 { counts.reduce(0, &+) }

    /// The delay in milliseconds that a share (0 to 1) of all delays does not exceed. The result is the upper bound of
    /// the bucket of this delay: at most √2 times the true value, except in the first bucket. For the last bucket it is
    /// the lower bound. Nil if nothing was recorded.
    public func quantileMilliseconds(_ share: Double) -> Double? {
        let total = total
        guard total > 0 else { return nil }
        let wanted = max(1, (min(max(share, 0), 1) * Double(total)).rounded(.up))
        var seen: UInt64 = 0
        for (bucket, count) in counts.enumerated() {
            seen &+= count
            if Double(seen) >= wanted { return Self.bound(of: min(bucket, Self.count - 2)) * 1_000 }
        }
        return Self.bound(of: Self.count - 2) * 1_000
    }
}

extension DelayBuckets: Codable {
    private enum CodingKeys: String, CodingKey {
        case counts, sumNanoseconds, p50Milliseconds, p99Milliseconds
    }

    /// Encodes the quantiles too, for readers of the JSON; they are not decoded.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(counts, forKey: .counts)
        try container.encode(sumNanoseconds, forKey: .sumNanoseconds)
        try container.encodeIfPresent(quantileMilliseconds(0.5), forKey: .p50Milliseconds)
        try container.encodeIfPresent(quantileMilliseconds(0.99), forKey: .p99Milliseconds)
    }

    /// Throws if the number of buckets is wrong.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let counts = try container.decode([UInt64].self, forKey: .counts)
        sumNanoseconds = try container.decode(UInt64.self, forKey: .sumNanoseconds)
        guard counts.count == Self.count else {
            throw DecodingError.dataCorruptedError(
                forKey: .counts, in: container, debugDescription: "\(counts.count) buckets, not \(Self.count)")
        }
        for (bucket, count) in counts.enumerated() { buckets[bucket] = count }
    }
}

extension DelayBuckets: Equatable {
    public static func == (a: DelayBuckets, b: DelayBuckets) -> Bool {
        a.sumNanoseconds == b.sumNanoseconds && a.counts == b.counts
    }
}
