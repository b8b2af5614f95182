import Glibc

/// The time of day, which an operator or NTP may set at any moment: for certificates, serials and expiry times. Timers
/// use `DatagramLoop.now`.
public enum WallClock {
    /// Seconds since 1970 (Unix time).
    public static var seconds: Int64 { Int64(time(nil)) }

    /// The same for certificates, whose times have no sign; 0 if the clock says a time before 1970.
    public static var certificateSeconds: UInt64 { UInt64(max(seconds, 0)) }
}
