import CCrypto
import NodeIdentity

/// SHA-256, and keys from secrets.
public enum KeyDerivation {
    /// Bytes of a derived key.
    public static let length = 32

    /// SHA-256. Traps if libcrypto fails: there is no answer that would be safe.
    public static func sha256(_ bytes: [UInt8]) -> Digest {
        var digest = [UInt8](repeating: 0, count: DigestLength.length)
        var length: UInt32 = 0
        let isDone =
            LibraryObjects.sha256 != nil
            && EVP_Digest(bytes, bytes.count, &digest, &length, LibraryObjects.sha256, nil) == 1
        guard isDone, Int(length) == digest.count, let value = Digest(digest) else {
            preconditionFailure("KeyDerivation: libcrypto failed")
        }
        return value
    }

    /// HKDF-SHA-256 (RFC 5869), extract and expand, from libcrypto's HMAC. Its own HKDF gives the same and takes twice
    /// as long, because it looks up its parts by name in each call.
    ///
    /// - Parameter count: bytes of the derived key, at most 255 digests.
    public static func hkdf(
        _ material: borrowing SecretMemory, salt: [UInt8], info: [UInt8], count: Int = length
    ) throws(IdentityCryptoError) -> SecretMemory {
        precondition((1...255 * DigestLength.length).contains(count), "KeyDerivation: HKDF gives at most 255 digests")
        guard let template = LibraryObjects.hmac, let context = EVP_MAC_CTX_dup(template) else { throw .last("HKDF") }
        // Wipes the key, too.
        defer { EVP_MAC_CTX_free(context) }
        var pseudorandomKey = SecretMemory(count: DigestLength.length)
        // RFC 5869 §2.2: without a salt, a string of zeros of the digest's length.
        let salt = salt.isEmpty ? [UInt8](repeating: 0, count: DigestLength.length) : salt
        var isDone = pseudorandomKey.withMutableBytes { output in
            material.withBytes { material in
                salt.withUnsafeBytes { mac(context, key: $0, [material], into: output) }
            }
        }
        var block = SecretMemory(count: DigestLength.length)
        var derived = SecretMemory(count: count)
        var number: UInt8 = 0
        var offset = 0
        while isDone, offset < count {
            number += 1
            // HMAC reads the previous block before it writes the next one over it.
            let previous = block.withBytes { UnsafeRawBufferPointer(rebasing: $0[..<(number == 1 ? 0 : $0.count)]) }
            isDone = block.withMutableBytes { output in
                info.withUnsafeBytes { info in
                    withUnsafeBytes(of: number) { number in
                        pseudorandomKey.withBytes { mac(context, key: $0, [previous, info, number], into: output) }
                    }
                }
            }
            let part = min(DigestLength.length, count - offset)
            derived.withMutableBytes { derived in
                block.withBytes { block in
                    UnsafeMutableRawBufferPointer(rebasing: derived[offset...])
                        .copyMemory(from: UnsafeRawBufferPointer(rebasing: block[..<part]))
                }
            }
            offset += part
        }
        guard isDone else { throw .last("HKDF") }
        return derived
    }

    /// HMAC-SHA-256 of the parts in this order, under a key that is not empty.
    private static func mac(
        _ context: OpaquePointer, key: UnsafeRawBufferPointer, _ parts: [UnsafeRawBufferPointer],
        into output: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard EVP_MAC_init(context, key.octets, key.count, nil) == 1 else { return false }
        for part in parts where !part.isEmpty {
            guard EVP_MAC_update(context, part.octets, part.count) == 1 else { return false }
        }
        var length = 0
        return EVP_MAC_final(context, output.octets, &length, output.count) == 1 && length == output.count
    }
}
