import DNSAnswers
import ReflectorModel

/// An operator's override of a host, or of all set reflectors of a site, until it expires.
public struct HostOverride: Sendable, Hashable {
    /// The host or site that it applies to.
    public enum Subject: Sendable, Hashable, CustomStringConvertible {
        /// Host name relative to the zone.
        case host(String)
        /// The `site=` value of set regions.
        case site(String)
        public var description: String {
            switch self {
            case .host(let name): name
            case .site(let name): name
            }
        }
    }

    /// Zone without the final dot, lower case.
    public var zone: String
    public var subject: Subject
    public var override: ZoneContent.Override

    public init(zone: String, subject: Subject, override: ZoneContent.Override) {
        self.zone = zone
        self.subject = subject
        self.override = override
    }

    /// One line of the file in the state directory: fields separated by tabs, the reason last.
    var line: String {
        let kind = if case .host = subject { "host" } else { "site" }
        return [
            zone, kind, subject.description, override.action.rawValue, String(override.until), override.by,
            override.reason,
        ].joined(separator: "\t")
    }

    /// Nil for text that is not in the format of `line`.
    init?(line: Substring) {
        let fields = line.split(separator: Character("\t"), maxSplits: 6, omittingEmptySubsequences: false)
            .map(String.init)
        guard fields.count == 7, let action = ZoneContent.Override.Action(rawValue: fields[3]),
            let until = Int64(fields[4]), ReflectorName.isHost(fields[5]), Self.isReason(fields[6])
        else { return nil }
        switch fields[1] {
        case "host": subject = .host(fields[2])
        case "site": subject = .site(fields[2])
        default: return nil
        }
        zone = fields[0]
        override = ZoneContent.Override(action: action, reason: fields[6], until: until, by: fields[5])
    }

    /// Reasons appear in TXT records and in logs, so they must be printable ASCII and not too long.
    static func isReason(_ text: String) -> Bool {
        text.utf8.count <= ZoneContent.Override.reasonMax && text.utf8.allSatisfy { (0x20...0x7e).contains($0) }
    }
}
