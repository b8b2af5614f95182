import NodeIdentity
import ReflectorModel
import Testing

@Suite("Revocation lists")
struct RevocationListTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    @Test("What is encoded decodes to the same list, with the serials in order and each once")
    func roundTrip() throws {
        let list = try fixture.revocations([9, 3, UInt64.max, 3, 1])
        #expect(list.content.serials == [1, 3, 9, UInt64.max])
        #expect(try RevocationList(decoding: list.encoded) == list)
        let empty = try fixture.revocations([])
        #expect(try RevocationList(decoding: empty.encoded) == empty)
    }

    @Test("A list holds 4,096 serials, and no more")
    func bound() throws {
        let most = try fixture.revocations(Array(1...4_096))
        #expect(try RevocationList(decoding: most.encoded) == most)
        #expect(throws: IdentityFormatError.tooMany) { try fixture.revocations(Array(1...4_097)) }
        // One more in the bytes alone.
        var bytes = most.encoded
        let count = 1 + 1 + Fixture.zone.utf8.count + 8 + 5 + 8 + 3
        bytes[count] = 1
        #expect(throws: IdentityFormatError.tooMany) { try RevocationList(decoding: bytes) }
    }

    @Test("Each change of one byte is refused, or is another list with that very encoding and no valid signature")
    func everyByte() throws {
        let list = try fixture.revocations([1, 5, 1 << 40])
        var bytes = list.encoded
        for index in bytes.indices {
            let original = bytes[index]
            for value in UInt8.min...UInt8.max where value != original {
                bytes[index] = value
                guard let other = try? RevocationList(decoding: bytes) else { continue }
                if other.encoded != bytes || other == list {
                    Issue.record("byte \(index) = \(value): two encodings of one list")
                }
                if fixture.authorities.accepts(other, zone: Fixture.zone, fixture.crypto) {
                    Issue.record("byte \(index) = \(value): accepted")
                }
            }
            bytes[index] = original
        }
        for count in 0..<bytes.count {
            #expect(throws: IdentityFormatError.self) { try RevocationList(decoding: bytes[..<count]) }
        }
        #expect(throws: IdentityFormatError.trailingBytes) { try RevocationList(decoding: bytes + [0]) }
    }

    @Test("Serials out of order, repeated or zero are refused, and so is a sequence number of zero")
    func order() throws {
        let bytes = try fixture.revocations([1, 2]).encoded
        let at = bytes.count - 64 - 16
        func with(_ first: UInt8, _ second: UInt8) -> [UInt8] {
            var bytes = bytes
            bytes[at + 7] = first
            bytes[at + 15] = second
            return bytes
        }
        #expect(throws: IdentityFormatError.serialOrder) { try RevocationList(decoding: with(2, 1)) }
        #expect(throws: IdentityFormatError.serialOrder) { try RevocationList(decoding: with(2, 2)) }
        #expect(throws: IdentityFormatError.badSerial) { try RevocationList(decoding: with(0, 2)) }
        #expect(throws: IdentityFormatError.badSequence) { try fixture.revocations([1], sequence: 0) }
    }

    @Test("A list replaces one with a lower sequence number of the same zone, whenever it was issued")
    func newer() throws {
        let old = try fixture.revocations([1], sequence: 4)
        let new = try fixture.revocations([1], sequence: 5)
        #expect(new.isNewer(than: old))
        #expect(!old.isNewer(than: new))
        #expect(!old.isNewer(than: old))
        #expect(!(try fixture.revocations([1], sequence: 9, zone: "other.net")).isNewer(than: old))
    }

    @Test("Only a list that an operator signed for this zone is accepted")
    func accepted() throws {
        let list = try fixture.revocations([1])
        #expect(fixture.authorities.accepts(list, zone: Fixture.zone, fixture.crypto))
        #expect(!fixture.authorities.accepts(list, zone: "other.net", fixture.crypto))
        let forged = try RevocationList(
            signing: list.content, with: fixture.crypto.makeSigningKey(), fixture.crypto)
        #expect(!fixture.authorities.accepts(forged, zone: Fixture.zone, fixture.crypto))
    }

    @Test("Every revoked serial is found, and no other")
    func lookUp() throws {
        let list = try fixture.revocations(stride(from: 2, through: 2_000, by: 2).map { UInt64($0) })
        for serial in UInt64(0)...2_001 {
            #expect(list.contains(serial) == (serial >= 2 && serial <= 2_000 && serial.isMultiple(of: 2)))
        }
        #expect(!(try fixture.revocations([])).contains(1))
    }
}
