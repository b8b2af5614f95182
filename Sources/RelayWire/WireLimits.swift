import NodeIdentity

/// Lengths of the wire format in bytes (WireFormat.md). They change only with the version.
public enum WireLimits {
    /// Version of the protocol, second byte of every handshake message.
    public static let version: UInt8 = 3
    /// Type, zero, link token, link number: the part of a data packet that is private to one child.
    public static let linkHeaderLength = 14
    /// Incarnation tag, sequence number, kind: the associated data of the sealed packet.
    public static let streamHeaderLength = 17
    /// AES-128-GCM's tag after the ciphertext.
    public static let sealTagLength = 16
    /// Everything in a data packet except its payload.
    public static let dataOverhead = 47
    /// A truncated HMAC-SHA-256.
    public static let macLength = 16
    /// Type, zero, token, counter, kind.
    public static let controlHeaderLength = 19
    /// Longest payload of one data packet.
    public static let payloadMax = 1400
    /// Payload that even the smallest path carries: 6 × 188 bytes with all headers fit IPv6's minimum MTU of 1280 (RFC
    /// 8200 §5).
    public static let payloadOfSmallPath = 1_128
    /// The usual payload, 7 × 188 bytes.
    public static let payloadUsual = 1_316
    /// Longest datagram that an unfragmented IPv4 packet of 1500 bytes carries.
    public static let datagramMax = 1472
    /// Longest handshake message.
    public static let handshakeLengthMax = HandshakeSizes.openMax
    /// Longest control message.
    public static let controlLengthMax = 1400
    /// Longest page of an announcement: it must get through a path of MTU 1280 as well.
    public static let announceLengthMax = 1_200
    /// Highest sequence number allowed in a packet or message: a stream of 10,000 packets a second takes 14 million
    /// years to get there. The sum of any two still fits into 64 bits, so arithmetic on received numbers cannot
    /// overflow.
    public static let sequenceMax: UInt64 = (1 << 62) - 1
    /// Longest name: its length is one byte.
    public static let nameMax = 255
}
