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
        let isDone = EVP_Digest(bytes, bytes.count, &digest, &length, EVP_sha256(), nil) == 1
        guard isDone, Int(length) == digest.count, let value = Digest(digest) else {
            preconditionFailure("KeyDerivation: libcrypto failed")
        }
        return value
    }

    /// HKDF-SHA-256 (RFC 5869), extract and expand.
    public static func hkdf(
        _ material: borrowing SecretMemory, salt: [UInt8], info: [UInt8], count: Int = length
    ) throws(IdentityCryptoError) -> SecretMemory {
        var derived = SecretMemory(count: count)
        let isDone = derived.withMutableBytes { output in
            material.withBytes { material in
                reflector_hkdf_sha256(
                    material.octets, material.count, salt, salt.count, info, info.count, output.octets, output.count)
                    == 1
            }
        }
        guard isDone else { throw .last("HKDF") }
        return derived
    }
}
