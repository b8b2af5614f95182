import NodeIdentity
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
        crypto = try LibcryptoPacketCrypto()
    }

    @Test("The document has a vector for every message and no other")
    func complete() throws {
        let handshakes = try vectors.handshakes()
        let parents = Fixed.fromParent(try vectors.wrappedKey())
        let names =
            handshakes.map(\.name) + Fixed.fromChild.map(\.name) + parents.map(\.name)
            + ["stream key, wrapped", "Data", "Data, retransmitted", "Data, filler", "Data, twin"]
        #expect(vectors.values.count == names.count)
        #expect(Set(vectors.values.keys) == Set(names))
    }

    @Test("Handshake messages encode and decode as documented")
    func handshakes() throws {
        for (name, message) in try vectors.handshakes() {
            let expected = try #require(vectors.values[name])
            #expect(Bytes.encode(message) == expected, "\(name)")
            #expect(try Bytes.handshake(expected) == message, "\(name)")
        }
    }

    @Test("What a link adds to Open and Opened encodes and decodes as documented")
    func payloads() throws {
        let request: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8] + [UInt8](repeating: 0, count: 8)
        #expect(Fixed.request.encoded == request)
        #expect(try LinkRequest(decoding: request) == Fixed.request)
        let grant: [UInt8] = [UInt8](0x11...0x18) + [0, 0, 0x17, 0x70, 0, 1, 0, 0]
        #expect(Fixed.grant.encoded == grant)
        #expect(try LinkGrant(decoding: grant) == Fixed.grant)
    }

    @Test("Control messages encode, authenticate and decode as documented")
    func control() throws {
        let keys = try vectors.linkKeys(crypto)
        let directions = [
            (Fixed.fromChild, keys.childToParent, keys.parentToChild, Fixed.grant.parentToken),
            (
                Fixed.fromParent(try vectors.wrappedKey()), keys.parentToChild, keys.childToParent,
                Fixed.request.childToken
            ),
        ]
        for (messages, key, otherKey, token) in directions {
            for (index, (name, message)) in messages.enumerated() {
                let expected = try #require(vectors.values[name])
                var bytes = Bytes.encode(message, token: token, counter: UInt64(index + 1))
                bytes.withUnsafeMutableBytes { ControlCodec.finish($0, key: key, crypto: crypto) }
                #expect(bytes == expected, "\(name)")
                #expect(expected.withUnsafeBytes { ControlCodec.verify($0, key: key, crypto: crypto) })
                #expect(!expected.withUnsafeBytes { ControlCodec.verify($0, key: otherKey, crypto: crypto) })
                #expect(try Bytes.control(expected) == message, "\(name)")
                let header = try expected.withUnsafeBytes { try ControlHeader(parsing: $0) }
                #expect(header.token == token && header.counter == UInt64(index + 1))
            }
        }
    }

    @Test("A stream key is wrapped and unwrapped as documented")
    func wrappedKey() throws {
        let keys = try vectors.linkKeys(crypto)
        let wrapped = try vectors.wrappedKey()
        let key = try #require(crypto.unwrap(wrapped, of: Fixed.tag, under: keys.wrapping))
        #expect(crypto.wrap(key, of: Fixed.tag, under: keys.wrapping, nonce: 1) == wrapped)
        #expect(crypto.wrap(key, of: Fixed.tag, under: keys.wrapping, nonce: 2) != wrapped)
    }

    @Test("Data packets are sealed and opened as documented")
    func data() throws {
        let keys = try vectors.linkKeys(crypto)
        let wrapped = try vectors.wrappedKey()
        let packets:
            [(String, retransmitted: Bool, link: UInt32, sequence: UInt64, payload: [UInt8], kind: PacketKind)] = [
                ("Data", false, 1, 42, Fixed.payload, .data),
                ("Data, retransmitted", true, 2, 42, Fixed.payload, .data),
                ("Data, filler", false, 3, 43, [], .filler), ("Data, twin", false, 4, 44, Fixed.payload, .twin),
            ]
        for (name, retransmitted, link, sequence, payload, kind) in packets {
            var key = try #require(crypto.unwrap(wrapped, of: Fixed.tag, under: keys.wrapping))
            if kind == .twin {
                let streamKey = key
                key = try #require(crypto.deriveTwinKey(streamKey))
                crypto.release(streamKey)
            }
            defer { crypto.release(key) }
            let header = DataHeader(
                retransmitted: retransmitted, token: Fixed.request.childToken, linkNumber: link, tag: Fixed.tag,
                sequence: SequenceNumber(sequence), kind: kind)
            let sealed = SealedPacket(header, payload: payload, key: key, crypto: crypto)
            let expected = try #require(vectors.values[name])
            #expect(sealed.bytes == expected, "\(name)")
            #expect(try Bytes.dataHeader(expected) == header)
            #expect(SealedPacket(bytes: expected).open(key: key, crypto: crypto) == payload)
        }
    }
}
