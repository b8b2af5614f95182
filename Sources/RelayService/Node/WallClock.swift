import Glibc

/// The time for certificates.
enum WallClock {
    /// Seconds since 1970.
    static var seconds: UInt64 { UInt64(max(time(nil), 0)) }
}
