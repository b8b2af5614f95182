/// Why a handshake message was refused. Each reason has its own counter at the node; none of them ends a handshake,
/// since anybody on the path could have sent the message.
public enum HandshakeError: Error, Hashable, Sendable {
    /// A message that does not belong to the state of this handshake.
    case unexpected
    /// The nonce is not that of this handshake.
    case otherNonce
    /// The parent did not make this cookie for this address and nonce, or not in the last 10 s.
    case cookie
    /// The child has tried as many messages as one handshake may cost, or has opened too many links in this epoch.
    case tooManyAttempts
    /// The encrypted part was changed, or belongs to other keys.
    case seal
    case format(IdentityFormatError)
    case certificate(Validity)
    /// The node that the certificate names did not sign this handshake.
    case signature
    /// A valid node, but not the one that we wanted to reach.
    case otherNode
    /// The child wanted to reach another node than us.
    case intendedForOther
    /// The peer has our own name.
    case ownName
    /// The peer's role can't be at its end of a link.
    case powers
    case payloadTooLong
    /// The payload is not in the form that links expect.
    case payload
    /// There is no room for the keys of another link.
    case noRoom
    case crypto(IdentityCryptoError)
}

extension HandshakeError {
    /// What the peer may know of this error; nil if it gets no answer.
    var refusal: HandshakeRefusal? {
        switch self {
        case .certificate(.expired): .certificateExpired
        case .certificate(.notYetValid): .certificateNotYetValid
        case .certificate(.revoked): .certificateRevoked
        case .certificate: .certificateUntrusted
        case .powers: .role
        case .intendedForOther: .otherNode
        default: nil
        }
    }
}
