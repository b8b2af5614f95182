/// The warnings before a certificate expires: 7 days, 1 day and 1 hour before.
public enum ExpiryWarning: UInt64, CaseIterable, Hashable, Sendable, CustomStringConvertible {
    case week = 604_800
    case day = 86_400
    case hour = 3_600

    /// How many seconds before the expiry it is given.
    public var secondsBefore: UInt64 { rawValue }

    public var description: String {
        switch self {
        case .week: "7 days"
        case .day: "1 day"
        case .hour: "1 hour"
        }
    }

    /// The warning that holds at a time, in seconds since 1970: the last one whose time has come. Nil more than a week
    /// before the expiry, and from the expiry on.
    public static func current(notAfter: UInt64, at seconds: UInt64) -> ExpiryWarning? {
        guard seconds < notAfter else { return nil }
        return allCases.last { notAfter - seconds <= $0.secondsBefore }
    }

    /// The next warning after a time, and when it is due. Nil in the last hour, and from the expiry on.
    public static func next(notAfter: UInt64, after seconds: UInt64) -> (warning: ExpiryWarning, at: UInt64)? {
        guard seconds < notAfter else { return nil }
        let left = notAfter - seconds
        return allCases.first { left > $0.secondsBefore }.map { ($0, notAfter - $0.secondsBefore) }
    }
}
