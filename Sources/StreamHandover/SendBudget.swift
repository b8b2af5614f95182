import ReflectorModel

/// A token bucket for bytes to send: one takes only what is there, so that the limit holds at every moment.
struct SendBudget {
    private let bitsPerSecond: UInt64
    private let burstBytes: Double
    private var level: Double
    private var updated: MonotonicInstant

    /// - Parameter burst: how much time's worth of bytes may be sent at once after a pause; at least one datagram is.
    init(bitsPerSecond: UInt64, burst: TimeSpan, at now: MonotonicInstant) {
        self.bitsPerSecond = bitsPerSecond
        burstBytes = max(Double(bitsPerSecond) / 8 * burst.seconds, Double(DatagramPacker.lengthMax))
        level = burstBytes
        updated = now
    }

    mutating func refill(at now: MonotonicInstant) {
        level = min(burstBytes, level + (now - updated).seconds * Double(bitsPerSecond) / 8)
        updated = now
    }

    func allows(_ bytes: Int) -> Bool { level >= Double(bytes) }

    /// `allows` must have returned true.
    mutating func take(_ bytes: Int) { level -= Double(bytes) }
}
