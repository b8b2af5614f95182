import ReflectorModel

/// Lets through one alarm per ten seconds: a lasting problem is reported again, and no peer can fill the log.
struct AlarmSpacing {
    private static let spacing: TimeSpan = .seconds(10)
    private var last: MonotonicInstant?

    /// True if an alarm may be raised now. Records it.
    mutating func isDue(at now: MonotonicInstant) -> Bool {
        if let last, now - last < Self.spacing { return false }
        last = now
        return true
    }
}
