import NodeIdentity
import ReflectorModel
import Testing

@Suite("A node certificate has one encoding; readers refuse every other")
struct CertificateTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    @Test("What is encoded decodes to the same certificate, at most 512 bytes long")
    func roundTrip() throws {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<500 {
            let certificate = try fixture.certificate(fixture.randomContent(&random))
            let bytes = certificate.encoded
            #expect(bytes.count <= CertificateLimits.certificateLengthMax)
            #expect(try NodeCertificate(decoding: bytes) == certificate)
        }
    }

    @Test("The longest certificate has 470 bytes")
    func longest() throws {
        let label = String(repeating: "a", count: 63)
        let name = "\(label).\(label)"
        let content = try fixture.content(
            role: .set, region: .set(label), zone: name, name: name,
            limits: NodeLimits(egressBitsPerSecond: 1, streams: 1, children: 1))
        // Names of 127 bytes: one of 128 has three labels.
        #expect(try fixture.certificate(content).encoded.count == 468)
    }

    @Test("Each change of one byte is refused, or gives another certificate with that encoding and a wrong signature")
    func everyByte() throws {
        var random = SeededGenerator(seed: 12)
        for _ in 0..<2 {
            let certificate = try fixture.certificate(fixture.randomContent(&random))
            var bytes = certificate.encoded
            for index in bytes.indices {
                let original = bytes[index]
                for value in UInt8.min...UInt8.max where value != original {
                    bytes[index] = value
                    guard let other = try? NodeCertificate(decoding: bytes) else { continue }
                    if other.encoded != bytes || other == certificate {
                        Issue.record("byte \(index) = \(value): two encodings of one certificate")
                    }
                    if fixture.crypto.isValid(
                        other.signature, of: other.content.signedBytes, by: fixture.operatorKey.publicKey)
                    {
                        Issue.record("byte \(index) = \(value): a valid signature of something else")
                    }
                }
                bytes[index] = original
            }
        }
    }

    @Test("Each truncation, and each appended byte, is refused")
    func lengths() throws {
        var random = SeededGenerator(seed: 13)
        for _ in 0..<50 {
            let bytes = try fixture.certificate(fixture.randomContent(&random)).encoded
            for count in 0..<bytes.count {
                #expect(throws: IdentityFormatError.self) { try NodeCertificate(decoding: bytes[..<count]) }
            }
            #expect(throws: IdentityFormatError.trailingBytes) { try NodeCertificate(decoding: bytes + [0]) }
        }
        #expect(throws: IdentityFormatError.tooLong) {
            try NodeCertificate(decoding: [UInt8](repeating: 1, count: 513))
        }
        #expect(throws: IdentityFormatError.tooShort) { try NodeCertificate(decoding: [UInt8]()) }
    }

    @Test("Random bytes never make decoding trap")
    func noise() throws {
        var random = SeededGenerator(seed: 14)
        for _ in 0..<20_000 {
            var bytes = fixture.world.bytes(Int.random(in: 0...300, using: &random))
            if !bytes.isEmpty { bytes[0] = 1 }
            if let certificate = try? NodeCertificate(decoding: bytes) { #expect(certificate.encoded == bytes) }
        }
    }

    @Test("Values out of their range do not form a certificate, each for its own reason")
    func ranges() throws {
        #expect(throws: IdentityFormatError.badSerial) { try fixture.content(serial: 0) }
        #expect(throws: IdentityFormatError.badTime) { try fixture.content(notBefore: 5, notAfter: 5) }
        #expect(throws: IdentityFormatError.badTime) { try fixture.content(notAfter: 1 << 40) }
        #expect(throws: IdentityFormatError.regionOfOtherRole) { try fixture.content(role: .edge, region: .none) }
        #expect(throws: IdentityFormatError.regionOfOtherRole) { try fixture.content(role: .entrypoint) }
        #expect(throws: IdentityFormatError.regionOfOtherRole) { try fixture.content(role: .edge, region: .set("nyc")) }
        for name in ["", "r5", "s7", "none", "New", "a.b", String(repeating: "a", count: 64)] {
            #expect(throws: IdentityFormatError.badSetRegion) { try fixture.content(role: .set, region: .set(name)) }
        }
        for name in ["", "Edge", "a..b", "a b", ".", String(repeating: "a.", count: 64) + "a"] {
            #expect(throws: IdentityFormatError.badZone) { try fixture.content(zone: name) }
            #expect(throws: IdentityFormatError.badNodeName) { try fixture.content(name: name) }
        }
        #expect(throws: IdentityFormatError.limitValue) { try fixture.content(limits: NodeLimits(streams: 0)) }
    }

    /// A certificate of the entrypoint `ep` in the zone `z` whose limits are these bytes.
    private func withLimits(_ limits: [UInt8]) throws -> [UInt8] {
        let bytes = try fixture.certificate(
            fixture.content(role: .entrypoint, region: .none, zone: "z", name: "ep")
        ).encoded
        let at = 29 + 2 + 3
        return bytes[..<at] + [UInt8(limits.count)] + limits + bytes[(at + 1)...]
    }

    @Test("Limits: an unknown type, a wrong order, a repetition, a wrong length and a zero are refused")
    func limits() throws {
        func decode(_ limits: [UInt8]) throws -> NodeLimits {
            try NodeCertificate(decoding: withLimits(limits)).content.limits
        }
        let two: [UInt8] = [2, 4, 0, 0, 0, 9]
        let three: [UInt8] = [3, 4, 0, 0, 1, 0]
        #expect(try decode(two + three) == NodeLimits(streams: 9, children: 256))
        #expect(throws: IdentityFormatError.limitOrder) { try decode(three + two) }
        #expect(throws: IdentityFormatError.limitOrder) { try decode(two + two) }
        #expect(throws: IdentityFormatError.limitOrder) { try decode([0, 4, 0, 0, 0, 1]) }
        #expect(throws: IdentityFormatError.unknownLimit) { try decode(two + [4, 4, 0, 0, 0, 1]) }
        #expect(throws: IdentityFormatError.limitLength) { try decode([2, 3, 0, 0, 9]) }
        #expect(throws: IdentityFormatError.limitValue) { try decode([2, 4, 0, 0, 0, 0]) }
        #expect(throws: IdentityFormatError.tooShort) { try decode([2, 4, 0, 0, 0]) }
        #expect(throws: IdentityFormatError.tooShort) { try decode([2]) }
    }
}
