import ReflectorModel

/// Lets things pass at a rate, and so many at once that were saved up (a token bucket, RFC 2697).
struct TokenBucket {
    /// Tokens a second, and most that are saved up.
    let rate: Double
    let depth: Double
    private var tokens: Double
    private var filledAt: MonotonicInstant?

    init(rate: Double, depth: Double) {
        self.rate = rate
        self.depth = depth
        tokens = depth
    }

    /// True if there were as many tokens, which are taken.
    mutating func take(_ count: Double = 1, at now: MonotonicInstant) -> Bool {
        if let filledAt { tokens = min(tokens + rate * max(now - filledAt, .zero).seconds, depth) }
        filledAt = now
        guard tokens >= count else { return false }
        tokens -= count
        return true
    }
}

/// How often a person is told of what an attacker can cause at will: the first time at once, then every ten seconds, with
/// how often it happened.
struct AlarmPace {
    enum Kind: Int, CaseIterable {
        case linksRefused
        case linksEvicted
        case controlFlood
        case loopRefused
    }

    private static let span = TimeSpan.seconds(10)
    private var told = [MonotonicInstant?](repeating: nil, count: Kind.allCases.count)
    private var counts = [UInt64](repeating: 0, count: Kind.allCases.count)

    /// Counts one. Returns how many there were since the last alarm if it is time for the next, else nil.
    mutating func note(_ kind: Kind, _ count: UInt64 = 1, at now: MonotonicInstant) -> UInt64? {
        counts[kind.rawValue] &+= count
        if let last = told[kind.rawValue], now - last < Self.span { return nil }
        told[kind.rawValue] = now
        defer { counts[kind.rawValue] = 0 }
        return counts[kind.rawValue]
    }
}
