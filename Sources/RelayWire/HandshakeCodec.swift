import ReflectorModel

/// Encodes and decodes handshake messages (WireFormat.md, "Handshake").
public enum HandshakeCodec {
    /// Length of the shortest message, Refused.
    static let lengthMin = 36

    /// Reads a whole handshake datagram. Its MAC is not checked: call `verify` first.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> HandshakeMessage {
        let type = try DatagramType.of(bytes)
        guard bytes.count >= lengthMin else { throw .tooShort }
        guard bytes.count <= WireLimits.handshakeLengthMax else { throw .tooLong }
        let body = UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - WireLimits.macLength)])
        var reader = WireReader(body, from: 1)
        guard try reader.read(UInt8.self) == WireLimits.version else { throw .badVersion }
        let keyPhase = try reader.read(UInt8.self)
        let message: HandshakeMessage
        switch type {
        case .hello: message = try decodeHello(keyPhase, &reader)
        case .cookie: message = try decodeCookie(keyPhase, &reader)
        case .open: message = .open(try decodeOpen(keyPhase, &reader))
        case .opened: message = .opened(try decodeOpened(keyPhase, &reader))
        case .refused:
            let reason = try reader.read(enumeration: RefusedReason.self)
            message = .refused(keyPhase: keyPhase, reason: reason, nonce: try reader.readNonce())
        case .probe: message = .probe(try Probe(keyPhase, &reader))
        case .probeReport: message = .probeReport(try ProbeReport(keyPhase, &reader))
        case .control, .data: throw .unknownType
        }
        try reader.finish()
        return message
    }

    /// Writes a message and returns its length, including the last 16 bytes, which `finish` fills with the MAC.
    /// `WireLimits.handshakeLengthMax` bytes are always enough; a name must not be longer than `nameMax`.
    public static func encode(_ message: HandshakeMessage, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var writer = WireWriter(buffer)
        switch message {
        case .hello(let keyPhase, let role, let node, let nonce):
            writer.writeStart(.hello, keyPhase, role.rawValue)
            writer.write(node.rawValue)
            writer.write(nonce)
            writer.writeZeros(count: 16)
        case .cookie(let keyPhase, let nonce, let cookie):
            writer.writeStart(.cookie, keyPhase, 0)
            writer.write(nonce)
            writer.write(cookie)
        case .open(let open):
            encode(open, &writer)
        case .opened(let opened):
            encode(opened, &writer)
        case .refused(let keyPhase, let reason, let nonce):
            writer.writeStart(.refused, keyPhase, reason.rawValue)
            writer.write(nonce)
        case .probe(let probe): probe.write(&writer)
        case .probeReport(let report): report.write(&writer)
        }
        return writer.finishBeforeMAC(lengthMax: WireLimits.handshakeLengthMax)
    }

    /// True if the MAC at the end of a whole handshake datagram is correct under the network key whose phase the
    /// datagram contains. Also false for a wrong length or an unknown phase.
    public static func verify(_ bytes: UnsafeRawBufferPointer, crypto: any PacketCrypto) -> Bool {
        guard (lengthMin...WireLimits.handshakeLengthMax).contains(bytes.count) else { return false }
        let covered = UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - WireLimits.macLength)])
        var mac = MACField()
        guard mac.fill({ crypto.handshakeMAC(phase: bytes[2], of: covered, into: $0) }) else { return false }
        return mac.isTail(of: bytes)
    }

    /// Computes the MAC of an encoded message into its last 16 bytes. The buffer must be exactly as long as `encode`
    /// returned. False if there is no network key of the message's phase: then the message must not be sent.
    public static func finish(_ bytes: UnsafeMutableRawBufferPointer, crypto: any PacketCrypto) -> Bool {
        precondition(bytes.count >= lengthMin, "HandshakeCodec: no handshake message")
        let split = bytes.count - WireLimits.macLength
        return crypto.handshakeMAC(
            phase: bytes[2], of: UnsafeRawBufferPointer(rebasing: bytes[..<split]),
            into: UnsafeMutableRawBufferPointer(rebasing: bytes[split...]))
    }

    private static func decodeHello(
        _ keyPhase: UInt8, _ reader: inout WireReader
    ) throws(WireError) -> HandshakeMessage {
        let role = try reader.read(enumeration: NodeRole.self)
        let node = NodeID(try reader.read())
        let nonce = try reader.readNonce()
        // The zeros make Hello as long as Cookie, so that a reply is never longer than its request.
        try reader.readZeros(count: 16)
        return .hello(keyPhase: keyPhase, role: role, node: node, nonce: nonce)
    }

    private static func decodeCookie(
        _ keyPhase: UInt8, _ reader: inout WireReader
    ) throws(WireError) -> HandshakeMessage {
        try reader.readZeros(count: 1)
        let nonce = try reader.readNonce()
        return .cookie(keyPhase: keyPhase, nonce: nonce, cookie: try reader.readCookie())
    }

    private static func decodeOpen(_ keyPhase: UInt8, _ reader: inout WireReader) throws(WireError) -> Open {
        let role = try reader.read(enumeration: NodeRole.self)
        let node = NodeID(try reader.read())
        let nonce = try reader.readNonce()
        let cookie = try reader.readCookie()
        let token = try reader.read(UInt64.self)
        let region = RegionID(try reader.read())
        let hasRegion = try reader.readFlag()
        guard hasRegion || region.rawValue == 0 else { throw .unknownValue }
        return Open(
            keyPhase: keyPhase, role: role, node: node, nonce: nonce, cookie: cookie, childToken: token,
            region: hasRegion ? region : nil, name: try reader.readName())
    }

    private static func decodeOpened(_ keyPhase: UInt8, _ reader: inout WireReader) throws(WireError) -> Opened {
        let role = try reader.read(enumeration: NodeRole.self)
        let node = NodeID(try reader.read())
        let nonce = try reader.readNonce()
        let parentNonce = try reader.readNonce()
        let token = try reader.read(UInt64.self)
        let lease = try reader.read(UInt32.self)
        let shardCount = try reader.read(UInt16.self)
        let shard = try reader.read(UInt16.self)
        guard shard < shardCount else { throw .unknownValue }
        return Opened(
            keyPhase: keyPhase, role: role, node: node, nonce: nonce, parentNonce: parentNonce, parentToken: token,
            leaseMilliseconds: lease, shardCount: shardCount, shard: shard, name: try reader.readName())
    }

    private static func encode(_ open: Open, _ writer: inout WireWriter) {
        writer.writeStart(.open, open.keyPhase, open.role.rawValue)
        writer.write(open.node.rawValue)
        writer.write(open.nonce)
        writer.write(open.cookie)
        writer.write(open.childToken)
        writer.write(open.region?.rawValue ?? 0)
        writer.write(UInt8(open.region == nil ? 0 : 1))
        writer.writeName(open.name)
    }

    private static func encode(_ opened: Opened, _ writer: inout WireWriter) {
        precondition(opened.shard < opened.shardCount, "HandshakeCodec: a shard beyond the count")
        writer.writeStart(.opened, opened.keyPhase, opened.role.rawValue)
        writer.write(opened.node.rawValue)
        writer.write(opened.nonce)
        writer.write(opened.parentNonce)
        writer.write(opened.parentToken)
        writer.write(opened.leaseMilliseconds)
        writer.write(opened.shardCount)
        writer.write(opened.shard)
        writer.writeName(opened.name)
    }
}

extension WireReader {
    mutating func readNonce() throws(WireError) -> HandshakeNonce {
        let high = try read(UInt64.self)
        return HandshakeNonce(high: high, low: try read())
    }

    mutating func readCookie() throws(WireError) -> HandshakeCookie {
        let milliseconds = try read(UInt64.self)
        let high = try read(UInt64.self)
        return HandshakeCookie(milliseconds: milliseconds, macHigh: high, macLow: try read())
    }
}

extension WireWriter {
    /// Writes the first four bytes of a handshake message; the meaning of the fourth depends on the message.
    mutating func writeStart(_ type: DatagramType, _ keyPhase: UInt8, _ fourth: UInt8) {
        write(type.byte)
        write(WireLimits.version)
        write(keyPhase)
        write(fourth)
    }

    mutating func write(_ nonce: HandshakeNonce) {
        write(nonce.high)
        write(nonce.low)
    }

    mutating func write(_ cookie: HandshakeCookie) {
        write(cookie.milliseconds)
        write(cookie.macHigh)
        write(cookie.macLow)
    }
}
