import RelayWire

/// How the parents of a stream refused it. This decides which reason viewers and children get.
struct RefusalKinds: OptionSet {
    let rawValue: UInt8
    /// No such stream there, or no source of it.
    static let noSource = RefusalKinds(rawValue: 1)
    static let full = RefusalKinds(rawValue: 2)
    static let undecided = RefusalKinds(rawValue: 4)
    /// Silence, a loop, or a link that died.
    static let other = RefusalKinds(rawValue: 8)

    /// The reason to report if all parents refused the stream. A temporary reason takes precedence over a permanent
    /// one, so that viewers try again.
    var reason: UnavailableReason {
        if contains(.undecided) { return .parentUndecided }
        if contains(.full) { return .parentsFull }
        if contains(.noSource), !contains(.other) { return .noSource }
        return .refused
    }
}

extension RefusalKinds {
    init(_ status: SubscribeStatus) {
        switch status {
        case .unknownStream, .noSource: self = .noSource
        case .busy, .tableFull: self = .full
        case .undecided: self = .undecided
        case .ok, .pending, .loop, .crowded: self = .other
        }
    }
}
