/// What the zone says that a host is: the strings of `{host}.nodes`, one for each part that it has.
public struct NodeListing: Hashable, Sendable {
    /// One part of a host in the network.
    public struct Part: Hashable, Sendable, CustomStringConvertible {
        public var role: NodeRole
        /// Region of an edge; the set region's id of a set reflector, where it has one.
        public var region: RegionID?

        public init(role: NodeRole, region: RegionID? = nil) {
            self.role = role
            self.region = region
        }

        /// As the TXT string has it: `role=edge region=r1283`.
        public var description: String { "role=\(role)" + (region.map { " region=\($0)" } ?? "") }

        /// Nil for anything else.
        public init?(_ text: some StringProtocol) {
            var role: NodeRole?
            var region: RegionID?
            for word in text.split(separator: " ") {
                if word.hasPrefix("role=") { role = NodeRole(name: word.dropFirst(5)) }
                if word.hasPrefix("region=") { region = RegionID(label: word.dropFirst(7)) }
            }
            guard let role else { return nil }
            self.init(role: role, region: region)
        }
    }

    public var parts: [Part]

    public init(_ answer: LookUpAnswer) { parts = answer.text.compactMap { Part($0) } }

    /// Whether a node may say this of itself. A set reflector need not know the id of its set region; a zone that names
    /// no part of the host contradicts nothing.
    public func allows(role: NodeRole, region: RegionID?) -> Bool {
        guard !parts.isEmpty, role != .observer else { return true }
        return parts.contains { part in
            guard part.role == role else { return false }
            return part.region == region || role == .set && (region == nil || part.region == nil) || role == .entrypoint
        }
    }

    public var description: String { parts.map { "\($0)" }.joined(separator: ", ") }
}

extension NodeRole {
    /// Reads what `description` writes. Nil for anything else.
    public init?(name: some StringProtocol) {
        switch name {
        case "entrypoint": self = .entrypoint
        case "set": self = .set
        case "edge": self = .edge
        default: return nil
        }
    }
}
