import IdentityKeys
import NodeIdentity

/// The header that carries the signature of a request or reply: who signed, a colon, and the signature, both in
/// hexadecimal digits of lower case.
enum SignatureHeader {
    static func text(_ signer: [UInt8], _ signature: Signature) -> String { "\(Hex.text(signer)):\(signature)" }

    /// Nil for text in another format, and for a signer of more than `signerMax` bytes.
    static func parse(_ text: String, signerMax: Int) -> (signer: [UInt8], signature: Signature)? {
        guard text.utf8.count <= 2 * (signerMax + SignatureLength.length) + 1 else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let signer = Hex.bytes(String(parts[0])),
            let signature = Hex.bytes(String(parts[1])).flatMap({ Signature($0) })
        else { return nil }
        return (signer, signature)
    }
}
