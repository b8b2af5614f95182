import IdentityKeys
import NodeIdentity

/// An operator with a fixed key, for tests.
public struct TestOperator: Sendable {
    private let seed: [UInt8]
    /// An authority of its own.
    public let authorities: CertificateAuthorities

    /// - Parameter number: operators with different numbers have different keys.
    public init(_ number: UInt8 = 1) throws {
        seed = Array(repeating: number, count: 32)
        let key = try seed.withUnsafeBytes { try Ed25519PrivateKey(seed: $0).publicKey }
        authorities = try CertificateAuthorities([key], LibcryptoIdentityCrypto())
    }

    /// A list that this operator signed.
    public func revocations(
        _ serials: some Sequence<UInt64>, sequence: UInt64, zone: String
    ) throws -> RevocationList {
        let content = try RevocationList.Content(
            zone: zone, sequence: sequence, issuedAt: 1_790_000_000, issuer: authorities.ids[0], serials: serials)
        let key = try seed.withUnsafeBytes { LibcryptoIdentityCrypto.SigningKey(try Ed25519PrivateKey(seed: $0)) }
        return try RevocationList(signing: content, with: key, LibcryptoIdentityCrypto())
    }

    /// The same, as the text of `ZONE.revocations`.
    public func revocationText(_ serials: some Sequence<UInt64>, sequence: UInt64, zone: String) throws -> String {
        RevocationText.write(try revocations(serials, sequence: sequence, zone: zone))
    }
}
