import ReflectorModel
import RelayWire

/// Encodes into and decodes from arrays, for tests.
enum Bytes {
    static func encode(_ message: HandshakeMessage) -> [UInt8] {
        filled(WireLimits.handshakeLengthMax) { HandshakeCodec.encode(message, into: $0) }
    }

    static func encode(_ message: RelayMessage, token: UInt64 = 1, counter: UInt64 = 1) -> [UInt8] {
        filled(WireLimits.controlLengthMax) { ControlCodec.encode(message, token: token, counter: counter, into: $0) }
    }

    static func handshake(_ bytes: [UInt8]) throws -> HandshakeMessage {
        try bytes.withUnsafeBytes { try HandshakeCodec.decode($0) }
    }

    static func control(_ bytes: [UInt8]) throws -> RelayMessage {
        try bytes.withUnsafeBytes { try ControlCodec.decodeBody($0) }
    }

    static func dataHeader(_ bytes: [UInt8]) throws -> DataHeader {
        try bytes.withUnsafeBytes { try DataHeader(parsing: $0) }
    }

    /// Headers of a data packet, `payload` zero bytes and a zero tag.
    static func unsealed(_ header: DataHeader, payload: Int = 0) -> [UInt8] {
        filled(WireLimits.dataOverhead + payload) { buffer in
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
            DataHeader.writeLinkHeader(
                into: buffer, retransmitted: header.retransmitted, token: header.token, linkNumber: header.linkNumber)
            DataHeader.writeStreamHeader(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[WireLimits.linkHeaderLength...]),
                tag: header.tag, sequence: header.sequence, kind: header.kind)
            return buffer.count
        }
    }

    static func filled(_ lengthMax: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xee, count: lengthMax)
        let length = bytes.withUnsafeMutableBytes { fill($0) }
        return Array(bytes[..<length])
    }
}
