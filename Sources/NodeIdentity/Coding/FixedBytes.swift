/// The length of one kind of fixed byte string.
public protocol FixedLength: Sendable {
    /// In bytes.
    static var length: Int { get }
}

/// A byte string whose length is part of its type, so that a key is never passed as a signature.
public struct FixedBytes<Kind: FixedLength>: Hashable, Sendable, CustomStringConvertible {
    public let bytes: [UInt8]

    /// Nil if there are not exactly `Kind.length` bytes.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Kind.length else { return nil }
        self.bytes = Array(bytes)
    }

    public var description: String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}

/// An Ed25519 public key (RFC 8032).
public typealias VerificationKey = FixedBytes<VerificationKeyLength>
/// An Ed25519 signature.
public typealias Signature = FixedBytes<SignatureLength>
/// An X25519 public key (RFC 7748).
public typealias AgreementPublicKey = FixedBytes<AgreementPublicKeyLength>
/// A SHA-256 digest.
public typealias Digest = FixedBytes<DigestLength>
/// 16 random bytes of the child that make each handshake unique.
public typealias Nonce = FixedBytes<NonceLength>
/// The MAC in a cookie: HMAC-SHA-256, truncated.
public typealias CookieMAC = FixedBytes<CookieMACLength>

public enum VerificationKeyLength: FixedLength { public static var length: Int { 32 } }
public enum SignatureLength: FixedLength { public static var length: Int { 64 } }
public enum AgreementPublicKeyLength: FixedLength { public static var length: Int { 32 } }
public enum DigestLength: FixedLength { public static var length: Int { 32 } }
public enum NonceLength: FixedLength { public static var length: Int { 16 } }
public enum CookieMACLength: FixedLength { public static var length: Int { 16 } }
