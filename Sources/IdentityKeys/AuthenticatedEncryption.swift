import CCrypto
import NodeIdentity

/// AES-256-GCM for a few short texts under keys of 32 bytes. Each text makes a context of its own, so that no key stays
/// in libcrypto.
public enum AuthenticatedEncryption {
    public static let tagLength = 16
    public static let nonceLength = 12

    /// Writes ciphertext and tag to `output`, which is `tagLength` longer than the plaintext. The nonce is never used
    /// twice with a key. False if libcrypto fails.
    public static func seal(
        _ plaintext: UnsafeRawBufferPointer, nonce: [UInt8], associated: [UInt8], key: borrowing SecretMemory,
        into output: UnsafeMutableRawBufferPointer
    ) -> Bool {
        precondition(output.count == plaintext.count + tagLength, "AuthenticatedEncryption: output of another length")
        return withContext(key: key, nonce: nonce, encrypt: true) { context in
            var written: Int32 = 0
            let tag = UnsafeMutableRawBufferPointer(rebasing: output[plaintext.count...])
            return EVP_EncryptUpdate(context, nil, &written, associated, Int32(associated.count)) == 1
                && EVP_EncryptUpdate(context, output.octets, &written, plaintext.octets, Int32(plaintext.count)) == 1
                && EVP_EncryptFinal_ex(context, tag.octets, &written) == 1
                && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tagLength), tag.baseAddress) == 1
        }
    }

    /// Writes the plaintext of `sealed` to `output`, which is `tagLength` shorter. False if the tag is wrong: then the
    /// output is meaningless.
    public static func open(
        _ sealed: UnsafeRawBufferPointer, nonce: [UInt8], associated: [UInt8], key: borrowing SecretMemory,
        into output: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard sealed.count == output.count + tagLength else { return false }
        let isDone = withContext(key: key, nonce: nonce, encrypt: false) { context in
            var written: Int32 = 0
            var nothing: UInt8 = 0
            // libcrypto copies the tag; the parameter lacks const for historical reasons.
            let tag = UnsafeMutableRawPointer(
                mutating: UnsafeRawBufferPointer(rebasing: sealed[output.count...]).octets)
            return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tagLength), tag) == 1
                && EVP_DecryptUpdate(context, nil, &written, associated, Int32(associated.count)) == 1
                && EVP_DecryptUpdate(context, output.octets, &written, sealed.octets, Int32(output.count)) == 1
                && EVP_DecryptFinal_ex(context, &nothing, &written) == 1
        }
        // Forged messages must not fill the thread's error queue.
        ERR_clear_error()
        return isDone
    }

    /// Ciphertext and tag, with the all-zero nonce: for keys that seal once.
    static func seal(
        _ plaintext: [UInt8], associated: [UInt8], key: borrowing SecretMemory
    ) throws(IdentityCryptoError) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: plaintext.count + tagLength)
        let isDone = output.withUnsafeMutableBytes { output in
            plaintext.withUnsafeBytes { seal($0, nonce: zeroNonce, associated: associated, key: key, into: output) }
        }
        guard isDone else { throw .last("seal") }
        return output
    }

    /// Nil if the tag is wrong.
    static func open(_ sealed: [UInt8], associated: [UInt8], key: borrowing SecretMemory) -> [UInt8]? {
        guard sealed.count >= tagLength else { return nil }
        var output = [UInt8](repeating: 0, count: sealed.count - tagLength)
        let isDone = output.withUnsafeMutableBytes { output in
            sealed.withUnsafeBytes { open($0, nonce: zeroNonce, associated: associated, key: key, into: output) }
        }
        return isDone ? output : nil
    }

    private static let zeroNonce = [UInt8](repeating: 0, count: nonceLength)

    private static func withContext(
        key: borrowing SecretMemory, nonce: [UInt8], encrypt: Bool, _ body: (OpaquePointer) -> Bool
    ) -> Bool {
        precondition(nonce.count == nonceLength, "AuthenticatedEncryption: a nonce of another length")
        guard key.count == KeyDerivation.length, let context = EVP_CIPHER_CTX_new() else { return false }
        // Wipes the key schedule, too.
        defer { EVP_CIPHER_CTX_free(context) }
        let isReady = key.withBytes { bytes in
            EVP_CipherInit_ex2(context, EVP_aes_256_gcm(), bytes.octets, nonce, encrypt ? 1 : 0, nil) == 1
        }
        return isReady && body(context)
    }
}
