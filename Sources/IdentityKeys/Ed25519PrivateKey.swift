import CCrypto
import NodeIdentity

/// A private key for Ed25519 signatures (RFC 8032): of an operator or of a node. It cannot be copied, and its memory is
/// wiped when its owner ends.
public struct Ed25519PrivateKey: ~Copyable, Sendable {
    private let key: KeyPointer
    public let publicKey: VerificationKey

    /// A fresh key.
    public init() throws(IdentityCryptoError) { try self.init(KeyPointer(generating: .ed25519)) }

    /// The key of a seed of 32 bytes; the caller wipes the seed.
    public init(seed: UnsafeRawBufferPointer) throws(IdentityCryptoError) {
        try self.init(KeyPointer(.ed25519, bytes: seed))
    }

    private init(_ key: consuming KeyPointer) throws(IdentityCryptoError) {
        guard let publicKey = VerificationKey(try key.publicBytes()) else { throw .last("public key") }
        self.publicKey = publicKey
        self.key = key
    }

    public borrowing func sign(_ message: [UInt8]) throws(IdentityCryptoError) -> Signature {
        guard let context = EVP_MD_CTX_new() else { throw .last("sign") }
        defer { EVP_MD_CTX_free(context) }
        var bytes = [UInt8](repeating: 0, count: SignatureLength.length)
        var length = bytes.count
        guard EVP_DigestSignInit(context, nil, nil, nil, key.pointer) == 1,
            EVP_DigestSign(context, &bytes, &length, message, message.count) == 1, length == bytes.count,
            let signature = Signature(bytes)
        else { throw .last("sign") }
        return signature
    }

    /// The seed, for a key file.
    borrowing func seed() throws(IdentityCryptoError) -> SecretMemory { try key.privateBytes() }

    /// True if the holder of `key` signed exactly `message`.
    public static func isValid(_ signature: Signature, of message: [UInt8], by key: VerificationKey) -> Bool {
        // Forged signatures must not fill the thread's error queue.
        defer { ERR_clear_error() }
        guard let pointer = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, key.bytes, key.bytes.count) else {
            return false
        }
        defer { EVP_PKEY_free(pointer) }
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        return EVP_DigestVerifyInit(context, nil, nil, nil, pointer) == 1
            && EVP_DigestVerify(
                context, signature.bytes, signature.bytes.count, message, message.count) == 1
    }
}
