import IdentityKeys
import NodeIdentity

/// libcrypto with given keys instead of random ones, for test vectors.
struct FixedKeysCrypto: IdentityCrypto {
    typealias SigningKey = LibcryptoIdentityCrypto.SigningKey
    typealias AgreementKey = LibcryptoIdentityCrypto.AgreementKey
    typealias Secret = LibcryptoIdentityCrypto.Secret

    private let crypto = LibcryptoIdentityCrypto()
    /// First bytes of the next X25519 key and of the next secret; each key counts up from its first byte.
    let agreement: UInt8
    let secret: UInt8

    static func octets(_ first: UInt8, _ count: UInt8 = 32) -> [UInt8] { (0..<count).map { first + $0 } }

    static func signingKey(_ first: UInt8) throws -> SigningKey {
        var key: Ed25519PrivateKey?
        try octets(first).withUnsafeBytes { key = try Ed25519PrivateKey(seed: $0) }
        guard let key = key.take() else { throw IdentityCryptoError.keyLength(bytes: 0) }
        return SigningKey(key)
    }

    static func agreementKey(_ bytes: [UInt8]) throws(IdentityCryptoError) -> AgreementKey {
        var key: X25519PrivateKey?
        var failure: IdentityCryptoError?
        bytes.withUnsafeBytes { bytes in
            do throws(IdentityCryptoError) {
                key = try X25519PrivateKey(bytes: bytes)
            } catch {
                failure = error
            }
        }
        guard let key = key.take() else { throw failure ?? .keyLength(bytes: bytes.count) }
        return AgreementKey(key)
    }

    func makeAgreementKey() throws(IdentityCryptoError) -> AgreementKey {
        try Self.agreementKey(Self.octets(agreement))
    }

    func makeSecret() throws(IdentityCryptoError) -> Secret {
        Secret(SecretMemory.copy(of: Self.octets(secret)))
    }

    func digest(of bytes: [UInt8]) -> Digest { crypto.digest(of: bytes) }
    func publicKey(of key: SigningKey) -> VerificationKey { crypto.publicKey(of: key) }
    func sign(_ message: [UInt8], with key: SigningKey) throws(IdentityCryptoError) -> Signature {
        try crypto.sign(message, with: key)
    }
    func isValid(_ signature: Signature, of message: [UInt8], by key: VerificationKey) -> Bool {
        crypto.isValid(signature, of: message, by: key)
    }
    func publicKey(of key: AgreementKey) -> AgreementPublicKey { crypto.publicKey(of: key) }
    func agree(_ key: AgreementKey, with peer: AgreementPublicKey) throws(IdentityCryptoError) -> Secret {
        try crypto.agree(key, with: peer)
    }
    func derive(from secrets: [Secret], salt: Digest, info: String) throws(IdentityCryptoError) -> Secret {
        try crypto.derive(from: secrets, salt: salt, info: info)
    }
    func mac(of bytes: [UInt8], under secret: Secret) throws(IdentityCryptoError) -> CookieMAC {
        try crypto.mac(of: bytes, under: secret)
    }
    func seal(_ plaintext: [UInt8], associated: Digest, under secret: Secret) throws(IdentityCryptoError) -> [UInt8] {
        try crypto.seal(plaintext, associated: associated, under: secret)
    }
    func open(_ sealed: [UInt8], associated: Digest, under secret: Secret) -> [UInt8]? {
        crypto.open(sealed, associated: associated, under: secret)
    }
}
