/// The message authentication codes that we take and make (RFC 8945 §6). HMAC-MD5 and HMAC-SHA-1 are not among them:
/// new keys must not be of those, and every server in use knows these.
public enum TSIGAlgorithm: String, CaseIterable, Sendable {
    case hmacSHA256 = "hmac-sha256"
    case hmacSHA384 = "hmac-sha384"
    case hmacSHA512 = "hmac-sha512"

    /// Bytes of a whole code.
    public var length: Int {
        switch self {
        case .hmacSHA256: 32
        case .hmacSHA384: 48
        case .hmacSHA512: 64
        }
    }

    /// libcrypto's name of the digest.
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
