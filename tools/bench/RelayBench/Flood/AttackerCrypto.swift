import IdentityKeys
import NodeIdentity

/// The cryptography of a child that wants its Opens to cost the parent much and itself little: one key for all Opens of
/// an epoch, so one agreement in 10 s, and signatures that nobody made.
struct AttackerCrypto: IdentityCrypto {
    typealias SigningKey = LibcryptoIdentityCrypto.SigningKey
    typealias AgreementKey = LibcryptoIdentityCrypto.AgreementKey
    typealias Secret = LibcryptoIdentityCrypto.Secret

    private final class Memory {
        var shared: (peer: AgreementPublicKey, secret: Secret)?
    }

    private let crypto = LibcryptoIdentityCrypto()
    private let key: AgreementKey
    private let signature: Signature
    /// The key of the certificate that it shows, which need not be its own.
    private let shown: VerificationKey
    private let memory = Memory()

    init(showing certificate: NodeCertificate) throws {
        key = try crypto.makeAgreementKey()
        // In the form of a signature: the parent must compute to find out.
        signature = certificate.signature
        shown = certificate.content.publicKey
    }

    func digest(of bytes: [UInt8]) -> Digest { crypto.digest(of: bytes) }
    func publicKey(of key: SigningKey) -> VerificationKey { shown }
    func sign(_ message: [UInt8], with key: SigningKey) throws(IdentityCryptoError) -> Signature { signature }
    func isValid(_ signature: Signature, of message: [UInt8], by key: VerificationKey) -> Bool { true }
    func makeAgreementKey() throws(IdentityCryptoError) -> AgreementKey { key }
    func publicKey(of key: AgreementKey) -> AgreementPublicKey { crypto.publicKey(of: key) }

    func agree(_ key: AgreementKey, with peer: AgreementPublicKey) throws(IdentityCryptoError) -> Secret {
        if let shared = memory.shared, shared.peer == peer { return shared.secret }
        let secret = try crypto.agree(key, with: peer)
        memory.shared = (peer, secret)
        return secret
    }

    func makeSecret() throws(IdentityCryptoError) -> Secret { try crypto.makeSecret() }

    func derive(from secrets: [Secret], salt: Digest, info: String) throws(IdentityCryptoError) -> Secret {
        try crypto.derive(from: secrets, salt: salt, info: info)
    }

    func mac(of bytes: [UInt8], under secret: Secret) throws(IdentityCryptoError) -> CookieMAC {
        try crypto.mac(of: bytes, under: secret)
    }

    func seal(_ plaintext: [UInt8], associated: Digest, under secret: Secret) throws(IdentityCryptoError) -> [UInt8] {
        try crypto.seal(plaintext, associated: associated, under: secret)
    }

    func open(_ sealed: [UInt8], associated: Digest, under secret: Secret) -> [UInt8]? { nil }
}
