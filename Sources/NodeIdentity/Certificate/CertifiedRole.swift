import ReflectorModel

/// What a certificate says that its node is. `NodePowers` says what follows from it.
public enum CertifiedRole: UInt8, Sendable, Hashable, CaseIterable, CustomStringConvertible {
    case entrypoint = 1
    case set = 2
    case edge = 3
    case observer = 4
    case nameServer = 5

    public var description: String { self == .nameServer ? "name-server" : nodeRole.description }

    /// The role that the node has in handshakes: a name server takes part only as a prober.
    public var nodeRole: NodeRole {
        switch self {
        case .entrypoint: .entrypoint
        case .set: .set
        case .edge: .edge
        case .observer, .nameServer: .observer
        }
    }
}

/// The region that a certificate binds its node to.
public enum CertifiedRegion: Hashable, Sendable, CustomStringConvertible {
    case none
    /// An edge's region, the only one for which it may fetch.
    case edge(RegionID)
    /// The set region, by its name in the zone, to which a set reflector belongs.
    case set(String)

    public var description: String {
        switch self {
        case .none: "none"
        case .edge(let region): region.description
        case .set(let name): name
        }
    }

    /// Whether a node of this role can have this region: an edge must have a region of edges, a set reflector may have
    /// a set region, and no other role has any.
    func isPossible(for role: CertifiedRole) -> Bool {
        switch (role, self) {
        case (.edge, .edge), (.set, .none), (.set, .set), (.entrypoint, .none), (.observer, .none),
            (.nameServer, .none):
            true
        default: false
        }
    }

    /// One label of a host name, and nothing that means a region of edges or a portset.
    static func isSetRegion(_ name: String) -> Bool {
        ReflectorName.isHost(name) && !name.utf8.contains(UInt8(ascii: "."))
            && name.utf8.count <= CertificateLimits.setRegionLengthMax
            && RegionID(label: name) == nil && PortsetID(label: name) == nil && name != "none"
    }
}
