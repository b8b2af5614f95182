import CCrypto
import ReflectorModel
import RelayWire

/// The AES-128-GCM key of one incarnation in libcrypto's form. The key is set once; each packet sets only the nonce.
/// The context is a plain pointer, to avoid reference counting in the packet path; its owner calls `free` once.
struct SealContext {
    /// Bytes of an AES-128 key.
    static let keyLength = 16
    private static let nonceLength = 12
    private let context: OpaquePointer
    /// For a child that may read the stream. Wiped by `free`.
    private let secret: UnsafeMutableRawBufferPointer
    /// The highest sequence number sealed. Two payloads sealed with the same nonce would reveal their XOR and GCM's
    /// authentication key.
    private var sealed = SequenceNumber.none
    private let isOrdered: Bool

    /// Nil if libcrypto fails.
    ///
    /// - Parameter isOrdered: whether sequence numbers must increase. If not, the caller ensures that none is sealed
    ///   twice.
    init?(cipher: OpaquePointer, key: UnsafeRawBufferPointer, isOrdered: Bool) {
        precondition(key.count == Self.keyLength, "SealContext: a key of the wrong length")
        guard let context = EVP_CIPHER_CTX_new() else { return nil }
        guard EVP_CipherInit_ex2(context, cipher, key.bytePointer, nil, 1, nil) == 1 else {
            EVP_CIPHER_CTX_free(context)
            return nil
        }
        self.context = context
        self.isOrdered = isOrdered
        secret = .allocate(byteCount: Self.keyLength, alignment: 8)
        secret.copyMemory(from: key)
    }

    func free() {
        EVP_CIPHER_CTX_free(context)
        OPENSSL_cleanse(secret.baseAddress, secret.count)
        secret.deallocate()
    }

    var key: UnsafeRawBufferPointer { UnsafeRawBufferPointer(secret) }

    /// Encrypts in place and writes the tag. Sequence numbers must increase from call to call, if the key is ordered. Traps
    /// if libcrypto fails: otherwise the payload would be sent in the clear.
    mutating func seal(
        sequence: SequenceNumber, header: UnsafeRawBufferPointer, payload: UnsafeMutableRawBufferPointer,
        tag: UnsafeMutableRawBufferPointer
    ) {
        precondition(!isOrdered || sequence > sealed, "SealContext: a sequence number sealed twice, or out of order")
        precondition(tag.count == WireLimits.sealTagLength, "SealContext: a tag of the wrong length")
        sealed = sequence
        var written: Int32 = 0
        let done =
            begin(sequence, encrypt: true)
            && EVP_EncryptUpdate(context, nil, &written, header.bytePointer, Int32(header.count)) == 1
            && (payload.isEmpty
                || EVP_EncryptUpdate(
                    context, payload.bytePointer, &written, payload.bytePointer, Int32(payload.count)) == 1)
            && EVP_EncryptFinal_ex(context, tag.bytePointer, &written) == 1
            && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tag.count), tag.baseAddress) == 1
        precondition(done, "SealContext: libcrypto failed")
    }

    /// Decrypts a payload. True if the tag is right. `plaintext` may be the memory of `ciphertext`.
    func open(
        sequence: SequenceNumber, header: UnsafeRawBufferPointer, ciphertext: UnsafeRawBufferPointer,
        tag: UnsafeRawBufferPointer, into plaintext: UnsafeMutableRawBufferPointer
    ) -> Bool {
        precondition(plaintext.count == ciphertext.count, "SealContext: plaintext and ciphertext differ in length")
        precondition(tag.count == WireLimits.sealTagLength, "SealContext: a tag of the wrong length")
        var written: Int32 = 0
        // libcrypto copies the tag; the parameter lacks const for historical reasons.
        let expected = UnsafeMutableRawPointer(mutating: tag.baseAddress)
        // GCM's last step has no output, but libcrypto requires a buffer.
        var nothing: UInt8 = 0
        let authentic =
            begin(sequence, encrypt: false)
            && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tag.count), expected) == 1
            && EVP_DecryptUpdate(context, nil, &written, header.bytePointer, Int32(header.count)) == 1
            && (ciphertext.isEmpty
                || EVP_DecryptUpdate(
                    context, plaintext.bytePointer, &written, ciphertext.bytePointer, Int32(ciphertext.count)) == 1)
            && EVP_DecryptFinal_ex(context, &nothing, &written) == 1
        // Forged packets must not fill the thread's error queue.
        if !authentic { ERR_clear_error() }
        return authentic
    }

    /// Sets the nonce: 4 zero bytes, then the sequence number.
    private func begin(_ sequence: SequenceNumber, encrypt: Bool) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: Self.nonceLength, alignment: 8) { nonce in
            nonce.storeBytes(of: 0, toByteOffset: 0, as: UInt32.self)
            nonce.storeBytes(of: sequence.rawValue.bigEndian, toByteOffset: 4, as: UInt64.self)
            let pointer = UnsafeRawBufferPointer(nonce).bytePointer
            return EVP_CipherInit_ex2(context, nil, nil, pointer, encrypt ? 1 : 0, nil) == 1
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The pointer type of libcrypto; nil only for an empty buffer.
    var bytePointer: UnsafePointer<UInt8>? { baseAddress?.assumingMemoryBound(to: UInt8.self) }
}

extension UnsafeMutableRawBufferPointer {
    /// The pointer type of libcrypto; nil only for an empty buffer.
    var bytePointer: UnsafeMutablePointer<UInt8>? { baseAddress?.assumingMemoryBound(to: UInt8.self) }
}
