/// Why an `IdentityCrypto` could not do what was asked.
public enum IdentityCryptoError: Error, Hashable, Sendable {
    /// The library failed in `operation`; `code` is its own (0 if it gave none).
    case library(operation: String, code: UInt)
    /// The peer's X25519 key gives the all-zero secret (RFC 7748 §6.1): it was chosen so that the secret is known.
    case lowOrderKey
    /// Bytes of a key that have another length than keys of its kind.
    case keyLength(bytes: Int)
}

/// All the cryptography that identities need, and their only source of secrets. `IdentityKeys` implements it with
/// libcrypto; tests and the simulator use a symbolic model.
///
/// Private keys and secrets are values that only the implementation can look into: this module passes them on and
/// forgets them, and the implementation wipes them after their last use.
public protocol IdentityCrypto {
    /// An Ed25519 private key.
    associatedtype SigningKey
    /// An X25519 private key.
    associatedtype AgreementKey
    /// 32 secret bytes: the result of an agreement, or a derived key.
    associatedtype Secret

    /// SHA-256.
    func digest(of bytes: [UInt8]) -> Digest

    func publicKey(of key: SigningKey) -> VerificationKey
    func sign(_ message: [UInt8], with key: SigningKey) throws(IdentityCryptoError) -> Signature
    /// True if the holder of `key` signed exactly `message`.
    func isValid(_ signature: Signature, of message: [UInt8], by key: VerificationKey) -> Bool

    /// A fresh random key.
    func makeAgreementKey() throws(IdentityCryptoError) -> AgreementKey
    func publicKey(of key: AgreementKey) -> AgreementPublicKey
    /// X25519. Throws `lowOrderKey` instead of returning the all-zero secret.
    func agree(_ key: AgreementKey, with peer: AgreementPublicKey) throws(IdentityCryptoError) -> Secret

    /// A fresh random secret.
    func makeSecret() throws(IdentityCryptoError) -> Secret
    /// HKDF-SHA-256 with the secrets, in this order, as input keying material; 32 bytes.
    func derive(from secrets: [Secret], salt: Digest, info: String) throws(IdentityCryptoError) -> Secret

    /// HMAC-SHA-256, truncated to 16 bytes.
    func mac(of bytes: [UInt8], under secret: Secret) throws(IdentityCryptoError) -> CookieMAC
    /// Encrypts and authenticates with AES-256-GCM and the all-zero nonce: `secret` must never seal twice. The result
    /// is 16 bytes longer than the plaintext.
    func seal(_ plaintext: [UInt8], associated: Digest, under secret: Secret) throws(IdentityCryptoError) -> [UInt8]
    /// Nil if the bytes were not sealed under this secret with this associated digest.
    func open(_ sealed: [UInt8], associated: Digest, under secret: Secret) -> [UInt8]?
}

/// Compares two MACs in a time that does not depend on where they differ.
func areEqual(_ a: CookieMAC, _ b: CookieMAC) -> Bool {
    zip(a.bytes, b.bytes).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
}
