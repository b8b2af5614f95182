import CCrypto
import RelayWire

/// An HMAC-SHA-256 key in libcrypto's form. It is a plain pointer, to avoid reference counting in the packet path; its
/// owner calls `free` once.
struct MACContext {
    /// Bytes of a whole, untruncated HMAC-SHA-256.
    private static let digestLength = 32
    private let context: OpaquePointer

    /// Nil if libcrypto fails.
    init?(key: UnsafeRawBufferPointer) {
        let bytes = key.bytePointer
        guard let context = reflector_hmac_new("SHA256", bytes, key.count) else { return nil }
        self.context = context
    }

    func free() { EVP_MAC_CTX_free(context) }

    /// Writes the first 16 bytes of the MAC. Traps if libcrypto fails: otherwise a message would be sent or accepted
    /// without a MAC.
    func mac(of bytes: UnsafeRawBufferPointer, into tag: UnsafeMutableRawBufferPointer) {
        precondition(tryMAC(of: bytes, into: tag), "MACContext: libcrypto failed")
    }

    /// Throws if a reused HMAC context does not give the same MAC for the same bytes.
    static func checkReuse() throws(PacketSealingError) {
        let key: [UInt8] = [1, 2, 3]
        guard let context = key.withUnsafeBytes({ MACContext(key: $0) }) else {
            throw .last(operation: "make a MAC key")
        }
        defer { context.free() }
        func mac() -> [UInt8]? {
            var tag = [UInt8](repeating: 0, count: WireLimits.macLength)
            let done = tag.withUnsafeMutableBytes { tag in
                key.withUnsafeBytes { context.tryMAC(of: $0, into: tag) }
            }
            return done ? tag : nil
        }
        guard let first = mac(), mac() == first else {
            ERR_clear_error()
            throw .contextNotReusable
        }
    }

    /// Like `mac`, but returns false if libcrypto fails; the tag is then meaningless.
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
