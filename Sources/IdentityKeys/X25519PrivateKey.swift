import CCrypto
import NodeIdentity

/// A private key for X25519 agreements (RFC 7748). It cannot be copied, and its memory is wiped when its owner ends.
public struct X25519PrivateKey: ~Copyable {
    private let key: KeyPointer
    public let publicKey: AgreementPublicKey

    /// A fresh key.
    public init() throws(IdentityCryptoError) { try self.init(KeyPointer(generating: .x25519)) }

    /// The key of 32 bytes; the caller wipes those.
    public init(bytes: UnsafeRawBufferPointer) throws(IdentityCryptoError) {
        try self.init(KeyPointer(.x25519, bytes: bytes))
    }

    private init(_ key: consuming KeyPointer) throws(IdentityCryptoError) {
        guard let publicKey = AgreementPublicKey(try key.publicBytes()) else { throw .last("public key") }
        self.publicKey = publicKey
        self.key = key
    }

    /// The shared secret. Throws `lowOrderKey` if it is all zeros (RFC 7748 §6.1). libcrypto refuses that itself, without
    /// an error of its own, so both cases count as a key of low order.
    public borrowing func agree(with peer: AgreementPublicKey) throws(IdentityCryptoError) -> SecretMemory {
        guard
            let pointer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nil, peer.bytes, peer.bytes.count)
        else { throw .last("agree") }
        defer { EVP_PKEY_free(pointer) }
        guard let context = EVP_PKEY_CTX_new(key.pointer, nil) else { throw .last("agree") }
        defer { EVP_PKEY_CTX_free(context) }
        // No check of the peer's key: X25519 takes any (RFC 7748 §5), and the result is checked below.
        guard EVP_PKEY_derive_init(context) == 1, EVP_PKEY_derive_set_peer_ex(context, pointer, 0) == 1 else {
            throw .last("agree")
        }
        var secret = SecretMemory(count: KeyPointer.length)
        let isDone = secret.withMutableBytes { bytes in
            var length = bytes.count
            return EVP_PKEY_derive(context, bytes.octets, &length) == 1 && length == bytes.count
        }
        ERR_clear_error()
        let isZero = secret.withBytes { bytes in bytes.reduce(UInt8(0)) { $0 | $1 } == 0 }
        guard isDone, !isZero else { throw .lowOrderKey }
        return secret
    }
}
