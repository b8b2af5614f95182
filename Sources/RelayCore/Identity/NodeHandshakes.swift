import NodeIdentity
import ReflectorModel
import RelayWire

/// The handshakes of one node with one kind of cryptography.
public final class NodeHandshakes<Crypto: IdentityCrypto>: LinkHandshakes {
    /// Sets up the keys of a link where they are used; nil if there is no room.
    public typealias Install = (LinkSecrets<Crypto.Secret>) -> LinkKeys?

    fileprivate let crypto: Crypto
    fileprivate let install: Install
    fileprivate var trust: PeerTrust
    fileprivate var parent: ParentHandshake<Crypto>
    private var wallClock: (seconds: UInt64, at: MonotonicInstant)

    /// - Parameters:
    ///   - seconds: time since 1970 at `now`.
    ///   - install: receives the secrets of each link that opens.
    public init(
        _ crypto: Crypto, credential: NodeCredential<Crypto>, trust: PeerTrust, seconds: UInt64,
        at now: MonotonicInstant, install: @escaping Install
    ) {
        self.crypto = crypto
        self.install = install
        self.trust = trust
        parent = ParentHandshake(crypto, credential: credential)
        wallClock = (seconds, now)
    }

    // MARK: What may change while the node runs

    /// The wall clock has been read again: it may have been set.
    public func setSeconds(_ seconds: UInt64, at now: MonotonicInstant) { wallClock = (seconds, now) }

    /// The node's certificate has been renewed. Handshakes under way go on with the old one.
    public func replace(_ credential: NodeCredential<Crypto>) { parent.credential = credential }

    /// Other operators' keys are accepted from now on. A revocation list of somebody who is no longer one of them is
    /// dropped: whoever has stolen his key could have given it the highest number.
    public func replace(_ authorities: CertificateAuthorities) {
        trust.authorities = authorities
        if let list = trust.revocations, !authorities.accepts(list, zone: trust.zone, crypto) {
            trust.revocations = nil
        }
    }

    /// Takes a revocation list if an operator signed it and it is newer than the one held. True if it was taken.
    public func take(_ list: RevocationList) -> Bool {
        guard trust.revocations.map(list.isNewer) ?? true, trust.authorities.accepts(list, zone: trust.zone, crypto)
        else { return false }
        trust.revocations = list
        return true
    }

    /// The sequence number of the revocation list in force; 0 without one.
    public var revocationSequence: UInt64 { trust.revocations?.content.sequence ?? 0 }

    // MARK: LinkHandshakes

    public var own: CertificateContent { parent.credential.certificate.content }
    public var ownNotAfter: UInt64 { parent.credential.certificate.content.notAfter }

    public func seconds(at now: MonotonicInstant) -> UInt64 {
        let passed = (now - wallClock.at).nanoseconds / 1_000_000_000
        return passed < 0 ? wallClock.seconds &- UInt64(-passed) : wallClock.seconds &+ UInt64(passed)
    }

    public func begin(to parent: NodeID, nonce: Nonce, _ request: LinkRequest) -> any LinkOpening {
        Opening(self, parent, nonce, request)
    }

    public func cookie(
        for hello: HelloMessage, from address: Endpoint, at now: MonotonicInstant
    ) throws(HandshakeError) -> CookieMessage {
        try parent.cookie(for: hello, from: address, at: now)
    }

    public func isOurs(
        _ cookie: RoutabilityCookie, nonce: Nonce, from address: Endpoint, at now: MonotonicInstant
    ) -> Bool { parent.isOurs(cookie, nonce: nonce, from: address, at: now) }

    public func receive(
        _ open: OpenMessage, from address: Endpoint, at now: MonotonicInstant
    ) throws(HandshakeError) -> OpenOutcome {
        switch try parent.receive(open, from: address, trust: &trust, at: now, seconds: seconds(at: now)) {
        case .repeated(let opened): return .repeated(opened)
        case .refused(let refused, let error): return .refused(refused, error)
        case .accepted(let accepted):
            do throws(WireError) {
                return .accepted(Applicant(self, accepted, open, try LinkRequest(decoding: accepted.payload)))
            } catch {
                throw .payload
            }
        }
    }

    public func standing(of peer: CertificateContent, at now: MonotonicInstant) -> Validity {
        trust.authorities.standing(
            of: peer, at: seconds(at: now), zone: trust.zone, revocations: trust.revocations)
    }

    public func expire(at now: MonotonicInstant) { parent.expire(at: now) }
}

extension NodeHandshakes {
    /// One handshake as the child.
    fileprivate final class Opening: LinkOpening {
        private let owner: NodeHandshakes
        private var child: ChildHandshake<Crypto>
        let nonce: Nonce

        init(_ owner: NodeHandshakes, _ parent: NodeID, _ nonce: Nonce, _ request: LinkRequest) {
            self.owner = owner
            self.nonce = nonce
            child = ChildHandshake(
                owner.crypto, credential: owner.parent.credential, parent: parent, nonce: nonce,
                request: request.encoded)
        }

        var hello: HelloMessage { child.hello }
        var open: OpenMessage? { child.open }

        func receive(_ message: CookieMessage) throws(HandshakeError) { _ = try child.receive(message) }

        func receive(_ message: RefusedMessage) throws(HandshakeError) -> HandshakeRefusal {
            try child.receive(message)
        }

        func receive(_ message: OpenedMessage, at now: MonotonicInstant) throws(HandshakeError) -> OpenedLink {
            let link = try child.receive(message, trust: &owner.trust, at: owner.seconds(at: now))
            let grant: LinkGrant
            do throws(WireError) {
                grant = try LinkGrant(decoding: link.payload)
            } catch {
                throw .payload
            }
            guard let keys = owner.install(link.secrets) else { throw .noRoom }
            return OpenedLink(keys: keys, peer: link.peer.content, grant: grant)
        }
    }

    /// One accepted child.
    fileprivate final class Applicant: LinkApplicant {
        private let owner: NodeHandshakes
        private let accepted: ParentHandshake<Crypto>.AcceptedOpen
        let request: LinkRequest
        let nonce: Nonce
        let cookieMilliseconds: UInt64

        init(
            _ owner: NodeHandshakes, _ accepted: ParentHandshake<Crypto>.AcceptedOpen, _ open: OpenMessage,
            _ request: LinkRequest
        ) {
            self.owner = owner
            self.accepted = accepted
            self.request = request
            nonce = open.nonce
            cookieMilliseconds = open.cookie.milliseconds
        }

        var certificate: CertificateContent { accepted.child.content }

        func grant(_ grant: LinkGrant) throws(HandshakeError) -> (opened: OpenedMessage, keys: LinkKeys) {
            let (opened, link) = try owner.parent.answer(accepted, payload: grant.encoded)
            guard let keys = owner.install(link.secrets) else { throw .noRoom }
            return (opened, keys)
        }

        func refuse(_ reason: HandshakeRefusal) throws(HandshakeError) -> RefusedMessage {
            try owner.parent.refuse(accepted, reason)
        }
    }
}
