/// Turns 33-bit time stamps of 90 kHz, which wrap every 26.5 hours, into ones that do not.
///
/// All edges must count the wraps in the same way, whenever they joined. So the first time stamp is unwrapped to the
/// value nearest to the wall clock (90 kHz since 1970). Two edges get different values only if that time stamp is half
/// a wrap away from their clocks, give or take the difference between the clocks.
struct TimestampUnwrapper {
    /// Ticks per second.
    static let ticksPerSecond: Int64 = 90_000
    private static let wrap: Int64 = 1 << 33

    private var last: Int64?

    /// Unwraps `timestamp` to the value nearest to the last one, or to the wall clock if there is none.
    /// - Parameter wallClockSeconds: seconds since 1970.
    mutating func unwrap(_ timestamp: UInt64, wallClockSeconds: Int64) -> Int64 {
        let reference = last ?? wallClockSeconds &* Self.ticksPerSecond
        let value = Self.nearest(timestamp, to: reference)
        last = value
        return value
    }

    /// Ticks from the last time stamp to this one, at most half a wrap either way; nil before the first.
    func step(to timestamp: UInt64) -> Int64? { last.map { Self.nearest(timestamp, to: $0) &- $0 } }

    /// True after the first time stamp.
    var hasBegun: Bool { last != nil }

    /// Drops the last time stamp: the next begins a new time line.
    mutating func restart() { last = nil }

    /// Ticks from one 33-bit time stamp to another, at most half a wrap either way.
    static func distance(from: UInt64, to: UInt64) -> Int64 {
        let step = Int64(truncatingIfNeeded: to &- from) & (wrap - 1)
        return step >= wrap / 2 ? step - wrap : step
    }

    private static func nearest(_ timestamp: UInt64, to reference: Int64) -> Int64 {
        let low = Int64(truncatingIfNeeded: timestamp & UInt64(wrap - 1))
        var step = (low &- reference) & (wrap - 1)
        if step >= wrap / 2 { step -= wrap }
        return reference &+ step
    }
}
