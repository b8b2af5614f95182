import IdentityKeys
import NodeIdentity

extension RunFolder {
    /// Keys and certificates of all nodes, and the operator who signed them.
    public var identities: LocalIdentities { LocalIdentities(path + "/identities") }

    /// Makes the identities of a network, or reuses those of an earlier run with the same folder.
    /// - Parameter now: in seconds since 1970.
    public func makeIdentities(of plan: NetworkPlan, now: UInt64) throws(IdentityFileError) {
        let places = ZonePlaces(plan.content)
        let nodes = plan.nodes.map { node in
            // A node of the plan has one role; if its host has several places, that of this role.
            let place = places.places(of: node.name).first { $0.role == node.role.certified }
            return LocalIdentities.Node(
                name: node.name, role: node.role.certified, region: place?.region ?? .none)
        }
        try identities.make(nodes, zone: plan.zone, now: now)
    }
}

extension NetworkPlan.Role {
    /// The role in certificates.
    public var certified: CertifiedRole {
        switch self {
        case .nameServer: .nameServer
        case .entrypoint: .entrypoint
        case .set: .set
        case .edge: .edge
        }
    }
}
