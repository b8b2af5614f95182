import ReflectorModel
import Testing

@testable import NodeIdentity

@Suite("What the handshake encrypts has one encoding; readers refuse every other")
struct SealedIdentityTests {
    private let fixture: Fixture
    private let identity: SealedIdentity

    init() throws {
        fixture = try Fixture()
        identity = SealedIdentity(
            certificate: try fixture.certificate(fixture.content()), signature: fixture.world.fixed(),
            intended: NodeID(name: "set-1"), payload: [1, 2, 3])
    }

    @Test("What is encoded decodes to the same, with the longest and with no payload")
    func roundTrip() throws {
        for count in [0, 3, HandshakeSizes.payloadMax] {
            var identity = identity
            identity.payload = fixture.world.bytes(count)
            #expect(try SealedIdentity(decoding: identity.encoded) == identity)
        }
    }

    @Test("Each truncation, an appended byte, and lengths that are too long are refused")
    func lengths() throws {
        let bytes = identity.encoded
        for count in 0..<bytes.count {
            #expect(throws: IdentityFormatError.self) { try SealedIdentity(decoding: Array(bytes[..<count])) }
        }
        #expect(throws: IdentityFormatError.trailingBytes) { try SealedIdentity(decoding: bytes + [0]) }
        var long = bytes
        long[bytes.count - 4] = UInt8(HandshakeSizes.payloadMax + 1)
        #expect(throws: IdentityFormatError.tooLong) {
            try SealedIdentity(decoding: long + [UInt8](repeating: 0, count: 200))
        }
        long = bytes
        long[0] = 2
        long[1] = 1
        #expect(throws: IdentityFormatError.tooLong) {
            try SealedIdentity(decoding: long + [UInt8](repeating: 0, count: 600))
        }
    }

    @Test("Each change of one byte is refused, or gives another identity with that very encoding")
    func everyByte() {
        var bytes = identity.encoded
        for index in bytes.indices {
            let original = bytes[index]
            for value in stride(from: UInt8(1), through: 255, by: 2) {
                bytes[index] = original ^ value
                guard let other = try? SealedIdentity(decoding: bytes) else { continue }
                if other.encoded != bytes || other == identity { Issue.record("byte \(index): two encodings") }
            }
            bytes[index] = original
        }
    }
}
