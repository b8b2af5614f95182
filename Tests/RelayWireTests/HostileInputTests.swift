import ReflectorModel
import RelayWire
import Testing

@Suite("Hostile datagrams")
struct HostileInputTests {
    /// All seeds together use a million datagrams.
    static let datagramsPerSeed = 125_000

    @Test(
        "A mutated datagram causes no trap and no read beyond its end, and if it decodes, it has one encoding",
        arguments: 21...28 as ClosedRange<UInt64>)
    func mutated(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let originals = (0..<600).map { index in
            switch index % 3 {
            case 0: Bytes.encode(random.handshake())
            case 1: Bytes.encode(random.control(), token: random.next(), counter: random.next())
            default: Bytes.unsealed(random.dataHeader(), payload: Int.random(in: 0...40, using: &random))
            }
        }
        let buffer = GuardedBuffer()
        var output = [UInt8](repeating: 0, count: 2048)
        var decoded = 0
        var ambiguous: [UInt8]?
        for _ in 0..<Self.datagramsPerSeed {
            let datagram = random.mutate(originals)
            let outcome = buffer.with(datagram) { input in
                output.withUnsafeMutableBytes { Self.decodeAndEncode(input, into: $0) }
            }
            switch outcome {
            case .rejected: break
            case .same: decoded += 1
            case .different: ambiguous = ambiguous ?? datagram
            }
        }
        #expect(ambiguous == nil)
        // The mutations are mild enough to get past the first checks.
        #expect(decoded > Self.datagramsPerSeed / 20)
        #expect(decoded < Self.datagramsPerSeed * 19 / 20)
    }

    @Test("Every prefix of every message is refused")
    func prefixes() {
        var random = SeededGenerator(seed: 31)
        let buffer = GuardedBuffer()
        for _ in 0..<300 {
            for bytes in [Bytes.encode(random.handshake()), Bytes.encode(random.control())] {
                for length in 0..<bytes.count {
                    buffer.with(Array(bytes[..<length])) { input in
                        #expect(throws: WireError.self) { try HandshakeCodec.decode(input) }
                        #expect(throws: WireError.self) { try ControlCodec.decodeBody(input) }
                        #expect(throws: WireError.self) { try DataHeader(parsing: input) }
                    }
                }
            }
        }
    }

    private enum Outcome {
        case rejected
        /// Decoded, and encoding it again gave the same bytes.
        case same
        case different
    }

    private static func decodeAndEncode(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) -> Outcome {
        var length = 0
        var unsignedLength = input.count - WireLimits.macLength
        if let message = try? HandshakeCodec.decode(input) {
            length = HandshakeCodec.encode(message, into: output)
            unsignedLength = input.count
        } else if let message = try? ControlCodec.decodeBody(input), let header = try? ControlHeader(parsing: input) {
            length = ControlCodec.encode(message, token: header.token, counter: header.counter, into: output)
        } else if let header = try? DataHeader(parsing: input) {
            DataHeader.writeLinkHeader(
                into: output, retransmitted: header.retransmitted, token: header.token, linkNumber: header.linkNumber)
            DataHeader.writeStreamHeader(
                into: UnsafeMutableRawBufferPointer(rebasing: output[WireLimits.linkHeaderLength...]),
                tag: header.tag, sequence: header.sequence, kind: header.kind)
            length = input.count
            unsignedLength = WireLimits.linkHeaderLength + WireLimits.streamHeaderLength
        } else {
            return .rejected
        }
        return length == input.count && output[..<unsignedLength].elementsEqual(input[..<unsignedLength])
            ? .same : .different
    }
}

extension SeededGenerator {
    /// One of the originals with up to three errors; sometimes pure noise.
    fileprivate mutating func mutate(_ originals: [[UInt8]]) -> [UInt8] {
        if next() % 16 == 0 {
            let types: [UInt8] = [0x10, 0x11, 0x12, 0x13, 0x14, 0x20, 0x30, 0x31]
            let noise = (0..<Int.random(in: 0...100, using: &self)).map { _ in UInt8(truncatingIfNeeded: next()) }
            return [types.randomElement(using: &self) ?? 0, WireLimits.version] + noise
        }
        var bytes = originals.randomElement(using: &self) ?? []
        for _ in 0..<Int.random(in: 1...3, using: &self) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &self)
            // Lengths, counts and flags are near the front.
            let early = Int.random(in: 0..<min(bytes.count, 64), using: &self)
            switch next() % 7 {
            case 0: bytes[index] ^= 1 << UInt8(next() % 8)
            case 1: bytes[early] = [0, 1, 2, 0x7f, 0x80, 0xff].randomElement(using: &self) ?? 0
            case 2: bytes.removeLast(bytes.count - index)
            case 3: bytes += (0..<Int.random(in: 1...20, using: &self)).map { _ in UInt8(truncatingIfNeeded: next()) }
            case 4: bytes.remove(at: index)
            case 5: bytes.insert(UInt8(truncatingIfNeeded: next()), at: index)
            default: bytes[early] = UInt8(truncatingIfNeeded: next())
            }
        }
        return bytes
    }
}
