import CCrypto
import NodeIdentity

/// AES-256-GCM with the all-zero nonce, for keys that seal once.
enum AuthenticatedEncryption {
    static let tagLength = 16
    private static let nonce = [UInt8](repeating: 0, count: 12)

    /// Ciphertext and tag.
    static func seal(
        _ plaintext: [UInt8], associated: [UInt8], key: borrowing SecretMemory
    ) throws(IdentityCryptoError) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: plaintext.count + tagLength)
        var tag = [UInt8](repeating: 0, count: tagLength)
        let isDone = withContext(key: key, encrypt: true) { context in
            var written: Int32 = 0
            return EVP_EncryptUpdate(context, nil, &written, associated, Int32(associated.count)) == 1
                && EVP_EncryptUpdate(context, &output, &written, plaintext, Int32(plaintext.count)) == 1
                && EVP_EncryptFinal_ex(context, &tag, &written) == 1
                && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tagLength), &tag) == 1
        }
        guard isDone else { throw .last("seal") }
        output.replaceSubrange(plaintext.count..., with: tag)
        return output
    }

    /// Nil if the tag is wrong.
    static func open(_ sealed: [UInt8], associated: [UInt8], key: borrowing SecretMemory) -> [UInt8]? {
        guard sealed.count >= tagLength else { return nil }
        let count = sealed.count - tagLength
        var tag = Array(sealed[count...])
        var output = [UInt8](repeating: 0, count: sealed.count)
        let isDone = withContext(key: key, encrypt: false) { context in
            var written: Int32 = 0
            var nothing: UInt8 = 0
            return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tagLength), &tag) == 1
                && EVP_DecryptUpdate(context, nil, &written, associated, Int32(associated.count)) == 1
                && EVP_DecryptUpdate(context, &output, &written, sealed, Int32(count)) == 1
                && EVP_DecryptFinal_ex(context, &nothing, &written) == 1
        }
        // Forged messages must not fill the thread's error queue.
        ERR_clear_error()
        return isDone ? Array(output[..<count]) : nil
    }

    private static func withContext(
        key: borrowing SecretMemory, encrypt: Bool, _ body: (OpaquePointer) -> Bool
    ) -> Bool {
        guard key.count == KeyDerivation.length, let context = EVP_CIPHER_CTX_new() else { return false }
        // Wipes the key schedule, too.
        defer { EVP_CIPHER_CTX_free(context) }
        let isReady = key.withBytes { bytes in
            EVP_CipherInit_ex2(context, EVP_aes_256_gcm(), bytes.octets, nonce, encrypt ? 1 : 0, nil) == 1
        }
        return isReady && body(context)
    }
}
