import CCrypto
import RelayWire

/// An HMAC-SHA-256 key in libcrypto's form. A plain pointer, so that the packet path counts no references: its owner
/// calls `free` once.
struct MACContext {
    /// Bytes of a whole, untruncated HMAC-SHA-256.
    private static let digestLength = 32
    private let context: OpaquePointer

    /// Nil if libcrypto refuses.
    init?(key: UnsafeRawBufferPointer) {
        let bytes = key.bytePointer
        guard let context = reflector_hmac_new("SHA256", bytes, key.count) else { return nil }
        self.context = context
    }

    func free() { EVP_MAC_CTX_free(context) }

    /// Writes the first 16 bytes of the MAC. That libcrypto should fail here is not to be survived: a message would
    /// go out, or be believed, without one.
    func mac(of bytes: UnsafeRawBufferPointer, into tag: UnsafeMutableRawBufferPointer) {
        precondition(tryMAC(of: bytes, into: tag), "MACContext: libcrypto failed")
    }

    /// False, and the tag is meaningless, if libcrypto fails.
    func tryMAC(of bytes: UnsafeRawBufferPointer, into tag: UnsafeMutableRawBufferPointer) -> Bool {
        precondition(tag.count == WireLimits.macLength, "MACContext: a tag of the wrong length")
        return withUnsafeTemporaryAllocation(byteCount: Self.digestLength, alignment: 8) { digest in
            var length = 0
            guard
                EVP_MAC_init(context, nil, 0, nil) == 1,
                EVP_MAC_update(context, bytes.bytePointer, bytes.count) == 1,
                EVP_MAC_final(context, digest.bytePointer, &length, digest.count) == 1, length == digest.count
            else { return false }
            tag.copyMemory(from: UnsafeRawBufferPointer(rebasing: digest[..<tag.count]))
            return true
        }
    }
}
