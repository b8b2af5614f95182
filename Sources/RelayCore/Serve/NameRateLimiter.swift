import ReflectorModel

/// Limits how many new stream names a peer may request: a burst, then a few a second. A token bucket in whole numbers.
struct NameRateLimiter {
    private let burst: Int64
    private let perSecond: Int64
    /// In thousandths of a name.
    private var tokens: Int64
    private var counted: MonotonicInstant

    init(burst: Int, perSecond: Int, at now: MonotonicInstant) {
        self.burst = Int64(burst)
        self.perSecond = Int64(perSecond)
        tokens = Int64(burst) * 1_000
        counted = now
    }

    /// Takes one name out of the bucket. False if none is left.
    mutating func take(at now: MonotonicInstant) -> Bool {
        // Only whole milliseconds are counted, and the fraction stays for the next call. An hour fills every bucket, so
        // a longer time counts as an hour.
        let passed = max((now - counted).milliseconds, 0)
        if passed > 0 {
            counted = counted + .milliseconds(passed)
            tokens = min(tokens + min(passed, 3_600_000) * perSecond, burst * 1_000)
        }
        guard tokens >= 1_000 else { return false }
        tokens -= 1_000
        return true
    }
}
