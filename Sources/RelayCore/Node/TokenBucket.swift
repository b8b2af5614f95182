import ReflectorModel

/// Limits a rate but allows bursts (a token bucket, RFC 2697).
struct TokenBucket {
    /// Tokens per second, and the maximum that is saved up.
    let rate: Double
    let depth: Double
    private var tokens: Double
    private var filledAt: MonotonicInstant?

    init(rate: Double, depth: Double) {
        self.rate = rate
        self.depth = depth
        tokens = depth
    }

    /// Takes the tokens and returns true if there are enough.
    mutating func take(_ count: Double = 1, at now: MonotonicInstant) -> Bool {
        if let filledAt { tokens = min(tokens + rate * max(now - filledAt, .zero).seconds, depth) }
        filledAt = now
        guard tokens >= count else { return false }
        tokens -= count
        return true
    }
}
