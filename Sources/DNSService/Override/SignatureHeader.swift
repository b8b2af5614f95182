import NodeIdentity

/// The header that carries the signature of a request or reply: who signed, a colon, and the signature, both in
/// hexadecimal digits of lower case.
enum SignatureHeader {
    static func text(_ signer: [UInt8], _ signature: Signature) -> String { "\(hex(signer)):\(signature)" }

    /// Nil for text in another format, and for a signer of more than `signerMax` bytes.
    static func parse(_ text: String, signerMax: Int) -> (signer: [UInt8], signature: Signature)? {
        guard text.utf8.count <= 2 * (signerMax + SignatureLength.length) + 1 else { return nil }
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 2, let signer = bytes(parts[0]), let signature = bytes(parts[1]).flatMap({ Signature($0) })
        else { return nil }
        return (signer, signature)
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func bytes(_ digits: some Collection<UInt8>) -> [UInt8]? {
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in digits {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
            default: return nil
            }
            if let upper = high {
                bytes.append(upper << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return bytes
    }
}
