import NodeIdentity

/// What a child may do on a link only if its certificate allows it.
public enum RelayPower: Sendable, Equatable {
    case announce
    case fetch
    case probe

    var required: NodePowers {
        switch self {
        case .announce: .announce
        case .fetch: .fetch
        case .probe: .probe
        }
    }

    var text: String {
        switch self {
        case .announce: "announce streams"
        case .fetch: "fetch streams"
        case .probe: "probe this node"
        }
    }
}

extension HandshakeRefusal {
    /// Why a parent refused a child, for the parent's log.
    var cause: String {
        switch self {
        case .tableFull: "no room for another link"
        case .identity: "the zone contradicts the certificate"
        case .certificateExpired: "the certificate has expired; renew it on that machine, and compare the clocks"
        case .certificateNotYetValid: "the certificate is not valid yet; compare the clocks of both machines"
        case .certificateRevoked: "the certificate is revoked; if the machine is yours again, sign a new one for it"
        case .certificateUntrusted:
            "no operator in this node's `operators` file signed the certificate for this zone; compare `keys show` on "
                + "both machines"
        case .role: "nodes of its role open no links"
        case .otherNode: "it looked for another node at this address; correct the addresses in the zone"
        }
    }

    /// What to do about it, for the log of the child that was refused.
    var advice: String {
        switch self {
        case .tableFull: "it has no room for another link; add set reflectors"
        case .identity:
            "the zone contradicts this node's name, role, region or address; compare its certificate (`keys show`) with "
                + "the records of its name below 'nodes' in the zone"
        case .certificateExpired:
            "this node's certificate has expired: `keys request`, `keys sign`, `keys install`; if it has not, the clock of "
                + "one of the two machines is wrong"
        case .certificateNotYetValid:
            "this node's certificate is not valid yet there: the clock of one of the two machines is wrong"
        case .certificateRevoked:
            "this node's certificate is revoked; ask the operator, who may sign a new one"
        case .certificateUntrusted:
            "it does not know the operator who signed this node's certificate, or the zone is another; compare `keys "
                + "show` on both machines"
        case .role: "a node with the role of this one's certificate opens no links"
        case .otherNode: "it is another node than the zone has at this address"
        }
    }
}

extension Validity {
    /// For logs: what is wrong with a certificate, and what to do.
    public var text: String {
        switch self {
        case .valid: "its certificate is valid"
        case .unknownIssuer(let id):
            "operator \(id), who signed its certificate, is not in this node's `operators` file"
        case .otherZone(let zone): "its certificate is for the zone \(zone)"
        case .notYetValid: "its certificate is not valid yet; compare the clocks"
        case .expired: "its certificate has expired; sign a new one for it (`keys sign`), and compare the clocks"
        case .revoked(let sequence): "its certificate is revoked (list \(sequence))"
        case .badSignature: "its certificate has a wrong signature"
        }
    }
}
