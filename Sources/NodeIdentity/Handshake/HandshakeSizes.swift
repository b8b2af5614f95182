/// Lengths in bytes of the handshake's messages. Each fits into a UDP payload of 1,200 bytes, which every path of IPv6
/// carries (MTU 1,280 less 48 for IPv6 and UDP, and 32 to spare), with the longest certificate and payload:
///
/// | message | start | nonce | cookie | key | sealed length | sealed | longest | usual |
/// |---|---|---|---|---|---|---|---|---|
/// | Hello | 4 | 16 | | | | 56 of padding | 76 | 76 |
/// | Cookie | 4 | 16 | 24 | 32 | | | 76 | 76 |
/// | Open | 4 | 16 | 24 | 32 | 2 | ≤ 732 | 810 | about 360 |
/// | Opened | 4 | 16 | | 32 | 2 | ≤ 732 | 786 | about 340 |
///
/// Hello is padded to the length of Cookie, so nothing that a parent sends to an unproved address is longer than what
/// came from there: the amplification is 1. Opened is shorter than the longest Open, and goes only to an address that
/// returned a cookie.
public enum HandshakeSizes {
    /// The longest datagram of a handshake.
    public static let datagramMax = 1_200
    /// Type, version, and two bytes for the codec.
    static let startLength = 4
    static let cookieLength = 24
    /// AES-256-GCM's tag.
    static let tagLength = 16
    /// What the link adds to an identity: tokens, lease, shards.
    public static let payloadMax = 128

    public static let cookieMessage = startLength + 16 + cookieLength + 32
    public static let hello = cookieMessage
    /// Certificate with its length, signature, intended node, payload with its length, tag.
    public static let sealedMax =
        2 + CertificateLimits.certificateLengthMax + 64 + 8 + 2 + payloadMax + tagLength
    public static let openMax = startLength + 16 + cookieLength + 32 + 2 + sealedMax
    public static let openedMax = startLength + 16 + 32 + 2 + sealedMax
}
