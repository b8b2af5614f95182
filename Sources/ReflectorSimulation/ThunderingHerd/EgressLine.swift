import ReflectorModel

/// The outgoing line of one node: a rate for all its datagrams, and a short queue before it.
struct EgressLine {
    /// IPv4 and UDP headers, in bytes.
    static let networkOverhead = 28
    private var line: LinkImpairment
    private let delay: TimeSpan
    private(set) var waitMax = TimeSpan.zero
    /// The largest number of bits that the node sent to the line in one second.
    private(set) var busiestSecond = 0
    /// Bits in each of the ten newest tenths of a second; `tenth` is the number of the newest one.
    private var tenths = Array(repeating: 0, count: 10)
    private var tenth: Int64 = 0

    var dropped: UInt64 { line.counts.queueFull }

    /// - Parameters:
    ///   - bitsPerSecond: includes IPv4 and UDP headers; nil: no limit.
    ///   - queue: a datagram that would wait longer is dropped.
    init(bitsPerSecond: Int?, queue: TimeSpan, delay: TimeSpan, seed: UInt64) {
        var options = ImpairmentOptions()
        options.bitsPerSecond = bitsPerSecond.map(Int64.init)
        options.queue = queue
        options.delay = delay
        line = LinkImpairment(options, seed: seed)
        self.delay = delay
    }

    /// When a datagram of `bytes` bytes (not counting IPv4 and UDP headers) arrives; nil if it is dropped.
    mutating func admit(bytes: Int, at now: MonotonicInstant) -> MonotonicInstant? {
        let bytes = bytes + Self.networkOverhead
        note(bits: 8 * bytes, at: now)
        guard case .departs(let at, _) = line.admit(bytes: bytes, at: now) else { return nil }
        waitMax = max(waitMax, at - now - delay)
        return at
    }

    private mutating func note(bits: Int, at now: MonotonicInstant) {
        let current = now.nanoseconds / 100_000_000
        while tenth < current {
            tenth = max(tenth + 1, current - 10)
            tenths[Int(tenth % 10)] = 0
        }
        tenths[Int(current % 10)] += bits
        busiestSecond = max(busiestSecond, tenths.reduce(0, +))
    }
}
