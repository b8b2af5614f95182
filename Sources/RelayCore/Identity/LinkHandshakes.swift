import NodeIdentity
import ReflectorModel
import RelayWire

/// The handshakes of one node, at both ends of its links: who it is, and whom it believes. `NodeHandshakes` implements
/// it for every kind of cryptography; this protocol hides which one. Owned by one event loop.
public protocol LinkHandshakes: AnyObject {
    /// Our own certificate.
    var own: CertificateContent { get }
    /// When our own certificate expires, in seconds since 1970. Read often, and cheaper than `own`.
    var ownNotAfter: UInt64 { get }
    /// The time since 1970, for certificates.
    func seconds(at now: MonotonicInstant) -> UInt64

    /// Begins a handshake as the child.
    ///
    /// - Parameter nonce: 16 random bytes, never used before.
    func begin(to parent: NodeID, nonce: Nonce, _ request: LinkRequest) -> any LinkOpening

    /// Answers a Hello. Costs one MAC.
    func cookie(
        for hello: HelloMessage, from address: Endpoint, at now: MonotonicInstant
    ) throws(HandshakeError) -> CookieMessage
    /// Whether we made the cookie in this Open for this address not long ago. Costs one MAC.
    func isOurs(_ cookie: RoutabilityCookie, nonce: Nonce, from address: Endpoint, at now: MonotonicInstant) -> Bool
    /// Finds out who sent an Open. Costs an agreement and one or two signatures.
    func receive(
        _ open: OpenMessage, from address: Endpoint, at now: MonotonicInstant
    ) throws(HandshakeError) -> OpenOutcome

    /// Whether a peer that proved its identity before is still to be believed: its certificate may have expired or been
    /// revoked since.
    func standing(of peer: CertificateContent, at now: MonotonicInstant) -> Validity
    /// Wipes keys that are over. Called about once a second.
    func expire(at now: MonotonicInstant)
}

/// A handshake that this node began as the child.
public protocol LinkOpening: AnyObject {
    var nonce: Nonce { get }
    var hello: HelloMessage { get }
    /// The message to repeat while Opened does not come; nil before the Cookie.
    var open: OpenMessage? { get }

    func receive(_ message: CookieMessage) throws(HandshakeError)
    func receive(_ message: OpenedMessage, at now: MonotonicInstant) throws(HandshakeError) -> OpenedLink
    func receive(_ message: RefusedMessage) throws(HandshakeError) -> HandshakeRefusal
}

/// A link that has just opened, as the child sees it.
public struct OpenedLink {
    public let keys: LinkKeys
    public let peer: CertificateContent
    public let grant: LinkGrant

    public init(keys: LinkKeys, peer: CertificateContent, grant: LinkGrant) {
        self.keys = keys
        self.peer = peer
        self.grant = grant
    }
}

/// What became of an Open.
public enum OpenOutcome {
    case accepted(any LinkApplicant)
    /// It was answered before: send the same answer.
    case repeated(OpenedMessage)
    /// The child may know why it is not let in.
    case refused(RefusedMessage, HandshakeError)
}

/// A child that has proved who it is and waits for the answer to its Open.
public protocol LinkApplicant: AnyObject {
    var certificate: CertificateContent { get }
    var request: LinkRequest { get }
    var nonce: Nonce { get }
    /// Our clock when we made the child's cookie.
    var cookieMilliseconds: UInt64 { get }

    /// Lets the child in. Throws if the cryptography fails or has no room.
    func grant(_ grant: LinkGrant) throws(HandshakeError) -> (opened: OpenedMessage, keys: LinkKeys)
    func refuse(_ reason: HandshakeRefusal) throws(HandshakeError) -> RefusedMessage
}

extension LinkHandshakes {
    /// Whether our own certificate has expired, if our clock is right.
    func isOwnExpired(at now: MonotonicInstant) -> Bool { seconds(at: now) >= ownNotAfter }
}

extension LinkApplicant {
    var node: NodeID { certificate.node }
    var name: String { certificate.name }
    var role: NodeRole { certificate.role.nodeRole }
    /// Only an edge is bound to a region of edges.
    var region: RegionID? { certificate.region.edgeRegion }
}

extension CertifiedRegion {
    /// The region of an edge; nil for everybody else.
    public var edgeRegion: RegionID? {
        if case .edge(let region) = self { region } else { nil }
    }
}
