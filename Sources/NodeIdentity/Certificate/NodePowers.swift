import ReflectorModel

/// What a node may do, as far as its certificate says. Each act also needs the zone's consent where the zone has the
/// host: *certificate and zone together*.
///
/// | power | entrypoint | set | edge | observer | name server |
/// |---|---|---|---|---|---|
/// | announce streams, and seal them | yes | – | – | – | – |
/// | accept announcements | – | yes | – | – | – |
/// | serve children | yes | yes | – | – | – |
/// | fetch streams | – | yes | its region | any | – |
/// | answer probes | yes | yes | yes | – | – |
/// | probe nodes | – | – | – | yes | yes |
///
/// No role may sign overrides, certificates or revocation lists. Only operators do that, and their keys are on no node:
/// nothing stolen from a node can sign them.
public struct NodePowers: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Announce streams to set reflectors. The zone must name the node as a candidate of each stream.
    public static let announce = NodePowers(rawValue: 1 << 0)
    /// Accept announcements of entrypoints.
    public static let acceptAnnouncements = NodePowers(rawValue: 1 << 1)
    /// Be the parent of a link on which streams are fetched.
    public static let serveChildren = NodePowers(rawValue: 1 << 2)
    /// Subscribe to streams.
    public static let fetch = NodePowers(rawValue: 1 << 3)
    /// Answer probes. An answer counts only from the host that was asked.
    public static let answerProbes = NodePowers(rawValue: 1 << 4)
    /// Ask nodes whether they are alive.
    public static let probe = NodePowers(rawValue: 1 << 5)

    /// The powers of a role.
    public init(of role: CertifiedRole) {
        switch role {
        case .entrypoint: self = [.announce, .serveChildren, .answerProbes]
        case .set: self = [.acceptAnnouncements, .serveChildren, .fetch, .answerProbes]
        case .edge: self = [.fetch, .answerProbes]
        case .observer: self = [.fetch, .probe]
        case .nameServer: self = [.probe]
        }
    }

    /// Whether a node can be the parent end of a link at all.
    var mayBeParent: Bool { !isDisjoint(with: [.serveChildren, .acceptAnnouncements, .answerProbes]) }
    /// Whether a node can be the child end of a link at all.
    var mayBeChild: Bool { !isDisjoint(with: [.announce, .fetch, .probe]) }
}

extension CertificateContent {
    public var powers: NodePowers { NodePowers(of: role) }
}
