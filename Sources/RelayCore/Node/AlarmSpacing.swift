import ReflectorModel

/// Lets one alarm in ten seconds through: what goes on being wrong is told again, and no peer can fill the log.
struct AlarmSpacing {
    private static let spacing: TimeSpan = .seconds(10)
    private var last: MonotonicInstant?

    /// True if an alarm may be raised now, which is noted.
    mutating func isDue(at now: MonotonicInstant) -> Bool {
        if let last, now - last < Self.spacing { return false }
        last = now
        return true
    }
}

/// In which ways the parents of a stream refused it: why it cannot be had.
struct RefusalKinds: OptionSet {
    let rawValue: UInt8
    /// No such stream there, or no source of it.
    static let noSource = RefusalKinds(rawValue: 1)
    static let full = RefusalKinds(rawValue: 2)
    static let undecided = RefusalKinds(rawValue: 4)
    /// Silence, a loop, or a link that died.
    static let other = RefusalKinds(rawValue: 8)

    /// What to say of a stream that all refused. The worst that may pass weighs most: a viewer may try again.
    var reason: UnavailableReason {
        if contains(.undecided) { return .parentUndecided }
        if contains(.full) { return .parentsFull }
        if contains(.noSource), !contains(.other) { return .noSource }
        return .refused
    }
}
