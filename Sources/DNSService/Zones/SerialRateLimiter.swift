/// Limits serials to one per second on average, since serials follow Unix time and must not run ahead of it. A burst of
/// two is allowed, so that an edit, an override or a host's death right after another change appears in answers at
/// once. Only under continuous changes does each change wait for the next second: an edit may then take `interval` +
/// settling time + compilation to appear.
struct SerialRateLimiter {
    static let interval = Duration.seconds(1)
    /// Number of serials that may follow each other without a wait.
    static let burst = 2

    /// When the full burst is available again if no other serial is raised.
    private var fullAt: ContinuousClock.Instant?

    /// When the next serial may be raised.
    func next(at now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        guard let fullAt else { return now }
        return max(now, fullAt - Self.interval * (Self.burst - 1))
    }

    mutating func raised(at now: ContinuousClock.Instant) {
        fullAt = max(fullAt ?? now, now) + Self.interval
    }
}
