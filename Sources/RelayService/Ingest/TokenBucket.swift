import ReflectorModel

/// How fast an encoder's bytes are let in. A file sent at the speed of the network would overrun the relay, which
/// sends at once what it gets; so input faster than `bitsPerSecond` is read more slowly, and TCP slows the sender.
///
/// The bucket may be overdrawn by one take; the next then waits until it is paid back.
public struct TokenBucket {
    public let bitsPerSecond: UInt64
    /// What may come at once after a pause, in bytes.
    public let burstBytes: Int
    /// Bytes that may be taken; negative when overdrawn.
    private var level: Double
    private var updated: MonotonicInstant

    /// - Parameter bitsPerSecond: 0 means no limit.
    public init(bitsPerSecond: UInt64, burstBytes: Int, at now: MonotonicInstant) {
        self.bitsPerSecond = bitsPerSecond
        self.burstBytes = burstBytes
        level = Double(burstBytes)
        updated = now
    }

    /// How long from `now` until bytes may be taken again; zero when they may be at once.
    public mutating func wait(at now: MonotonicInstant) -> TimeSpan {
        guard bitsPerSecond > 0 else { return .zero }
        let bytesPerNanosecond = Double(bitsPerSecond) / 8e9
        level = min(Double(burstBytes), level + Double((now - updated).nanoseconds) * bytesPerNanosecond)
        updated = now
        return level > 0 ? .zero : .nanoseconds(Int64(-level / bytesPerNanosecond) &+ 1)
    }

    /// Takes bytes out; `wait` was zero before.
    public mutating func take(_ bytes: Int) { level -= Double(bytes) }
}
