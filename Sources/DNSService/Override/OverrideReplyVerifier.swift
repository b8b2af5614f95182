import IdentityKeys
import NodeIdentity
import ReflectorModel

/// Verifies at the operator's end that a reply comes from a name server of the zone.
public struct OverrideReplyVerifier: Sendable {
    /// Why a reply proves nothing.
    public enum Refusal: Error, Equatable, CustomStringConvertible {
        case unsigned
        case certificate(Validity)
        /// A node of the network, but not a name server.
        case role(CertifiedRole)
        /// A name server, but not the one that was asked.
        case name(String)
        case signature

        public var description: String {
            switch self {
            case .unsigned: "it is not signed by a name server"
            case .certificate(let validity): "the name server's certificate is not valid: \(validity.sentence)"
            case .role(let role): "it comes from a node of role \(role), not from a name server"
            case .name(let name): "it comes from the name server \(name), not from the one that was asked"
            case .signature: "its signature is wrong: somebody changed it, or it belongs to another request"
            }
        }
    }

    private let authorities: CertificateAuthorities
    private let zone: String
    private let revocations: RevocationList?

    /// - Parameters:
    ///   - authorities: the operators who sign certificates.
    ///   - revocations: the newest list that `authorities` accepts; nil if there is none.
    public init(authorities: CertificateAuthorities, zone: String, revocations: RevocationList? = nil) {
        self.authorities = authorities
        self.zone = zone
        self.revocations = revocations
    }

    /// Returns the name of the name server. Throws if the reply is not this zone's, or not that of a host in `names`.
    ///
    /// - Parameters:
    ///   - signature: the header.
    ///   - names: the host that was asked; several if it is not known which it is, or nil if it may be any name server.
    ///   - seconds: the time since 1970.
    public func verify(
        _ reply: [UInt8], to request: [UInt8], signature: String, names: [String]?, at seconds: UInt64
    ) throws(Refusal) -> String {
        guard
            let (encoded, signature) = SignatureHeader.parse(
                signature, signerMax: CertificateLimits.certificateLengthMax),
            let certificate = try? NodeCertificate(decoding: encoded)
        else { throw .unsigned }
        let crypto = LibcryptoIdentityCrypto()
        let validity = authorities.validate(certificate, at: seconds, zone: zone, revocations: revocations, crypto)
        guard validity == .valid else { throw .certificate(validity) }
        let content = certificate.content
        guard content.role == .nameServer else { throw .role(content.role) }
        if let names, !names.contains(content.name) { throw .name(content.name) }
        let signed = OverrideSignature.reply(reply, to: request)
        guard crypto.isValid(signature, of: signed, by: content.publicKey) else { throw .signature }
        return content.name
    }
}

extension Validity {
    /// For operators.
    fileprivate var sentence: String {
        switch self {
        case .valid: "valid"
        case .unknownIssuer(let id): "none of our operators has the key \(id), which signed it"
        case .otherZone(let zone): "it is of the zone \(zone)"
        case .notYetValid(let notBefore): "it is valid only from \(UTCTime.text(Int64(notBefore)))"
        case .expired(let notAfter): "it expired at \(UTCTime.text(Int64(notAfter)))"
        case .revoked: "it is revoked"
        case .badSignature: "its operator's signature is wrong"
        }
    }
}
