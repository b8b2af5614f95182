/// A length of time in whole nanoseconds; may be negative. 64 bits, so that arithmetic on the packet path is one
/// instruction (`Duration` is 128 bits of attoseconds).
public struct TimeSpan: Hashable, Comparable, Sendable {
    public var nanoseconds: Int64

    @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static let zero = TimeSpan(nanoseconds: 0)
    @inlinable public static func nanoseconds(_ n: Int64) -> TimeSpan { TimeSpan(nanoseconds: n) }
    @inlinable public static func microseconds(_ n: Int64) -> TimeSpan { TimeSpan(nanoseconds: n &* 1_000) }
    @inlinable public static func milliseconds(_ n: Int64) -> TimeSpan { TimeSpan(nanoseconds: n &* 1_000_000) }
    @inlinable public static func seconds(_ n: Int64) -> TimeSpan { TimeSpan(nanoseconds: n &* 1_000_000_000) }

    @inlinable public static func < (a: TimeSpan, b: TimeSpan) -> Bool { a.nanoseconds < b.nanoseconds }
    @inlinable public static func + (a: TimeSpan, b: TimeSpan) -> TimeSpan {
        TimeSpan(nanoseconds: a.nanoseconds &+ b.nanoseconds)
    }
    @inlinable public static func - (a: TimeSpan, b: TimeSpan) -> TimeSpan {
        TimeSpan(nanoseconds: a.nanoseconds &- b.nanoseconds)
    }
    @inlinable public static func * (a: TimeSpan, n: Int64) -> TimeSpan {
        TimeSpan(nanoseconds: a.nanoseconds &* n)
    }
    @inlinable public static func / (a: TimeSpan, n: Int64) -> TimeSpan { TimeSpan(nanoseconds: a.nanoseconds / n) }

    /// Whole milliseconds, rounded towards zero.
    @inlinable public var milliseconds: Int64 { nanoseconds / 1_000_000 }
    /// Seconds as a floating-point number, for display.
    @inlinable public var seconds: Double { Double(nanoseconds) / 1e9 }
}

/// An instant of a monotonic clock in nanoseconds since an arbitrary origin: the machine's start in a daemon, zero in
/// the simulator. The cores never read a clock; every entry point takes one of these as `now`.
public struct MonotonicInstant: Hashable, Comparable, Sendable {
    public var nanoseconds: Int64

    @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static let zero = MonotonicInstant(nanoseconds: 0)
    /// Later than every instant in use.
    public static let distantFuture = MonotonicInstant(nanoseconds: .max)

    @inlinable public static func < (a: MonotonicInstant, b: MonotonicInstant) -> Bool {
        a.nanoseconds < b.nanoseconds
    }
    @inlinable public static func + (a: MonotonicInstant, s: TimeSpan) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: a.nanoseconds &+ s.nanoseconds)
    }
    @inlinable public static func - (a: MonotonicInstant, s: TimeSpan) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: a.nanoseconds &- s.nanoseconds)
    }
    @inlinable public static func - (a: MonotonicInstant, b: MonotonicInstant) -> TimeSpan {
        TimeSpan(nanoseconds: a.nanoseconds &- b.nanoseconds)
    }
}
