import ReflectorModel

/// The handshake at the end that answers, for all children of a node. It keeps nothing for an address that has not
/// returned a cookie, and does no asymmetric work for it.
///
/// ```
/// Hello -> cookie(for:) -> Cookie            one MAC
/// Open  -> receive(_:)  -> repeated Opened   one MAC: the same Open came again
///                       -> AcceptedOpen      an agreement, then the seal, then two signatures (one if the child's
///                                            certificate is known already), or Refused
///          answer(_:)   -> Opened            a key, an agreement and a signature
/// ```
/// Between the last two the caller checks the child against the zone, or refuses it. The caller also bounds how often
/// `receive` is called with an Open per second.
public struct ParentHandshake<Crypto: IdentityCrypto> {
    /// Answers remembered for each of two epochs. An Open beyond that is refused: if its answer could be forgotten, a
    /// repeated Open would look like a new one.
    public static var answersMax: Int { 8_192 }
    /// Answers remembered for one child and epoch, so that one node cannot take the room of all.
    public static var answersPerChildMax: Int { 32 }

    /// A child that has proved who it is.
    public struct AcceptedOpen {
        public let child: NodeCertificate
        /// What the child's link sent along.
        public let payload: [UInt8]
        fileprivate let open: OpenMessage
        fileprivate let epoch: UInt64
        fileprivate let transcript: Digest
        fileprivate let first: Crypto.Secret
    }

    public enum Outcome {
        case accepted(AcceptedOpen)
        /// The same Open was answered already: send the same answer.
        case repeated(OpenedMessage)
        /// The child can't be let in, and may know why: it has proved that it made the Open.
        case refused(RefusedMessage, HandshakeError)
    }

    private let crypto: Crypto
    /// Replaced when the node's certificate is renewed; handshakes under way go on.
    public var credential: NodeCredential<Crypto>
    private var epochs: ParentEpochs<Crypto>

    public init(_ crypto: Crypto, credential: NodeCredential<Crypto>) {
        self.init(crypto, credential: credential, epochs: ParentEpochs())
    }

    /// With epochs that were made before, for test vectors.
    init(_ crypto: Crypto, credential: NodeCredential<Crypto>, epochs: ParentEpochs<Crypto>) {
        self.crypto = crypto
        self.credential = credential
        self.epochs = epochs
    }

    /// The Cookie for a Hello.
    public mutating func cookie(
        for hello: HelloMessage, from address: Endpoint, at now: MonotonicInstant
    ) throws(HandshakeError) -> CookieMessage {
        do throws(IdentityCryptoError) {
            return try epochs.makeCookie(for: address, nonce: hello.nonce, at: now, crypto)
        } catch {
            throw .crypto(error)
        }
    }

    /// Whether we made this cookie for this address and nonce in the last 10 s. Costs one MAC.
    public func isOurs(
        _ cookie: RoutabilityCookie, nonce: Nonce, from address: Endpoint, at now: MonotonicInstant
    ) -> Bool { epochs.epoch(of: cookie, for: address, nonce: nonce, at: now, crypto) != nil }

    /// Finds out who sent an Open. `seconds` is the time since 1970, for the child's certificate.
    public func receive(
        _ open: OpenMessage, from address: Endpoint, trust: inout PeerTrust, at now: MonotonicInstant, seconds: UInt64
    ) throws(HandshakeError) -> Outcome {
        guard let epoch = epochs.epoch(of: open.cookie, for: address, nonce: open.nonce, at: now, crypto) else {
            throw .cookie
        }
        if let answer = epoch.answers[open.nonce], answer.open == open { return .repeated(answer.opened) }
        let first = try crypto.checked { crypto throws(IdentityCryptoError) in
            try crypto.agree(epoch.key, with: open.childKey)
        }
        let transcript = KeySchedule.openTranscript(
            nonce: open.nonce, cookie: open.cookie, epochKey: epoch.publicKey, childKey: open.childKey, crypto)
        let identity: SealedIdentity
        do throws(HandshakeError) {
            identity = try trust.identify(
                open.sealed, under: try KeySchedule.openKey(first, transcript: transcript, crypto), by: .child,
                transcript: transcript, at: seconds, own: credential.node, crypto)
            guard identity.certificate.content.powers.mayBeChild else { throw .powers }
        } catch {
            guard let reason = error.refusal else { throw error }
            return .refused(try refusal(reason, nonce: open.nonce, first, transcript), error)
        }
        guard epochs.hasRoom(for: identity.certificate.content.node, epoch: epoch.number, max: Self.answersMax) else {
            throw .tooManyAttempts
        }
        return .accepted(
            AcceptedOpen(
                child: identity.certificate, payload: identity.payload, open: open, epoch: epoch.number,
                transcript: transcript, first: first))
    }

    /// Refuses a child that has proved who it is.
    public func refuse(
        _ accepted: AcceptedOpen, _ reason: HandshakeRefusal
    ) throws(HandshakeError) -> RefusedMessage {
        try refusal(reason, nonce: accepted.open.nonce, accepted.first, accepted.transcript)
    }

    private func refusal(
        _ reason: HandshakeRefusal, nonce: Nonce, _ first: Crypto.Secret, _ transcript: Digest
    ) throws(HandshakeError) -> RefusedMessage {
        RefusedMessage(
            nonce: nonce, reason: reason,
            mac: try KeySchedule.refusalMAC(of: reason, nonce: nonce, first, transcript: transcript, crypto))
    }

    /// Lets an accepted child in: the answer, and the link as the parent sees it.
    ///
    /// - Parameter payload: what the link tells the child in confidence, at most `HandshakeSizes.payloadMax` bytes.
    public mutating func answer(
        _ accepted: AcceptedOpen, payload: [UInt8]
    ) throws(HandshakeError) -> (opened: OpenedMessage, link: EstablishedLink<Crypto>) {
        guard payload.count <= HandshakeSizes.payloadMax else { throw .payloadTooLong }
        let parentKey = try crypto.checked { crypto throws(IdentityCryptoError) in try crypto.makeAgreementKey() }
        let second = try crypto.checked { crypto throws(IdentityCryptoError) in
            try crypto.agree(parentKey, with: accepted.open.childKey)
        }
        let parentPublicKey = crypto.publicKey(of: parentKey)
        let transcript = KeySchedule.openedTranscript(
            after: accepted.transcript, sealed: accepted.open.sealed, parentKey: parentPublicKey, crypto)
        let sealed = try HandshakeSealing.seal(
            credential, by: .parent, to: accepted.child.content.node, payload: payload, transcript: transcript,
            under: try KeySchedule.openedKey(accepted.first, second, transcript: transcript, crypto), crypto)
        let opened = OpenedMessage(nonce: accepted.open.nonce, parentKey: parentPublicKey, sealed: sealed)
        let whole = KeySchedule.linkTranscript(after: transcript, sealed: sealed, crypto)
        let link = EstablishedLink<Crypto>(
            secrets: try KeySchedule.linkSecrets(accepted.first, second, transcript: whole, crypto),
            peer: accepted.child, payload: accepted.payload, transcript: whole, isConfirmed: false)
        epochs.remember(
            ParentEpochs<Crypto>.Answer(open: accepted.open, opened: opened), of: accepted.child.content.node,
            epoch: accepted.epoch)
        return (opened, link)
    }

    /// Wipes the keys of epochs that are over. To be called once a second.
    public mutating func expire(at now: MonotonicInstant) { epochs.expire(at: now) }
}
