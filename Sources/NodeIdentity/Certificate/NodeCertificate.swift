import ReflectorModel

/// What an operator certifies of one node: everything in a certificate except the signature. Every value of this type
/// can be encoded, and has exactly one encoding (WireFormat.md, "Node certificates").
public struct CertificateContent: Hashable, Sendable {
    /// The operator's key that signs.
    public let issuer: OperatorKeyID
    /// Unique in the zone, and never 0: revocation lists name certificates by it.
    public let serial: UInt64
    /// First second, since 1970, in which the certificate is valid.
    public let notBefore: UInt64
    /// First second in which it is no longer valid.
    public let notAfter: UInt64
    public let role: CertifiedRole
    public let region: CertifiedRegion
    /// Lower case, without a final dot.
    public let zone: String
    /// Host name relative to the zone, lower case.
    public let name: String
    public let limits: NodeLimits
    public let publicKey: VerificationKey

    /// The node's id on the wire.
    public var node: NodeID { NodeID(name: name) }

    /// Throws if a value is out of its range, or if role and region do not go together.
    public init(
        issuer: OperatorKeyID, serial: UInt64, notBefore: UInt64, notAfter: UInt64, role: CertifiedRole,
        region: CertifiedRegion, zone: String, name: String, limits: NodeLimits = NodeLimits(),
        publicKey: VerificationKey
    ) throws(IdentityFormatError) {
        guard serial > 0 else { throw .badSerial }
        guard notBefore < notAfter, notAfter < CertificateLimits.timeEnd else { throw .badTime }
        if case .set(let name) = region, !CertifiedRegion.isSetRegion(name) { throw .badSetRegion }
        guard region.isPossible(for: role) else { throw .regionOfOtherRole }
        guard ReflectorName.isHost(zone) else { throw .badZone }
        guard ReflectorName.isHost(name) else { throw .badNodeName }
        guard limits.entries.allSatisfy({ $0.value > 0 }) else { throw .limitValue }
        self.issuer = issuer
        self.serial = serial
        self.notBefore = notBefore
        self.notAfter = notAfter
        self.role = role
        self.region = region
        self.zone = zone
        self.name = name
        self.limits = limits
        self.publicKey = publicKey
    }
}

/// A node's certificate: who it is and what it is, signed by the operator.
///
/// **Why not X.509.** A certificate travels in one UDP datagram of at most 1,200 bytes, together with an ephemeral key and
/// a signature. Ours has about 170 bytes; the smallest useful X.509 certificate with the same fields in extensions has
/// over 500 bytes, and nothing bounds it. X.509 also needs a parser of ASN.1 DER with a long history of memory errors
/// and of two readers that understood one certificate differently (names, extensions, times, signature parameters, path
/// building), in front of every other check and open to whoever can send a packet. Here every field has one place and
/// one encoding, there is one signature algorithm and no chain, and whatever is not understood is refused.
public struct NodeCertificate: Hashable, Sendable {
    public let content: CertificateContent
    /// The operator's, over `content.signedBytes`.
    public let signature: Signature

    public init(content: CertificateContent, signature: Signature) {
        self.content = content
        self.signature = signature
    }

    /// Signs with the operator's key.
    public init<Crypto: IdentityCrypto>(
        signing content: CertificateContent, with key: Crypto.SigningKey, _ crypto: Crypto
    ) throws(IdentityCryptoError) {
        self.init(content: content, signature: try crypto.sign(content.signedBytes, with: key))
    }
}
