/// At most one serial a second, on average: serials rest on Unix time and must not run away from it. One more may
/// follow closely, so that an edit, an override or a death right after another change is answered at once too. When
/// changes come without end, each waits for the next second: then, and only then, an edit may show up to
/// `interval` + settling time + compilation after its write.
struct SerialRateLimiter {
    static let interval = Duration.seconds(1)
    /// Serials that may follow each other without a pause.
    static let burst = 2

    /// When the budget would be full again.
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
