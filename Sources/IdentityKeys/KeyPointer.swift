import CCrypto
import NodeIdentity

/// A private key in libcrypto's form. libcrypto wipes it when it is freed; nothing else has a copy.
///
/// `@unchecked Sendable`: nothing changes the key after `init`, and libcrypto lets any number of threads read one key at
/// once, each with a context of its own, as every use here has.
struct KeyPointer: ~Copyable, @unchecked Sendable {
    /// The two kinds of keys, both of 32 bytes.
    enum Kind {
        case ed25519
        case x25519

        var type: Int32 { self == .ed25519 ? EVP_PKEY_ED25519 : EVP_PKEY_X25519 }
        var name: String { self == .ed25519 ? "Ed25519" : "X25519" }
    }

    static let length = 32
    let pointer: OpaquePointer

    /// A fresh key from libcrypto's random source.
    init(generating kind: Kind) throws(IdentityCryptoError) {
        guard let context = EVP_PKEY_CTX_new_id(kind.type, nil) else { throw .last("generate \(kind.name)") }
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_keygen(context, &key) == 1, let key else {
            throw .last("generate \(kind.name)")
        }
        pointer = key
    }

    /// A key from its 32 bytes; the caller wipes those.
    init(_ kind: Kind, bytes: UnsafeRawBufferPointer) throws(IdentityCryptoError) {
        guard bytes.count == Self.length else { throw .keyLength(bytes: bytes.count) }
        guard let key = EVP_PKEY_new_raw_private_key(kind.type, nil, bytes.octets, bytes.count) else {
            throw .last("read \(kind.name)")
        }
        pointer = key
    }

    deinit { EVP_PKEY_free(pointer) }

    borrowing func publicBytes() throws(IdentityCryptoError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.length)
        var length = bytes.count
        guard EVP_PKEY_get_raw_public_key(pointer, &bytes, &length) == 1, length == bytes.count else {
            throw .last("public key")
        }
        return bytes
    }

    /// The private bytes, for a key file.
    borrowing func privateBytes() throws(IdentityCryptoError) -> SecretMemory {
        var memory = SecretMemory(count: Self.length)
        let pointer = pointer
        let isDone = memory.withMutableBytes { bytes in
            var length = bytes.count
            return EVP_PKEY_get_raw_private_key(pointer, bytes.octets, &length) == 1 && length == bytes.count
        }
        guard isDone else { throw .last("private key") }
        return memory
    }
}

extension IdentityCryptoError {
    /// The oldest error in libcrypto's queue for this thread. Empties the queue.
    static func last(_ operation: String) -> IdentityCryptoError {
        let code = ERR_get_error()
        ERR_clear_error()
        return .library(operation: operation, code: UInt(code))
    }
}

extension UnsafeRawBufferPointer {
    /// The pointer type of libcrypto; nil only for an empty buffer.
    var octets: UnsafePointer<UInt8>? { baseAddress?.assumingMemoryBound(to: UInt8.self) }
}

extension UnsafeMutableRawBufferPointer {
    /// The pointer type of libcrypto; nil only for an empty buffer.
    var octets: UnsafeMutablePointer<UInt8>? { baseAddress?.assumingMemoryBound(to: UInt8.self) }
}
