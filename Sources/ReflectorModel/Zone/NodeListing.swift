/// A host's roles according to the zone: the strings of `{host}.nodes`, one for each role.
public struct NodeListing: Hashable, Sendable {
    /// One role of a host in the network.
    public struct Part: Hashable, Sendable, CustomStringConvertible {
        public var role: NodeRole
        /// The region of an edge, or the id of a set reflector's set region if it has one.
        public var region: RegionID?

        public init(role: NodeRole, region: RegionID? = nil) {
            self.role = role
            self.region = region
        }

        /// The TXT string: `role=edge region=r1283`.
        public var description: String { "role=\(role)" + (region.map { " region=\($0)" } ?? "") }

        /// Reads the output of `description`, and ignores unknown words. Nil if there is no known role.
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

    /// Whether a node may claim this role. The claimed region must match the zone's. There are two exceptions: an
    /// entrypoint, and a set reflector if the claim or the zone gives no region (a set reflector need not know the id
    /// of its set region). If the zone lists no role of the host, every claim is allowed. The role of an observer is
    /// always allowed.
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
    /// Reads the name of a role that the zone can list. Nil for anything else, including `observer`.
    public init?(name: some StringProtocol) {
        switch name {
        case "entrypoint": self = .entrypoint
        case "set": self = .set
        case "edge": self = .edge
        default: return nil
        }
    }
}
