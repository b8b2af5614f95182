import CCrypto

/// What libcrypto looks up by name, looked up once: each look-up takes locks and string comparisons, which together cost
/// a handshake as much as its hashes. Nil if libcrypto does not have it; then everything that needs it fails.
///
/// `nonisolated(unsafe)`: nothing changes these objects after their creation, and libcrypto lets any number of threads
/// read them at once.
enum LibraryObjects {
    nonisolated(unsafe) static let sha256 = EVP_MD_fetch(nil, "SHA256", nil)
    nonisolated(unsafe) static let aes256GCM = EVP_CIPHER_fetch(nil, "AES-256-GCM", nil)

    /// An HMAC-SHA-256 context whose key is one zero byte. Users copy it and set another key.
    nonisolated(unsafe) static let hmac: OpaquePointer? = {
        var zero: UInt8 = 0
        return reflector_hmac_new("SHA256", &zero, 1)
    }()
}
