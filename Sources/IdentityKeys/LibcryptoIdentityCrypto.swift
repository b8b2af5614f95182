import CCrypto
import NodeIdentity

/// The cryptography of identities with OpenSSL 3's libcrypto. Keys and secrets are shared by reference; the memory of
/// each is wiped when its last reference goes. Belongs to one event loop; only signing keys may be shared by threads.
public struct LibcryptoIdentityCrypto: IdentityCrypto {
    public final class SigningKey: Sendable {
        let key: Ed25519PrivateKey
        public init(_ key: consuming Ed25519PrivateKey) { self.key = key }
    }

    public final class AgreementKey {
        let key: X25519PrivateKey
        public init(_ key: consuming X25519PrivateKey) { self.key = key }
    }

    public final class Secret {
        public let memory: SecretMemory
        /// Set up at the first MAC: cookies use the same key for 10 s.
        private var hmac: OpaquePointer?

        public init(_ memory: consuming SecretMemory) { self.memory = memory }

        deinit { EVP_MAC_CTX_free(hmac) }

        /// For the MAC keys of a link, which live elsewhere.
        public func withBytes<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value { memory.withBytes(body) }

        fileprivate func mac(of bytes: [UInt8]) throws(IdentityCryptoError) -> CookieMAC {
            if hmac == nil {
                hmac = memory.withBytes { reflector_hmac_new("SHA256", $0.octets, $0.count) }
            }
            var digest = [UInt8](repeating: 0, count: DigestLength.length)
            var length = 0
            guard let hmac, EVP_MAC_init(hmac, nil, 0, nil) == 1, EVP_MAC_update(hmac, bytes, bytes.count) == 1,
                EVP_MAC_final(hmac, &digest, &length, digest.count) == 1, length == digest.count,
                let mac = CookieMAC(digest[..<CookieMACLength.length])
            else { throw .last("MAC") }
            return mac
        }
    }

    public init() {}

    public func digest(of bytes: [UInt8]) -> Digest { KeyDerivation.sha256(bytes) }

    public func publicKey(of key: SigningKey) -> VerificationKey { key.key.publicKey }

    public func sign(_ message: [UInt8], with key: SigningKey) throws(IdentityCryptoError) -> Signature {
        try key.key.sign(message)
    }

    public func isValid(_ signature: Signature, of message: [UInt8], by key: VerificationKey) -> Bool {
        Ed25519PrivateKey.isValid(signature, of: message, by: key)
    }

    public func makeAgreementKey() throws(IdentityCryptoError) -> AgreementKey { AgreementKey(try X25519PrivateKey()) }

    public func publicKey(of key: AgreementKey) -> AgreementPublicKey { key.key.publicKey }

    public func agree(
        _ key: AgreementKey, with peer: AgreementPublicKey
    ) throws(IdentityCryptoError) -> Secret {
        Secret(try key.key.agree(with: peer))
    }

    public func makeSecret() throws(IdentityCryptoError) -> Secret {
        var memory = SecretMemory(count: KeyDerivation.length)
        let isDone = memory.withMutableBytes { RAND_bytes($0.octets, Int32($0.count)) == 1 }
        guard isDone else { throw .last("random bytes") }
        return Secret(memory)
    }

    public func derive(
        from secrets: [Secret], salt: Digest, info: String
    ) throws(IdentityCryptoError) -> Secret {
        var material = SecretMemory(count: secrets.reduce(0) { $0 + $1.memory.count })
        material.withMutableBytes { all in
            var offset = 0
            for secret in secrets {
                secret.memory.withBytes { bytes in
                    UnsafeMutableRawBufferPointer(rebasing: all[offset...]).copyMemory(from: bytes)
                    offset += bytes.count
                }
            }
        }
        return Secret(try KeyDerivation.hkdf(material, salt: salt.bytes, info: Array(info.utf8)))
    }

    public func mac(of bytes: [UInt8], under secret: Secret) throws(IdentityCryptoError) -> CookieMAC {
        try secret.mac(of: bytes)
    }

    public func seal(
        _ plaintext: [UInt8], associated: Digest, under secret: Secret
    ) throws(IdentityCryptoError) -> [UInt8] {
        try AuthenticatedEncryption.seal(plaintext, associated: associated.bytes, key: secret.memory)
    }

    public func open(_ sealed: [UInt8], associated: Digest, under secret: Secret) -> [UInt8]? {
        AuthenticatedEncryption.open(sealed, associated: associated.bytes, key: secret.memory)
    }
}
