import ReflectorModel

/// Limits the input rate of an encoder. A file sent at network speed would overload the relay, which forwards data at
/// once; so input faster than `bitsPerSecond` is read more slowly, and TCP slows the sender.
///
/// One take may overdraw the bucket; the next then waits until the debt is paid back.
public struct TokenBucket {
    public let bitsPerSecond: UInt64
    /// Bytes that may come at once after a pause.
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

    /// Time until bytes may be taken again; zero if they may be taken now.
    public mutating func wait(at now: MonotonicInstant) -> TimeSpan {
        guard bitsPerSecond > 0 else { return .zero }
        let bytesPerNanosecond = Double(bitsPerSecond) / 8e9
        level = min(Double(burstBytes), level + Double((now - updated).nanoseconds) * bytesPerNanosecond)
        updated = now
        return level > 0 ? .zero : .nanoseconds(Int64(-level / bytesPerNanosecond) &+ 1)
    }

    /// Removes tokens for these bytes; `wait` must have returned zero.
    public mutating func take(_ bytes: Int) { level -= Double(bytes) }
}
