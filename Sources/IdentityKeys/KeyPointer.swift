import CCrypto
import NodeIdentity
import Synchronization

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
        fileprivate var generator: KeyGenerator { self == .ed25519 ? .ed25519 : .x25519 }
    }

    static let length = 32
    let pointer: OpaquePointer

    /// A fresh key from libcrypto's random source.
    init(generating kind: Kind) throws(IdentityCryptoError) {
        guard let key = kind.generator.makeKey() else { throw .last("generate \(kind.name)") }
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

/// Makes keys of one kind with one context of libcrypto, since the first key of a context costs a third more than the
/// others. The context has no key.
///
/// `@unchecked Sendable`: the context is used only under the lock.
private final class KeyGenerator: @unchecked Sendable {
    static let ed25519 = KeyGenerator(EVP_PKEY_ED25519)
    static let x25519 = KeyGenerator(EVP_PKEY_X25519)

    private let lock = Mutex(())
    private let context: OpaquePointer?

    private init(_ type: Int32) {
        let context = EVP_PKEY_CTX_new_id(type, nil)
        if let context, EVP_PKEY_keygen_init(context) == 1 {
            self.context = context
        } else {
            EVP_PKEY_CTX_free(context)
            self.context = nil
        }
    }

    deinit { EVP_PKEY_CTX_free(context) }

    /// A fresh key, for the caller to free. Nil if libcrypto fails.
    func makeKey() -> OpaquePointer? {
        guard let context else { return nil }
        // As a number, since the lock's closure can't return a pointer to another owner.
        let address = lock.withLock { _ in
            var key: OpaquePointer?
            guard EVP_PKEY_keygen(context, &key) == 1 else { return 0 }
            return Int(bitPattern: key)
        }
        return OpaquePointer(bitPattern: address)
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
