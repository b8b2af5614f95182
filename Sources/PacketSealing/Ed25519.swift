import CCrypto

/// Ed25519 signatures (RFC 8032): the holder of the seed can sign, the holder of the public key can only verify.
public enum Ed25519 {
    /// Length in bytes of a seed and of a public key.
    public static let keyLength = 32
    /// Length in bytes of a signature.
    public static let signatureLength = 64

    /// The public key of a seed. Nil if the seed has another length, or libcrypto fails.
    public static func publicKey(seed: [UInt8]) -> [UInt8]? {
        withPrivateKey(seed) { key in
            var bytes = [UInt8](repeating: 0, count: keyLength)
            var length = bytes.count
            guard EVP_PKEY_get_raw_public_key(key, &bytes, &length) == 1, length == keyLength else { return nil }
            return bytes
        }
    }

    /// Signs a message. Nil if the seed has another length, or libcrypto fails.
    public static func sign(_ message: [UInt8], seed: [UInt8]) -> [UInt8]? {
        withPrivateKey(seed) { key in
            guard let context = EVP_MD_CTX_new() else { return nil }
            defer { EVP_MD_CTX_free(context) }
            var signature = [UInt8](repeating: 0, count: signatureLength)
            var length = signature.count
            guard EVP_DigestSignInit(context, nil, nil, nil, key) == 1,
                EVP_DigestSign(context, &signature, &length, message, message.count) == 1, length == signatureLength
            else { return nil }
            return signature
        }
    }

    /// True if the signature was made with the seed of `publicKey`.
    public static func isValid(_ signature: [UInt8], of message: [UInt8], publicKey: [UInt8]) -> Bool {
        guard publicKey.count == keyLength, signature.count == signatureLength,
            let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, publicKey, publicKey.count)
        else { return false }
        defer { EVP_PKEY_free(key) }
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        defer { ERR_clear_error() }
        return EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
            && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    private static func withPrivateKey<Value>(_ seed: [UInt8], _ body: (OpaquePointer) -> Value?) -> Value? {
        guard seed.count == keyLength,
            let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count)
        else { return nil }
        defer { EVP_PKEY_free(key) }
        return body(key)
    }
}
