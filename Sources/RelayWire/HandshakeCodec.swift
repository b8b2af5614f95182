import NodeIdentity
import ReflectorModel

/// Encodes and decodes handshake messages (WireFormat.md, "Handshake").
public enum HandshakeCodec {
    /// Reads a whole handshake datagram. Nothing in it is authenticated yet: the handshake's state machines do that.
    ///
    /// Throws `empty`, `unknownType`, `tooShort`, `tooLong`, `badVersion`, `unknownValue` or `trailingBytes`.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> HandshakeMessage {
        let type = try DatagramType.of(bytes)
        guard bytes.count <= WireLimits.handshakeLengthMax else { throw .tooLong }
        var reader = WireReader(bytes, from: 1)
        guard try reader.read(UInt8.self) == WireLimits.version else { throw .badVersion }
        try reader.readZeros(count: 1)
        let message: HandshakeMessage
        switch type {
        case .hello:
            try reader.readZeros(count: 1)
            let nonce: Nonce = try reader.readFixed()
            // The zeros make Hello as long as Cookie, so that a reply is never longer than its request.
            try reader.readZeros(count: HandshakeSizes.hello - 20)
            message = .hello(HelloMessage(nonce: nonce))
        case .cookie:
            try reader.readZeros(count: 1)
            let nonce: Nonce = try reader.readFixed()
            let cookie = try reader.readCookie()
            message = .cookie(CookieMessage(nonce: nonce, cookie: cookie, epochKey: try reader.readFixed()))
        case .open:
            try reader.readZeros(count: 1)
            let nonce: Nonce = try reader.readFixed()
            let cookie = try reader.readCookie()
            let childKey: AgreementPublicKey = try reader.readFixed()
            message = .open(
                OpenMessage(nonce: nonce, cookie: cookie, childKey: childKey, sealed: try reader.readSealed()))
        case .opened:
            try reader.readZeros(count: 1)
            let nonce: Nonce = try reader.readFixed()
            let parentKey: AgreementPublicKey = try reader.readFixed()
            message = .opened(OpenedMessage(nonce: nonce, parentKey: parentKey, sealed: try reader.readSealed()))
        case .refused:
            let reason = try reader.read(enumeration: HandshakeRefusal.self)
            let nonce: Nonce = try reader.readFixed()
            message = .refused(RefusedMessage(nonce: nonce, reason: reason, mac: try reader.readFixed()))
        case .control, .data: throw .unknownType
        }
        try reader.finish()
        return message
    }

    /// Writes a message and returns its length. `WireLimits.handshakeLengthMax` bytes are always enough.
    public static func encode(_ message: HandshakeMessage, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var writer = WireWriter(buffer)
        switch message {
        case .hello(let hello):
            writer.writeStart(.hello)
            writer.write(hello.nonce)
            writer.writeZeros(count: HandshakeSizes.hello - 20)
        case .cookie(let cookie):
            writer.writeStart(.cookie)
            writer.write(cookie.nonce)
            writer.write(cookie.cookie)
            writer.write(cookie.epochKey)
        case .open(let open):
            writer.writeStart(.open)
            writer.write(open.nonce)
            writer.write(open.cookie)
            writer.write(open.childKey)
            writer.writeSealed(open.sealed)
        case .opened(let opened):
            writer.writeStart(.opened)
            writer.write(opened.nonce)
            writer.write(opened.parentKey)
            writer.writeSealed(opened.sealed)
        case .refused(let refused):
            writer.writeStart(.refused, fourth: refused.reason.rawValue)
            writer.write(refused.nonce)
            writer.write(refused.mac)
        }
        return writer.length
    }
}

extension WireReader {
    fileprivate mutating func readCookie() throws(WireError) -> RoutabilityCookie {
        let milliseconds = try read(UInt64.self)
        return RoutabilityCookie(milliseconds: milliseconds, mac: try readFixed())
    }

    /// Two bytes of length and that many bytes.
    fileprivate mutating func readSealed() throws(WireError) -> [UInt8] {
        let length = Int(try read(UInt16.self))
        guard length <= HandshakeSizes.sealedMax else { throw .tooLong }
        return try readBytes(count: length)
    }
}

extension WireWriter {
    /// Writes the first four bytes of a handshake message; the meaning of the fourth depends on the message.
    fileprivate mutating func writeStart(_ type: DatagramType, fourth: UInt8 = 0) {
        write(type.byte)
        write(WireLimits.version)
        write(UInt8(0))
        write(fourth)
    }

    fileprivate mutating func write(_ cookie: RoutabilityCookie) {
        write(cookie.milliseconds)
        write(cookie.mac)
    }

    fileprivate mutating func writeSealed(_ sealed: [UInt8]) {
        precondition(sealed.count <= HandshakeSizes.sealedMax, "HandshakeCodec: a sealed part that is too long")
        write(UInt16(sealed.count))
        write(bytes: sealed)
    }
}
