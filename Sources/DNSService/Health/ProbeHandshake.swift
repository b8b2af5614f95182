import NodeIdentity
import ReflectorModel
import RelayWire

/// The handshake that opens a link to one target.
struct ProbeHandshake<Crypto: IdentityCrypto> {
    enum Progress {
        /// The target has sent a cookie: `message` is the next one to send.
        case next
        case opened(EstablishedLink<Crypto>, LinkGrant)
        case refused(HandshakeRefusal)
    }

    /// The target writes this token on everything that it sends on the link.
    let token: UInt64
    private var child: ChildHandshake<Crypto>

    /// - Parameters:
    ///   - nonce: 16 random bytes, never used before.
    ///   - token: random, not 0.
    init(to target: ProbeTarget, _ identity: ProbeIdentity<Crypto>, nonce: Nonce, token: UInt64) {
        self.token = token
        child = ChildHandshake(
            identity.crypto, credential: identity.credential, parent: target.node, nonce: nonce,
            request: LinkRequest(childToken: token).encoded)
    }

    /// The message to send, and to repeat while no answer comes.
    var message: HandshakeMessage { child.open.map { .open($0) } ?? .hello(child.hello) }

    /// Takes an answer. Succeeds only with the target itself, which its certificate must name.
    mutating func receive(
        _ message: HandshakeMessage, from target: ProbeTarget, _ identity: inout ProbeIdentity<Crypto>,
        at now: MonotonicInstant
    ) throws(HandshakeError) -> Progress {
        switch message {
        case .cookie(let cookie):
            _ = try child.receive(cookie)
            return .next
        case .refused(let refused): return .refused(try child.receive(refused))
        case .opened(let opened):
            let seconds = identity.seconds(at: now)
            let link = try child.receive(opened, trust: &identity.trust, at: seconds)
            // The names themselves, because two could have the same id.
            guard link.peer.content.name == target.name.lowercased() else { throw .otherNode }
            guard link.peer.content.powers.contains(.answerProbes) else { throw .powers }
            guard let grant = try? LinkGrant(decoding: link.payload) else { throw .payload }
            return .opened(link, grant)
        case .hello, .open: throw .unexpected
        }
    }
}
