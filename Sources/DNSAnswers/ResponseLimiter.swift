import ReflectorModel

/// Response rate limiting (RRL): limits how often one network gets the same answer over UDP, so that the server is
/// useless for reflection attacks with spoofed sources.
///
/// Each pair of source prefix (/24, /56) and answer has a token bucket. The answer is identified by what is sent, not
/// by the query name: all names answered with the same set region share a bucket, all nonexistent names of a zone
/// share one, and errors of one kind share one. Buckets per name would not limit an attacker, since a zone may have
/// 590 million names that all have an answer.
///
/// The table never grows. A new bucket may use one of four slots. If all four are in use, it evicts the least busy of
/// their buckets, whose network then starts again with a full bucket.
public struct ResponseLimiter: ~Copyable {
    public struct Configuration: Sendable, Equatable {
        /// Equal answers per second to one prefix; also the burst size.
        public var answersPerSecond: Int
        /// One in this many answers over the limit is sent truncated, so that a real client retries over TCP; 0 drops
        /// all, 1 drops none.
        public var slip: Int
        /// Number of buckets, 16 bytes each; rounded up to a power of two.
        public var buckets: Int

        public init(answersPerSecond: Int, slip: Int = 2, buckets: Int = 65_536) {
            self.answersPerSecond = answersPerSecond
            self.slip = slip
            self.buckets = buckets
        }
    }

    enum Verdict {
        case send
        /// Send it without records and with the TC bit.
        case truncate
        case drop
    }

    private struct Bucket: BitwiseCopyable {
        /// When the bucket will be full again, in nanoseconds; in the past if it is full now.
        var fullAt: Int64
        /// The source prefix and answer that it limits.
        var tag: UInt32
        /// Answers over the limit.
        var refused: UInt32
    }

    /// Number of slots that a bucket may use; together they are one cache line.
    private static let ways = 4
    private static let bucketsMax = 1 << 24

    private let buckets: UnsafeMutablePointer<Bucket>
    private let setMask: UInt64
    private let seed: UInt64
    private let cost: Int64
    private let slip: UInt32
    /// False for a limiter that lets everything pass.
    let isOn: Bool
    /// Number of buckets that were evicted while in use.
    public private(set) var evictions: UInt64 = 0

    /// - Parameters:
    ///   - configuration: nil lets everything pass.
    ///   - seed: random, so that an attacker can't choose sources that share a bucket.
    public init(_ configuration: Configuration?, seed: UInt64) {
        isOn = configuration != nil
        let configuration = configuration ?? Configuration(answersPerSecond: 1, buckets: 1)
        var count = Self.ways
        while count < configuration.buckets, count < Self.bucketsMax { count *= 2 }
        buckets = .allocate(capacity: count)
        buckets.initialize(repeating: Bucket(fullAt: .min, tag: 0, refused: 0), count: count)
        setMask = UInt64(count / Self.ways - 1)
        self.seed = seed
        cost = 1_000_000_000 / Int64(max(configuration.answersPerSecond, 1))
        slip = UInt32(clamping: configuration.slip)
    }

    deinit { buckets.deallocate() }

    /// Takes a token for one answer to a network.
    /// - Parameter kind: identifies the answer.
    @inline(__always) mutating func take(_ source: IPAddress, kind: UInt64, at now: MonotonicInstant) -> Verdict {
        let prefix = source.isV4 ? UInt64(source.v4 >> 8) | 1 << 63 : source.high >> 8
        let hash = FixedHash.mix(FixedHash.mix(prefix ^ seed) ^ kind)
        let set = buckets + Int(truncatingIfNeeded: hash & setMask) &* Self.ways
        let tag = UInt32(truncatingIfNeeded: hash >> 32)
        var chosen = set
        var way = 0
        while way < Self.ways {
            let bucket = set + way
            if bucket.pointee.tag == tag { return draw(bucket, at: now.nanoseconds) }
            if bucket.pointee.fullAt < chosen.pointee.fullAt { chosen = bucket }
            way &+= 1
        }
        if chosen.pointee.fullAt > now.nanoseconds { evictions &+= 1 }
        chosen.pointee = Bucket(fullAt: now.nanoseconds, tag: tag, refused: 0)
        return draw(chosen, at: now.nanoseconds)
    }

    @inline(__always) private func draw(_ bucket: UnsafeMutablePointer<Bucket>, at now: Int64) -> Verdict {
        let fullAt = max(bucket.pointee.fullAt, now)
        if fullAt &- now <= 1_000_000_000 &- cost {
            bucket.pointee.fullAt = fullAt &+ cost
            return .send
        }
        bucket.pointee.refused &+= 1
        return slip != 0 && bucket.pointee.refused % slip == 0 ? .truncate : .drop
    }
}
