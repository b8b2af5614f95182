import IdentityKeys
@testable import NodeIdentity
import PacketSealing
import ReflectorModel
import RelayWire
import Testing

@Suite("libcrypto behind PacketCrypto")
struct PacketSealingTests {
    private func header(sequence: UInt64, filler: Bool = false) -> DataHeader {
        DataHeader(
            retransmitted: false, token: 1, linkNumber: 1, tag: IncarnationTag(1), sequence: SequenceNumber(sequence),
            kind: filler ? .filler : .data)
    }

    /// A link whose three keys are counted up from a byte.
    private func secrets(_ first: UInt8) -> LinkSecrets<LibcryptoIdentityCrypto.Secret> {
        func secret(_ number: UInt8) -> LibcryptoIdentityCrypto.Secret {
            .init(SecretMemory.copy(of: [UInt8](repeating: first &+ number, count: 32)))
        }
        return LinkSecrets(childToParent: secret(0), parentToChild: secret(1), parentToChildSealing: secret(2))
    }

    @Test("Any changed bit in a sealed packet, except in the private link header, is detected")
    func forged() throws {
        let crypto = try LibcryptoPacketCrypto()
        let key = try #require(crypto.makeSealKey())
        let packet = SealedPacket(header(sequence: 9), payload: [UInt8](0..<40), key: key, crypto: crypto)
        for bit in 0..<packet.bytes.count * 8 {
            var changed = packet
            changed.bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            let isOpened = changed.open(key: key, crypto: crypto) != nil
            // The retransmit bit, token and link number belong to the link: the seal does not cover them. The byte
            // between them must be zero.
            let isPrivate = (16..<14 * 8).contains(bit) || bit == 0
            #expect(isOpened == isPrivate, "bit \(bit)")
        }
        #expect(packet.open(key: key, crypto: crypto) == [UInt8](0..<40))
    }

    @Test("Each key that is made is another one, and opens nothing of the others")
    func separate() throws {
        let crypto = try LibcryptoPacketCrypto()
        let keys = try (0..<8).map { _ in try #require(crypto.makeSealKey()) }
        for (index, key) in keys.enumerated() {
            let packet = SealedPacket(header(sequence: 1), payload: [7], key: key, crypto: crypto)
            for (other, stranger) in keys.enumerated() {
                #expect(packet.open(key: stranger, crypto: crypto) == (other == index ? [7] : nil))
                #expect(crypto.areEqual(key, stranger) == (other == index))
            }
        }
    }

    @Test("The twin key is the same wherever it is derived, opens no other packets, and seals numbers in any order")
    func twinKey() throws {
        let crypto = try LibcryptoPacketCrypto()
        let key = try #require(crypto.makeSealKey())
        let (twin, same) = (try #require(crypto.deriveTwinKey(key)), try #require(crypto.deriveTwinKey(key)))
        let stranger = try #require(crypto.makeSealKey())
        let other = try #require(crypto.deriveTwinKey(stranger))
        #expect(crypto.areEqual(twin, same))
        for different in [key, other] { #expect(!crypto.areEqual(twin, different)) }
        for sequence: UInt64 in [9, 3, 7] {
            var header = header(sequence: sequence)
            header.kind = .twin
            let packet = SealedPacket(header, payload: [1, 2], key: twin, crypto: crypto)
            #expect(packet.open(key: same, crypto: crypto) == [1, 2])
            #expect(packet.open(key: key, crypto: crypto) == nil && packet.open(key: other, crypto: crypto) == nil)
        }
    }

    @Test("A twin key takes a place in the table, and none is derived when the table is full")
    func twinKeyRoom() throws {
        let crypto = try LibcryptoPacketCrypto(incarnationsMax: 2)
        let key = try #require(crypto.makeSealKey())
        let twin = try #require(crypto.deriveTwinKey(key))
        #expect(crypto.deriveTwinKey(key) == nil)
        #expect(crypto.tableFullCount == 1)
        crypto.release(twin)
        #expect(crypto.deriveTwinKey(key) != nil)
    }

    @Test(
        "A wrapped key opens for the link and the incarnation that it was wrapped for, and no changed bit goes unnoticed"
    )
    func wrapped() throws {
        let (parent, child) = (try LibcryptoPacketCrypto(), try LibcryptoPacketCrypto())
        let keys = try #require(parent.install(secrets(1)))
        let same = try #require(child.install(secrets(1)))
        let other = try #require(child.install(secrets(9)))
        let (tag, otherTag) = (IncarnationTag(5), IncarnationTag(6))
        let key = try #require(parent.makeSealKey())
        let wrapped = parent.wrap(key, of: tag, under: keys.wrapping, nonce: 1)
        let got = try #require(child.unwrap(wrapped, of: tag, under: same.wrapping))
        let packet = SealedPacket(header(sequence: 1), payload: [7], key: key, crypto: parent)
        #expect(packet.open(key: got, crypto: child) == [7])
        #expect(child.unwrap(wrapped, of: otherTag, under: same.wrapping) == nil)
        #expect(child.unwrap(wrapped, of: tag, under: other.wrapping) == nil)
        for bit in 0..<WrappedKey.length * 8 {
            var changed = wrapped
            changed.withMutableBytes { $0[bit / 8] ^= 1 << UInt8(bit % 8) }
            #expect(child.unwrap(changed, of: tag, under: same.wrapping) == nil, "bit \(bit)")
        }
        for bit in 0..<64 {
            var changed = wrapped
            changed.nonce ^= 1 << UInt64(bit)
            #expect(child.unwrap(changed, of: tag, under: same.wrapping) == nil, "nonce bit \(bit)")
        }
    }

    @Test("One key seals and opens alternately: packets of any length, and fillers")
    func inTurn() throws {
        let crypto = try LibcryptoPacketCrypto()
        let key = try #require(crypto.makeSealKey())
        var random = SeededGenerator(seed: 41)
        var earlier: [(SealedPacket, [UInt8])] = []
        for sequence in 1...300 as ClosedRange<UInt64> {
            let length = sequence % 10 == 0 ? 0 : Int.random(in: 1...1400, using: &random)
            let payload = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let packet = SealedPacket(
                header(sequence: sequence, filler: length == 0), payload: payload, key: key, crypto: crypto)
            earlier.append((packet, payload))
            let (old, expected) = try #require(earlier.randomElement(using: &random))
            #expect(old.open(key: key, crypto: crypto) == expected)
        }
    }

    @Test("Tables are bounded: a full one refuses and counts, a release makes room, handles are reused")
    func bounded() throws {
        let crypto = try LibcryptoPacketCrypto(linksMax: 2, incarnationsMax: 2)
        let first = try #require(crypto.install(secrets(1)))
        let second = try #require(crypto.install(secrets(4)))
        #expect(Set([first.childToParent, first.parentToChild, second.childToParent, second.parentToChild]).count == 4)
        #expect(crypto.install(secrets(7)) == nil)
        #expect(crypto.tableFullCount == 1)
        crypto.release(first)
        crypto.release(first)
        let third = try #require(crypto.install(secrets(7)))
        #expect(Set([third.childToParent, third.parentToChild]) == Set([first.childToParent, first.parentToChild]))
        #expect(crypto.install(secrets(10)) == nil)

        let sealing = try #require(crypto.makeSealKey())
        #expect(crypto.makeSealKey() != nil)
        #expect(crypto.makeSealKey() == nil)
        // Nor is there room for a key that a parent sends.
        let wrapped = crypto.wrap(sealing, of: IncarnationTag(1), under: third.wrapping, nonce: 1)
        #expect(crypto.unwrap(wrapped, of: IncarnationTag(1), under: third.wrapping) == nil)
        crypto.release(sealing)
        crypto.release(sealing)
        #expect(crypto.unwrap(wrapped, of: IncarnationTag(1), under: third.wrapping) == sealing)
        #expect(crypto.makeSealKey() == nil)
        #expect(crypto.tableFullCount == 5)
        #expect(crypto.failureCount == 0)
    }

    @Test("Both ends of a link have the same two MAC keys, one for each direction")
    func linkKeys() throws {
        let (child, parent) = (try LibcryptoPacketCrypto(), try LibcryptoPacketCrypto())
        // Handles differ between the two, keys do not.
        _ = parent.install(secrets(20))
        let mine = try #require(child.install(secrets(1)))
        let theirs = try #require(parent.install(secrets(1)))
        var bytes = Bytes.encode(.close(.leaving))
        bytes.withUnsafeMutableBytes { ControlCodec.finish($0, key: mine.childToParent, crypto: child) }
        #expect(bytes.withUnsafeBytes { ControlCodec.verify($0, key: theirs.childToParent, crypto: parent) })
        #expect(!bytes.withUnsafeBytes { ControlCodec.verify($0, key: theirs.parentToChild, crypto: parent) })
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0x10
            #expect(!changed.withUnsafeBytes { ControlCodec.verify($0, key: theirs.childToParent, crypto: parent) })
        }
    }

    @Test("Random bytes fill the whole buffer, and an empty buffer is no error")
    func random() throws {
        let crypto = try LibcryptoPacketCrypto()
        crypto.random(into: UnsafeMutableRawBufferPointer(start: nil, count: 0))
        var seen: Set<[UInt8]> = []
        for _ in 0..<64 {
            let bytes = Bytes.filled(16) { buffer in
                crypto.random(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<16]))
                return 16
            }
            seen.insert(bytes)
        }
        #expect(seen.count == 64)
    }
}
