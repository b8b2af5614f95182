import ReflectorModel

/// Our own certificate and the key that belongs to it.
public struct NodeCredential<Crypto: IdentityCrypto> {
    public let certificate: NodeCertificate
    public let key: Crypto.SigningKey

    /// Nil if the key is not the one that the certificate names.
    public init?(certificate: NodeCertificate, key: Crypto.SigningKey, _ crypto: Crypto) {
        guard crypto.publicKey(of: key) == certificate.content.publicKey else { return nil }
        self.certificate = certificate
        self.key = key
    }

    public var node: NodeID { certificate.content.node }
}

extension NodeCredential: Sendable where Crypto.SigningKey: Sendable {}

/// Whom a node believes: operators, its zone, and the newest revocation list. A node has one, for all its handshakes.
public struct PeerTrust: Sendable {
    public var authorities: CertificateAuthorities {
        // A certificate that was verified with a key that is gone counts no more.
        didSet { verified = VerifiedCertificates() }
    }
    public var zone: String
    public var revocations: RevocationList?
    private var verified = VerifiedCertificates()

    public init(authorities: CertificateAuthorities, zone: String, revocations: RevocationList? = nil) {
        self.authorities = authorities
        self.zone = zone
        self.revocations = revocations
    }

    /// Opens and decodes what a peer says about itself, validates its certificate at `seconds` since 1970, and verifies
    /// its signature over the transcript: first what is cheap, and the signatures last.
    mutating func identify<Crypto: IdentityCrypto>(
        _ sealed: [UInt8], under key: Crypto.Secret, by end: KeySchedule.End, transcript: Digest, at seconds: UInt64,
        own: NodeID, _ crypto: Crypto
    ) throws(HandshakeError) -> SealedIdentity {
        guard sealed.count <= HandshakeSizes.sealedMax else { throw .format(.tooLong) }
        guard let bytes = crypto.open(sealed, associated: transcript, under: key) else { throw .seal }
        let identity: SealedIdentity
        do throws(IdentityFormatError) {
            identity = try SealedIdentity(decoding: bytes)
        } catch {
            throw .format(error)
        }
        let content = identity.certificate.content
        guard content.node != own else { throw .ownName }
        guard identity.intended == own else { throw .intendedForOther }
        let validity = authorities.validate(
            identity.certificate, at: seconds, zone: zone, revocations: revocations, verified: &verified, crypto)
        guard validity == .valid else { throw .certificate(validity) }
        let signed = KeySchedule.signedBytes(
            by: end, transcript: transcript, certificate: identity.certificate, intended: identity.intended,
            payload: identity.payload, crypto)
        guard crypto.isValid(identity.signature, of: signed, by: content.publicKey) else { throw .signature }
        return identity
    }
}
