import PacketSealing
import ReflectorModel
import RelayWire
import Testing

@Suite("The test vectors of WireFormat.md")
struct VectorTests {
    typealias Fixed = DocumentedVectors
    let vectors: DocumentedVectors
    let crypto: LibcryptoPacketCrypto

    init() throws {
        vectors = try DocumentedVectors()
        crypto = try Fixed.crypto()
    }

    @Test("The document has a vector for every message and no other")
    func complete() {
        let keys = ["handshake key", "link key, child to parent", "link key, parent to child", "sealing key"]
        let names =
            keys + Fixed.handshakes.map(\.name) + Fixed.fromChild.map(\.name) + Fixed.fromParent.map(\.name)
            + ["Data", "Data, retransmitted", "Data, filler"]
        #expect(Set(vectors.values.keys) == Set(names))
    }

    @Test("Handshake messages encode, authenticate and decode as documented")
    func handshakes() throws {
        for (name, message) in Fixed.handshakes {
            let expected = try #require(vectors.values[name])
            var bytes = Bytes.encode(message)
            let isFinished = Bytes.finish(&bytes, crypto: crypto)
            #expect(isFinished)
            #expect(bytes == expected, "\(name)")
            #expect(expected.withUnsafeBytes { HandshakeCodec.verify($0, crypto: crypto) })
            #expect(try Bytes.handshake(expected) == message)
        }
    }

    @Test("Control messages encode, authenticate and decode as documented")
    func control() throws {
        let keys = try #require(
            crypto.makeLinkKeys(
                phase: Fixed.phase, childNonce: Fixed.nonceC, parentNonce: Fixed.nonceP, child: Fixed.child,
                parent: Fixed.parent))
        let directions = [
            (Fixed.fromChild, keys.childToParent, keys.parentToChild, Fixed.parentToken),
            (Fixed.fromParent, keys.parentToChild, keys.childToParent, Fixed.childToken),
        ]
        for (messages, key, otherKey, token) in directions {
            for (index, (name, message)) in messages.enumerated() {
                let expected = try #require(vectors.values[name])
                var bytes = Bytes.encode(message, token: token, counter: UInt64(index + 1))
                bytes.withUnsafeMutableBytes { ControlCodec.finish($0, key: key, crypto: crypto) }
                #expect(bytes == expected, "\(name)")
                #expect(expected.withUnsafeBytes { ControlCodec.verify($0, key: key, crypto: crypto) })
                #expect(!expected.withUnsafeBytes { ControlCodec.verify($0, key: otherKey, crypto: crypto) })
                #expect(try Bytes.control(expected) == message)
                let header = try expected.withUnsafeBytes { try ControlHeader(parsing: $0) }
                #expect(header.token == token && header.counter == UInt64(index + 1))
            }
        }
    }

    @Test("Data packets are sealed and opened as documented")
    func data() throws {
        let packets: [(String, retransmitted: Bool, link: UInt32, sequence: UInt64, payload: [UInt8])] = [
            ("Data", false, 1, 42, Fixed.payload), ("Data, retransmitted", true, 2, 42, Fixed.payload),
            ("Data, filler", false, 3, 43, []),
        ]
        for (name, retransmitted, link, sequence, payload) in packets {
            let key = try #require(
                crypto.makeSealKey(
                    phase: Fixed.phase, stream: Fixed.stream, source: Fixed.source, incarnation: Fixed.incarnation))
            defer { crypto.release(key) }
            let header = DataHeader(
                retransmitted: retransmitted, keyPhase: Fixed.phase, token: Fixed.childToken, linkNumber: link,
                tag: Fixed.tag, sequence: SequenceNumber(sequence), isFiller: payload.isEmpty)
            let sealed = SealedPacket(header, payload: payload, key: key, crypto: crypto)
            let expected = try #require(vectors.values[name])
            #expect(sealed.bytes == expected, "\(name)")
            #expect(try Bytes.dataHeader(expected) == header)
            #expect(SealedPacket(bytes: expected).open(key: key, crypto: crypto) == payload)
        }
    }
}
