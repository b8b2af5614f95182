import ReflectorModel

/// The handshake at the end that opens the link.
///
/// ```
/// awaitingCookie --Cookie--> awaitingOpened --Opened--> finished
/// ```
/// A message that is refused changes nothing but the count of attempts, since anybody on the path can send one. Whoever
/// owns the handshake repeats its last message on a timer, and begins with a new nonce when it gives up.
public struct ChildHandshake<Crypto: IdentityCrypto> {
    /// Opened messages that one handshake examines: each costs an agreement.
    public static var attemptsMax: Int { 8 }

    private enum State {
        case awaitingCookie
        case awaitingOpened(Pending)
        case finished
    }

    private struct Pending {
        var open: OpenMessage
        var transcript: Digest
        var childKey: Crypto.AgreementKey
        /// The secret of child key and epoch key.
        var first: Crypto.Secret
        var attempts = 0
    }

    private let crypto: Crypto
    private let credential: NodeCredential<Crypto>
    private let parent: NodeID
    private let nonce: Nonce
    private let payload: [UInt8]
    private var state = State.awaitingCookie

    /// - Parameters:
    ///   - parent: the only node with which this handshake can succeed.
    ///   - nonce: 16 bytes from the random source, never used before.
    ///   - payload: what the link tells the parent in confidence, at most `HandshakeSizes.payloadMax` bytes.
    public init(
        _ crypto: Crypto, credential: NodeCredential<Crypto>, parent: NodeID, nonce: Nonce, payload: [UInt8]
    ) throws(HandshakeError) {
        guard payload.count <= HandshakeSizes.payloadMax else { throw .payloadTooLong }
        self.init(crypto, credential: credential, parent: parent, nonce: nonce, request: payload)
    }

    /// With a payload that is known to be short.
    public init(
        _ crypto: Crypto, credential: NodeCredential<Crypto>, parent: NodeID, nonce: Nonce, request: [UInt8]
    ) {
        precondition(request.count <= HandshakeSizes.payloadMax, "ChildHandshake: a payload that is too long")
        self.crypto = crypto
        self.credential = credential
        self.parent = parent
        self.nonce = nonce
        payload = request
    }

    /// The first message.
    public var hello: HelloMessage { HelloMessage(nonce: nonce) }

    /// The message to repeat while Opened does not come.
    public var open: OpenMessage? {
        guard case .awaitingOpened(let pending) = state else { return nil }
        return pending.open
    }

    public var isFinished: Bool {
        guard case .finished = state else { return false }
        return true
    }

    /// Answers the parent's Cookie with Open. Only the first Cookie counts: it costs an agreement and a signature.
    public mutating func receive(_ message: CookieMessage) throws(HandshakeError) -> OpenMessage {
        guard case .awaitingCookie = state else { throw .unexpected }
        guard message.nonce == nonce else { throw .otherNonce }
        let childKey = try crypto.checked { crypto throws(IdentityCryptoError) in try crypto.makeAgreementKey() }
        let first = try crypto.checked { crypto throws(IdentityCryptoError) in
            try crypto.agree(childKey, with: message.epochKey)
        }
        let childPublicKey = crypto.publicKey(of: childKey)
        let transcript = KeySchedule.openTranscript(
            nonce: nonce, cookie: message.cookie, epochKey: message.epochKey, childKey: childPublicKey, crypto)
        let sealed = try HandshakeSealing.seal(
            credential, by: .child, to: parent, payload: payload, transcript: transcript,
            under: try KeySchedule.openKey(first, transcript: transcript, crypto), crypto)
        let open = OpenMessage(nonce: nonce, cookie: message.cookie, childKey: childPublicKey, sealed: sealed)
        state = .awaitingOpened(Pending(open: open, transcript: transcript, childKey: childKey, first: first))
        return open
    }

    /// Reads why the parent refuses. The handshake is then of no more use; begin another one later. Throws for a message
    /// that the parent did not send.
    public func receive(_ message: RefusedMessage) throws(HandshakeError) -> HandshakeRefusal {
        guard case .awaitingOpened(let pending) = state else { throw .unexpected }
        guard message.nonce == nonce else { throw .otherNonce }
        let mac = try KeySchedule.refusalMAC(
            of: message.reason, nonce: nonce, pending.first, transcript: pending.transcript, crypto)
        guard areEqual(mac, message.mac) else { throw .seal }
        return message.reason
    }

    /// Finishes the handshake. `seconds` is the time since 1970, for the parent's certificate.
    public mutating func receive(
        _ message: OpenedMessage, trust: inout PeerTrust, at seconds: UInt64
    ) throws(HandshakeError) -> EstablishedLink<Crypto> {
        guard case .awaitingOpened(var pending) = state else { throw .unexpected }
        guard message.nonce == nonce else { throw .otherNonce }
        guard pending.attempts < Self.attemptsMax else { throw .tooManyAttempts }
        pending.attempts += 1
        state = .awaitingOpened(pending)
        let second = try crypto.checked { crypto throws(IdentityCryptoError) in
            try crypto.agree(pending.childKey, with: message.parentKey)
        }
        let transcript = KeySchedule.openedTranscript(
            after: pending.transcript, sealed: pending.open.sealed, parentKey: message.parentKey, crypto)
        let identity = try trust.identify(
            message.sealed, under: try KeySchedule.openedKey(pending.first, second, transcript: transcript, crypto),
            by: .parent, transcript: transcript, at: seconds, own: credential.node, crypto)
        guard identity.certificate.content.node == parent else { throw .otherNode }
        guard identity.certificate.content.powers.mayBeParent else { throw .powers }
        let whole = KeySchedule.linkTranscript(after: transcript, sealed: message.sealed, crypto)
        let secrets = try KeySchedule.linkSecrets(pending.first, second, transcript: whole, crypto)
        state = .finished
        return EstablishedLink(
            secrets: secrets, peer: identity.certificate, payload: identity.payload, transcript: whole,
            isConfirmed: true)
    }
}

/// Signing and encrypting one's own identity, the same at both ends.
enum HandshakeSealing {
    static func seal<Crypto: IdentityCrypto>(
        _ credential: NodeCredential<Crypto>, by end: KeySchedule.End, to peer: NodeID, payload: [UInt8],
        transcript: Digest, under key: Crypto.Secret, _ crypto: Crypto
    ) throws(HandshakeError) -> [UInt8] {
        let signed = KeySchedule.signedBytes(
            by: end, transcript: transcript, certificate: credential.certificate, intended: peer, payload: payload,
            crypto)
        return try crypto.checked { crypto throws(IdentityCryptoError) in
            let signature = try crypto.sign(signed, with: credential.key)
            let identity = SealedIdentity(
                certificate: credential.certificate, signature: signature, intended: peer, payload: payload)
            return try crypto.seal(identity.encoded, associated: transcript, under: key)
        }
    }
}
