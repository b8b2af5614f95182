/// Whether a certificate is valid, and why not.
public enum Validity: Hashable, Sendable {
    case valid
    /// None of our operators' keys has the id of its issuer.
    case unknownIssuer(OperatorKeyID)
    /// The certificate belongs to this other zone.
    case otherZone(String)
    /// Valid from this second since 1970.
    case notYetValid(notBefore: UInt64)
    /// No longer valid from this second since 1970.
    case expired(notAfter: UInt64)
    /// The list with this sequence number revokes it.
    case revoked(sequence: UInt64)
    /// The issuer's key did not sign it.
    case badSignature
}

/// The operators' public keys that a node accepts: one, or two while the operator's key is rolled.
public struct CertificateAuthorities: Hashable, Sendable {
    /// Why keys do not form a set of authorities.
    public enum Invalid: Error, Hashable, Sendable {
        case empty
        case tooMany(count: Int)
        /// A key given twice, or two keys whose ids are equal.
        case repeated(OperatorKeyID)
    }

    private struct Operator: Hashable, Sendable {
        var id: OperatorKeyID
        var key: VerificationKey
    }

    private let operators: [Operator]

    public init(_ keys: [VerificationKey], _ crypto: some IdentityCrypto) throws(Invalid) {
        guard !keys.isEmpty else { throw .empty }
        guard keys.count <= CertificateLimits.operatorsMax else { throw .tooMany(count: keys.count) }
        var operators: [Operator] = []
        for key in keys {
            let id = OperatorKeyID(of: key, crypto)
            guard !operators.contains(where: { $0.id == id }) else { throw .repeated(id) }
            operators.append(Operator(id: id, key: key))
        }
        self.operators = operators
    }

    /// Ids of the accepted keys, in the order given.
    public var ids: [OperatorKeyID] { operators.map(\.id) }

    /// Whether a certificate is valid at a time, in seconds since 1970, in a zone. The checks that cost nothing come
    /// first and the signature last, so that a flood of expired or revoked certificates costs no cryptography. Every
    /// reason except `badSignature` is therefore a claim of the sender: count it, but blame nobody for it.
    ///
    /// - Parameter revocations: the newest list that `accepts` accepted; nil if there is none yet.
    public func validate(
        _ certificate: NodeCertificate, at seconds: UInt64, zone: String, revocations: RevocationList?,
        _ crypto: some IdentityCrypto
    ) -> Validity {
        var verified = VerifiedCertificates()
        return validate(
            certificate, at: seconds, zone: zone, revocations: revocations, verified: &verified, crypto)
    }

    /// The same, without verifying a signature that is known to be good. `verified` must have been used with these
    /// authorities only.
    func validate(
        _ certificate: NodeCertificate, at seconds: UInt64, zone: String, revocations: RevocationList?,
        verified: inout VerifiedCertificates, _ crypto: some IdentityCrypto
    ) -> Validity {
        let content = certificate.content
        let standing = standing(of: content, at: seconds, zone: zone, revocations: revocations)
        guard standing == .valid, let key = key(content.issuer) else { return standing }
        let digest = crypto.digest(of: certificate.encoded)
        if verified.contains(digest) { return .valid }
        guard crypto.isValid(certificate.signature, of: content.signedBytes, by: key) else { return .badSignature }
        verified.insert(digest)
        return .valid
    }

    /// Everything about a certificate except its signature: for one that was valid before.
    public func standing(
        of content: CertificateContent, at seconds: UInt64, zone: String, revocations: RevocationList?
    ) -> Validity {
        guard key(content.issuer) != nil else { return .unknownIssuer(content.issuer) }
        guard content.zone == zone else { return .otherZone(content.zone) }
        guard seconds >= content.notBefore else { return .notYetValid(notBefore: content.notBefore) }
        guard seconds < content.notAfter else { return .expired(notAfter: content.notAfter) }
        if let revocations, revocations.content.zone == zone, revocations.contains(content.serial) {
            return .revoked(sequence: revocations.content.sequence)
        }
        return .valid
    }

    /// Whether one of our operators signed this list for this zone. Only such lists may be kept, compared with
    /// `isNewer`, and passed to `validate`.
    public func accepts(_ list: RevocationList, zone: String, _ crypto: some IdentityCrypto) -> Bool {
        guard list.content.zone == zone, let key = key(list.content.issuer) else { return false }
        return crypto.isValid(list.signature, of: list.content.signedBytes, by: key)
    }

    private func key(_ id: OperatorKeyID) -> VerificationKey? { operators.first { $0.id == id }?.key }
}
