/// The short name of an operator's key: the first 8 bytes of the SHA-256 of its public key.
///
/// It only selects the key with which a signature is verified, so that two keys with one id would be no danger; a set of
/// authorities refuses them anyway.
public struct OperatorKeyID: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64

    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    public init(of key: VerificationKey, _ crypto: some IdentityCrypto) {
        rawValue = crypto.digest(of: key.bytes).bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// 16 hexadecimal digits.
    public var description: String {
        let hex = String(rawValue, radix: 16)
        return String(repeating: "0", count: 16 - hex.count) + hex
    }
}
