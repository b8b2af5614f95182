/// How a stream's entrypoints share the work, as its line in the `.streams` file says. Nodes read it from the TXT
/// record of the stream's candidates.
public struct StreamPolicy: Hashable, Sendable {
    /// What an entrypoint does while another one leads the stream.
    public enum Standby: String, Hashable, Sendable, Codable, CaseIterable {
        /// It pulls from the encoder, or accepts the encoder's push, only when it leads.
        case cold
        /// It has the encoder's data and announces them, but nobody fetches them.
        case warm
        /// Two entrypoints forward the same bytes at once, and set reflectors merge them packet by packet.
        case hot
    }

    /// How many entrypoints may pull from the encoder at a time.
    public enum Pullers: String, Hashable, Sendable, Codable, CaseIterable {
        /// One: a backup begins only when a majority of the witnesses says that nobody leads.
        case one = "1"
        /// Several: the word of one witness that has subscribers suffices.
        case many
    }

    /// What happens if a second encoder provides the stream with the right key.
    public enum SecondEncoder: String, Hashable, Sendable, Codable, CaseIterable {
        /// It is refused while the first one sends.
        case refuse
        /// It replaces the first one.
        case takeover
    }

    public var isPull: Bool
    public var standby: Standby
    public var pullers: Pullers
    public var secondEncoder: SecondEncoder
    /// An encoder that pushes to a standby is redirected to the leader.
    public var redirects: Bool

    /// - Parameter standby: nil for the default, `warm` for push and `cold` for pull.
    public init(
        isPull: Bool, standby: Standby? = nil, pullers: Pullers = .one, secondEncoder: SecondEncoder = .refuse,
        redirects: Bool = false
    ) {
        self.isPull = isPull
        self.standby = standby ?? Self.defaultStandby(isPull: isPull)
        self.pullers = pullers
        self.secondEncoder = secondEncoder
        self.redirects = redirects
    }

    /// Reads the TXT strings at `news.live.streams`. A string that is absent or has an unknown value means the default.
    public init(text: [String]) {
        func value(_ key: String) -> String? {
            text.first { $0.hasPrefix(key + "=") }.map { String($0.dropFirst(key.utf8.count + 1)) }
        }
        self.init(
            isPull: value("ingest") == "pull", standby: value("standby").flatMap(Standby.init),
            pullers: value("pullers").flatMap(Pullers.init) ?? .one,
            secondEncoder: value("second").flatMap(SecondEncoder.init) ?? .refuse, redirects: value("redirect") == "yes"
        )
    }

    /// The TXT strings: `ingest=`, and those of the others that differ from their default.
    public var text: [String] {
        var text = [isPull ? "ingest=pull" : "ingest=push"]
        if standby != Self.defaultStandby(isPull: isPull) { text.append("standby=\(standby.rawValue)") }
        if pullers != .one { text.append("pullers=\(pullers.rawValue)") }
        if secondEncoder != .refuse { text.append("second=\(secondEncoder.rawValue)") }
        if redirects { text.append("redirect=yes") }
        return text
    }

    private static func defaultStandby(isPull: Bool) -> Standby { isPull ? .cold : .warm }
}
