import ReflectorModel

/// Encodes and decodes control messages (WireFormat.md, "Control"). A receiver reads the `ControlHeader`, finds the
/// link by its token, calls `verify`, checks the link's `ReplayWindow`, and only then calls `decodeBody`.
public enum ControlCodec {
    /// Length of a message with an empty body: header and MAC.
    static let lengthMin = WireLimits.controlHeaderLength + WireLimits.macLength
    /// The shortest size probe: no message that the peer answers is shorter.
    public static let sizeProbeLengthMin = lengthMin + 2

    /// The message kind, the byte before the body.
    enum Kind: UInt8 {
        case subscribe = 1
        case subscribeReply = 2
        case unsubscribe = 3
        case subscriptionEnd = 4
        case renew = 5
        case linkHeartbeat = 6
        case nak = 7
        case announce = 8
        case heartbeat = 9
        case announcePull = 10
        case heartbeatReply = 11
        case close = 12
        case sizeProbe = 13
        case sizeReport = 14
        case payloadLimit = 15
        case probe = 16
        case probeReport = 17
        case witnessReport = 18
        case regionReport = 19
        case lanFeed = 20
    }

    /// True if a whole control datagram is a NAK, by its kind alone. The datagram must contain the whole header
    /// (`WireLimits.controlHeaderLength` bytes).
    public static func isNak(_ datagram: UnsafeRawBufferPointer) -> Bool {
        datagram[WireLimits.controlHeaderLength - 1] == Kind.nak.rawValue
    }

    /// True if the MAC at the end of a whole control datagram is correct. Also false for a wrong length.
    public static func verify(_ datagram: UnsafeRawBufferPointer, key: MACKey, crypto: any PacketCrypto) -> Bool {
        guard (lengthMin...WireLimits.controlLengthMax).contains(datagram.count) else { return false }
        let covered = UnsafeRawBufferPointer(rebasing: datagram[..<(datagram.count - WireLimits.macLength)])
        var mac = MACField()
        mac.fill { crypto.mac(key, of: covered, into: $0) }
        return mac.isTail(of: datagram)
    }

    /// Computes the MAC of an encoded message into its last 16 bytes. The buffer must be exactly as long as `encode`
    /// returned.
    public static func finish(_ datagram: UnsafeMutableRawBufferPointer, key: MACKey, crypto: any PacketCrypto) {
        precondition(datagram.count >= lengthMin, "ControlCodec: no control message")
        let split = datagram.count - WireLimits.macLength
        crypto.mac(
            key, of: UnsafeRawBufferPointer(rebasing: datagram[..<split]),
            into: UnsafeMutableRawBufferPointer(rebasing: datagram[split...]))
    }
}
