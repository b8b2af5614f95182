import ReflectorModel

/// How often an operator is alerted to events that an attacker can cause at will: the first time at once, then at
/// most once every ten seconds, with the number of occurrences.
struct AlarmCounts {
    enum Kind: Int, CaseIterable {
        case linksRefused
        case linksEvicted
        case controlFlood
        case loopRefused
        case certificateRefused
        case powerExceeded
        case distrusted
    }

    private static let span = TimeSpan.seconds(10)
    private var told = [MonotonicInstant?](repeating: nil, count: Kind.allCases.count)
    private var counts = [UInt64](repeating: 0, count: Kind.allCases.count)

    /// Counts events. Returns their number since the last alarm if the next alarm is due, else nil.
    mutating func note(_ kind: Kind, _ count: UInt64 = 1, at now: MonotonicInstant) -> UInt64? {
        counts[kind.rawValue] &+= count
        if let last = told[kind.rawValue], now - last < Self.span { return nil }
        told[kind.rawValue] = now
        defer { counts[kind.rawValue] = 0 }
        return counts[kind.rawValue]
    }
}
