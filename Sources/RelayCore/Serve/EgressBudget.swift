import ReflectorModel

/// What a node may send besides its live packets within its declared capacity (design §7, "Overload"): a token bucket
/// that fills at the rate of the capacity. Every datagram except a handshake takes its size from the bucket. Live
/// packets and control messages never wait for it. Other uses need a certain level in the bucket, which gives their
/// order: retransmits first, then the live rate of children that catch up, then what resumes get beyond that rate, then
/// prebursts of new viewers.
///
///     empty ├ retransmits ┼ shares as well ┼ resumes as well ┼ prebursts as well ┤ full: 10 ms of the capacity
///
/// However many children come at once, they share what the live packets leave.
struct EgressBudget {
    /// A use of the capacity, by the quarters of the bucket that it must leave for uses of higher priority.
    enum Use: Double {
        case retransmit = 0
        case share = 0.5
        case resume = 1
        case preburst = 2
    }

    /// IPv4 and UDP headers, in bytes.
    static let networkOverhead = 28
    private static let depth = TimeSpan.milliseconds(10)
    /// A bucket holds at least this many bits (four full datagrams): a slow node could send nothing otherwise.
    private static let depthMin = 48_000.0
    /// Live packets may overdraw the bucket by this many times its size. More debt would stop retransmits long after a
    /// peak.
    private static let debtMax = 10.0

    /// 0 is unlimited.
    private let bitsPerSecond: Double
    private let depthBits: Double
    private var bits: Double
    private var filledAt = MonotonicInstant.zero

    init(bitsPerSecond: UInt64) {
        self.bitsPerSecond = Double(bitsPerSecond)
        depthBits = max(self.bitsPerSecond * Self.depth.seconds, Self.depthMin)
        bits = depthBits
    }

    /// Fills the bucket for the time since the last call.
    mutating func refill(at now: MonotonicInstant) {
        guard bitsPerSecond > 0 else { return }
        let free = bitsPerSecond * max(now - filledAt, .zero).seconds
        bits = min(max(bits, -Self.debtMax * depthBits) + free, depthBits)
        filledAt = now
    }

    /// Takes the size of sent datagrams out of the bucket.
    ///
    /// - Parameter bytes: total size of the datagrams, without IP and UDP headers.
    mutating func spend(bytes: Int, datagrams: Int) {
        guard bitsPerSecond > 0 else { return }
        bits -= 8 * Double(bytes + datagrams * Self.networkOverhead)
    }

    /// Whether a datagram may be sent for this use; valid for the instant of the last `refill`.
    func admits(_ use: Use) -> Bool { bitsPerSecond == 0 || bits > depthBits * use.rawValue / 4 }

    /// How long until there is room for this use, if nothing else is sent meanwhile.
    func wait(for use: Use) -> TimeSpan {
        guard !admits(use) else { return .zero }
        let missing = depthBits * use.rawValue / 4 - bits
        // The capacity may be only a few bits a second, so the wait is limited to one second.
        return .nanoseconds(Int64(min(missing / bitsPerSecond, 1) * 1e9))
    }
}
