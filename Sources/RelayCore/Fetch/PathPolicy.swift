import ReflectorModel

/// How many paths fetch a stream, decided by what its streaming server receives ([A] §IV-B): a short bad period adds a
/// path, a long good period removes one. If a removal proves premature, the next one takes longer.
///
///     1 ──two bad seconds of three, or one very bad───▶ 2 ──still bad 2 s later──▶ 3
///     1 ◀──────────── good for `goodSpan`, doubled after each mistake ──────────── 2 …
public struct PathPolicy: Sendable, Equatable {
    /// What a streaming server received of a stream in one second.
    public struct Second: Sendable, Equatable {
        public var delivered: UInt64
        /// Given up at the play-out deadline: late or lost.
        public var missing: UInt64
        /// Delivered in time, but only after a NAK.
        public var repaired: UInt64

        public init(delivered: UInt64, missing: UInt64, repaired: UInt64) {
            self.delivered = min(delivered, Self.most)
            self.missing = min(missing, Self.most)
            self.repaired = min(repaired, Self.most)
        }

        /// A parent can make us count any number as missing. Counts above this limit add no information, and sums must
        /// not overflow.
        private static let most: UInt64 = 1 << 48

        private var packets: UInt64 { delivered + missing }
        /// At least one packet in a thousand is missing ([A]: residual loss < 0.1 %), or more than one in twenty needed
        /// a retransmit.
        public var isBad: Bool {
            packets > 0 && (missing * 1_000 >= packets && missing > 0 || repaired * 20 > packets)
        }
        /// At least one packet in fifty is missing: a path is down, or nearly so.
        public var isVeryBad: Bool { packets > 0 && missing * 50 >= packets && missing > 0 }
    }

    public static let pathsMax = 3
    /// A path is removed after this long without a bad second. The time doubles after each premature removal, up to
    /// `goodSpanMax`.
    public static let goodSpan = TimeSpan.seconds(300)
    public static let goodSpanMax = TimeSpan.seconds(1_200)
    /// How long an added path is given to show its effect.
    private static let patience = TimeSpan.seconds(2)

    /// How long not to return to a parent that was left because it was worse.
    public static let demotionSpan = TimeSpan.seconds(600)

    /// Number of paths wanted, 1 to `pathsMax`.
    public private(set) var wanted = 1
    /// Newest second in the lowest bit.
    private var badSeconds: UInt8 = 0
    private var lastBad = MonotonicInstant.zero
    private var raised: MonotonicInstant?
    private var lowered: MonotonicInstant?
    private var span = Self.goodSpan

    public init() {}

    /// Records the newest second. A second without any packet counts as neither bad nor very bad: detecting silence is
    /// left to the links.
    public mutating func note(_ second: Second, at now: MonotonicInstant) {
        badSeconds = badSeconds << 1 | (second.isBad ? 1 : 0)
        if second.isBad { lastBad = now }
        let isBadPeriod = second.isVeryBad || (badSeconds & 0b111).nonzeroBitCount >= 2
        if isBadPeriod, wanted < Self.pathsMax, raised.map({ now - $0 >= Self.patience }) ?? true {
            if let lowered {
                span = now - lowered < span ? min(span * 2, Self.goodSpanMax) : Self.goodSpan
            }
            lowered = nil
            raised = now
            wanted += 1
        } else if wanted > 1, let raised, now - max(lastBad, raised) >= span {
            wanted -= 1
            lowered = now
            self.raised = now
        }
    }
}

/// Decides which of a stream's paths is best: first by the loss of its link, then by its delay. A path later in the
/// zone's order must be clearly better, so that small differences move no stream.
public struct PathMerit: Sendable, Equatable {
    /// Share of recent packets lost, 0 to 1.
    public let loss: Double
    public let roundTrip: TimeSpan

    public init(loss: Double, roundTrip: TimeSpan) {
        self.loss = loss
        self.roundTrip = roundTrip
    }

    /// A parent is bad if its link loses more than this share of the packets.
    static let lossy = 0.02
    /// Smaller loss counts as none.
    private static let lossFloor = 0.005

    /// True if this path is preferred although the zone puts it behind `other`: it has less than half the loss, or no
    /// more loss and a round trip that is less than half as long and more than 50 ms shorter.
    public func isClearlyBetter(than other: PathMerit) -> Bool {
        if other.loss > Self.lossFloor, loss * 2 < other.loss { return true }
        let isAlike = loss <= max(other.loss, Self.lossFloor)
        return isAlike && roundTrip * 2 < other.roundTrip
            && other.roundTrip - roundTrip > .milliseconds(50)
    }
}
