import PacketSealing
import ReflectorModel
import RelayWire
import Testing

@Suite("libcrypto behind PacketCrypto")
struct PacketSealingTests {
    private let stream = StreamName("live/news")!
    private let one = HandshakeNonce(high: 1, low: 1)
    private let two = HandshakeNonce(high: 2, low: 2)

    private func key(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }

    private func makeSealKey(
        _ crypto: LibcryptoPacketCrypto, phase: UInt8 = 1, source: UInt64 = 1, incarnation: UInt64 = 1
    ) -> SealKey? {
        crypto.makeSealKey(
            phase: phase, stream: stream, source: NodeID(source), incarnation: Incarnation(high: 0, low: incarnation))
    }

    private func header(sequence: UInt64, filler: Bool = false) -> DataHeader {
        DataHeader(
            retransmitted: false, keyPhase: 1, token: 1, linkNumber: 1, tag: IncarnationTag(1),
            sequence: SequenceNumber(sequence), isFiller: filler)
    }

    @Test("Network keys are checked: number, length, one per phase")
    func networkKeys() {
        func make(_ keys: [(phase: UInt8, key: [UInt8])]) throws -> LibcryptoPacketCrypto {
            try LibcryptoPacketCrypto(networkKeys: keys)
        }
        #expect(throws: PacketSealingError.noNetworkKey) { try make([]) }
        #expect(throws: PacketSealingError.networkKeyLength(phase: 1, bytes: 31)) {
            try make([(1, [UInt8](repeating: 0, count: 31))])
        }
        #expect(throws: PacketSealingError.repeatedPhase(1)) { try make([(1, key(1)), (1, key(2))]) }
        #expect(throws: PacketSealingError.tooManyNetworkKeys(count: 3)) {
            try make([(1, key(1)), (2, key(2)), (3, key(3))])
        }
    }

    @Test("Two nodes that hold the old and the new key in either order understand each other")
    func roll() throws {
        let before = try LibcryptoPacketCrypto(networkKeys: [(1, key(1)), (2, key(2))])
        let after = try LibcryptoPacketCrypto(networkKeys: [(2, key(2)), (1, key(1))])
        #expect(before.keyPhases == [1, 2])
        #expect(after.keyPhases == [2, 1])
        for phase in [1, 2] as [UInt8] {
            let message = HandshakeMessage.refused(keyPhase: phase, reason: .version, nonce: one)
            var bytes = Bytes.encode(message)
            let isFinished = Bytes.finish(&bytes, crypto: before)
            #expect(isFinished)
            #expect(bytes.withUnsafeBytes { HandshakeCodec.verify($0, crypto: after) })
            let sealing = try #require(makeSealKey(before, phase: phase))
            let opening = try #require(makeSealKey(after, phase: phase))
            let packet = SealedPacket(header(sequence: 1), payload: [1, 2, 3], key: sealing, crypto: before)
            #expect(packet.open(key: opening, crypto: after) == [1, 2, 3])
        }
        #expect(makeSealKey(before, phase: 3) == nil)
        let keys = before.makeLinkKeys(
            phase: 3, childNonce: one, parentNonce: two, child: NodeID(1), parent: NodeID(2))
        #expect(keys == nil)
        var unknown = Bytes.encode(.refused(keyPhase: 3, reason: .version, nonce: one))
        let isFinished = Bytes.finish(&unknown, crypto: before)
        #expect(!isFinished)
        #expect(!unknown.withUnsafeBytes { HandshakeCodec.verify($0, crypto: before) })
    }

    @Test("Any changed bit in a sealed packet, except in the private link header, is detected")
    func forged() throws {
        let crypto = try DocumentedVectors.crypto()
        let key = try #require(makeSealKey(crypto))
        let packet = SealedPacket(header(sequence: 9), payload: [UInt8](0..<40), key: key, crypto: crypto)
        for bit in 0..<packet.bytes.count * 8 {
            var changed = packet
            changed.bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            let isOpened = changed.open(key: key, crypto: crypto) != nil
            // The retransmit bit, phase, token and link number belong to the link: the seal does not cover them.
            let isPrivate = (8..<14 * 8).contains(bit) || bit == 0
            #expect(isOpened == isPrivate, "bit \(bit)")
        }
        #expect(packet.open(key: key, crypto: crypto) == [UInt8](0..<40))
    }

    @Test("Keys of another stream, source, incarnation or network open nothing")
    func separate() throws {
        let crypto = try DocumentedVectors.crypto()
        let other = try LibcryptoPacketCrypto(networkKeys: [(1, key(9))])
        let sealing = try #require(makeSealKey(crypto))
        let packet = SealedPacket(header(sequence: 1), payload: [7], key: sealing, crypto: crypto)
        let strangers = try [
            #require(makeSealKey(crypto, source: 2)), #require(makeSealKey(crypto, incarnation: 2)),
            #require(
                crypto.makeSealKey(
                    phase: 1, stream: StreamName("live/new")!, source: NodeID(1),
                    incarnation: Incarnation(high: 0, low: 1))),
        ]
        for stranger in strangers { #expect(packet.open(key: stranger, crypto: crypto) == nil) }
        #expect(packet.open(key: try #require(makeSealKey(other)), crypto: other) == nil)
        #expect(packet.open(key: sealing, crypto: crypto) == [7])
    }

    @Test("One key seals and opens alternately: packets of any length, and fillers")
    func inTurn() throws {
        let crypto = try DocumentedVectors.crypto()
        let key = try #require(makeSealKey(crypto))
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
        let crypto = try LibcryptoPacketCrypto(networkKeys: [(1, key(1))], linksMax: 2, incarnationsMax: 2)
        func link() -> LinkKeys? {
            crypto.makeLinkKeys(phase: 1, childNonce: one, parentNonce: two, child: NodeID(1), parent: NodeID(2))
        }
        let first = try #require(link())
        let second = try #require(link())
        #expect(Set([first.childToParent, first.parentToChild, second.childToParent, second.parentToChild]).count == 4)
        #expect(link() == nil)
        #expect(crypto.tableFullCount == 1)
        crypto.release(first)
        crypto.release(first)
        let third = try #require(link())
        #expect(Set([third.childToParent, third.parentToChild]) == Set([first.childToParent, first.parentToChild]))
        #expect(link() == nil)

        let sealing = try #require(makeSealKey(crypto))
        #expect(makeSealKey(crypto, incarnation: 2) != nil)
        #expect(makeSealKey(crypto, incarnation: 3) == nil)
        crypto.release(sealing)
        crypto.release(sealing)
        #expect(makeSealKey(crypto, incarnation: 3) == sealing)
        #expect(makeSealKey(crypto, incarnation: 4) == nil)
        #expect(crypto.tableFullCount == 4)
        #expect(crypto.failureCount == 0)
    }

    @Test("Both ends of a link derive the same two keys, one for each direction")
    func linkKeys() throws {
        let child = try DocumentedVectors.crypto()
        let parent = try DocumentedVectors.crypto()
        // Handles differ between the two, keys do not.
        _ = parent.makeLinkKeys(phase: 1, childNonce: two, parentNonce: two, child: NodeID(5), parent: NodeID(6))
        func keys(_ crypto: LibcryptoPacketCrypto) -> LinkKeys? {
            crypto.makeLinkKeys(phase: 1, childNonce: one, parentNonce: two, child: NodeID(1), parent: NodeID(2))
        }
        let mine = try #require(keys(child))
        let theirs = try #require(keys(parent))
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

    @Test("Cookies: two generations are valid; older ones and those of another process fail verification")
    func cookies() throws {
        let crypto = try DocumentedVectors.crypto()
        let other = try DocumentedVectors.crypto()
        func mac(_ crypto: LibcryptoPacketCrypto, _ generation: UInt64) -> [UInt8] {
            Bytes.filled(16) { tag in
                [UInt8](1...9).withUnsafeBytes { crypto.cookieMAC(secret: generation, of: $0, into: tag) }
                return tag.count
            }
        }
        let tenth = mac(crypto, 10)
        #expect(mac(crypto, 10) == tenth)
        #expect(mac(other, 10) != tenth)
        let eleventh = mac(crypto, 11)
        #expect(eleventh != tenth)
        #expect(mac(crypto, 10) == tenth)
        let twelfth = mac(crypto, 12)
        #expect(mac(crypto, 10) != tenth)
        #expect(mac(crypto, 10) != mac(crypto, 10))
        #expect(mac(crypto, 11) == eleventh)
        #expect(mac(crypto, 12) == twelfth)
    }

    @Test("Random bytes fill the whole buffer, and an empty buffer is no error")
    func random() throws {
        let crypto = try DocumentedVectors.crypto()
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
