/// The message authentication codes that we accept and send (RFC 8945 §6). HMAC-MD5 and HMAC-SHA-1 are excluded: new
/// keys must not use them, and every server in use supports the three below.
public enum TSIGAlgorithm: String, CaseIterable, Sendable {
    case hmacSHA256 = "hmac-sha256"
    case hmacSHA384 = "hmac-sha384"
    case hmacSHA512 = "hmac-sha512"

    /// Length of a full code in bytes.
    public var length: Int {
        switch self {
        case .hmacSHA256: 32
        case .hmacSHA384: 48
        case .hmacSHA512: 64
        }
    }

    /// libcrypto's name for the digest.
    var digest: String {
        switch self {
        case .hmacSHA256: "SHA256"
        case .hmacSHA384: "SHA384"
        case .hmacSHA512: "SHA512"
        }
    }

    /// As a domain name in wire form.
    var name: [UInt8] { [UInt8(rawValue.utf8.count)] + Array(rawValue.utf8) + [0] }
}
