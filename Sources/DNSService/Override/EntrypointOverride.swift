import DNSAnswers
import ReflectorModel

/// An operator's decision about one candidate entrypoint of a stream, until it expires.
public struct EntrypointOverride: Sendable, Hashable {
    public typealias Action = ZoneContent.Election.Choice.Action

    /// Zone without the final dot, lower case.
    public var zone: String
    /// Name of a stream, or a pattern as a `stream` line has it: `live/*`.
    public var stream: String
    /// Host name of the candidate, relative to the zone.
    public var host: String
    public var action: Action
    /// Shown to people; printable ASCII.
    public var reason: String
    /// Expiry time in seconds since 1970.
    public var until: Int64
    /// Name of the operator who set it.
    public var by: String

    public init(
        zone: String, stream: String, host: String, action: Action, reason: String, until: Int64, by: String
    ) {
        self.zone = zone
        self.stream = stream
        self.host = host
        self.action = action
        self.reason = reason
        self.until = until
        self.by = by
    }

    /// `pin-entrypoint ep-nyc of live/news`.
    var decision: String { "\(action.rawValue)-entrypoint \(host) of \(stream)" }

    /// One line of the file in the state directory: fields separated by tabs, the reason last. The second field tells it
    /// from a line of `HostOverride`.
    var line: String {
        [zone, Self.kind, stream, host, action.rawValue, String(until), by, reason].joined(separator: "\t")
    }

    /// Nil for text that is not in the format of `line`.
    init?(line: Substring) {
        let fields = line.split(separator: Character("\t"), maxSplits: 7, omittingEmptySubsequences: false)
            .map(String.init)
        guard fields.count == 8, fields[1] == Self.kind, Self.isStream(fields[2]), ReflectorName.isHost(fields[3]),
            let action = Action(rawValue: fields[4]), let until = Int64(fields[5]), ReflectorName.isHost(fields[6]),
            HostOverride.isReason(fields[7])
        else { return nil }
        self.init(
            zone: fields[0], stream: fields[2], host: fields[3], action: action, reason: fields[7], until: until,
            by: fields[6])
    }

    private static let kind = "stream"

    private static func isStream(_ text: String) -> Bool {
        text == "*" || StreamName(text.hasSuffix("/*") ? text.dropLast(2) : text[...]) != nil
    }
}
