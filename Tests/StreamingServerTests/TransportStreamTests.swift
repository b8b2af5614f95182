import ReflectorModel
import Testing

@testable import StreamingServer

@Suite("Reading MPEG-TS")
struct TransportStreamTests {
    /// Access units and tables that a scanner finds in `bytes`, given in pieces of `length`.
    private func scan(_ bytes: [UInt8], length: Int) -> (units: [TransportStreamScanner.AccessUnit], tables: [UInt8]?) {
        var framer = PacketFramer()
        var scanner = TransportStreamScanner()
        var units: [TransportStreamScanner.AccessUnit] = []
        var offset: UInt64 = 0
        for start in stride(from: 0, to: bytes.count, by: length) {
            var piece = Array(bytes[start..<min(start + length, bytes.count)])
            if case .bytes(let framed) = framer.take(piece.span) { piece = framed }
            scanner.scan(piece.span, at: offset)
            offset += UInt64(piece.count)
            for case .unit(let unit) in scanner.events { units.append(unit) }
        }
        return (units, scanner.program.tables)
    }

    @Test("ffmpeg's stream has its tables, 250 pictures and a random access point a second")
    func realStream() throws {
        let (units, tables) = scan(TransportStreamFile.bytes, length: TransportStreamFile.payloadLength)
        #expect(units.count == 250)
        let points = units.filter(\.randomAccess)
        #expect(points.count == TransportStreamFile.seconds)
        for (a, b) in zip(points, points.dropFirst()) { #expect(b.timestamp - a.timestamp == 90_000) }
        #expect(points.allSatisfy { TransportStreamFile.bytes[Int($0.offset)] == 0x47 })
        #expect(try #require(tables).count == 2 * 188)
    }

    @Test(
        "The same access units are found, in whatever pieces the stream comes", arguments: [1316, 1, 100, 187, 5000])
    func anyPieces(length: Int) {
        let whole = scan(TransportStreamFile.bytes, length: TransportStreamFile.payloadLength)
        let pieces = scan(TransportStreamFile.bytes, length: length)
        #expect(whole.units == pieces.units)
        #expect(whole.tables == pieces.tables)
    }

    @Test("A stream that begins in the middle of a packet is found and read")
    func misaligned() {
        let whole = scan(TransportStreamFile.bytes, length: 1316).units
        let shifted = scan(Array(TransportStreamFile.bytes.dropFirst(77)), length: 1316).units
        // The first PAT is split; tables are repeated every 100 ms.
        #expect(shifted.count > whole.count - 10)
        #expect(shifted.last?.timestamp == whole.last?.timestamp)
    }

    @Test("In a video stream without random_access_indicator, the IDR pictures are the random access points")
    func fallback() {
        var bytes = TransportStreamFile.bytes
        for start in stride(from: 0, to: bytes.count, by: 188) {
            if bytes[start + 3] & 0x20 != 0, bytes[start + 4] > 0 { bytes[start + 5] &= ~0x40 }
        }
        #expect(scan(bytes, length: 1316).units.filter(\.randomAccess).count == TransportStreamFile.seconds)
    }

    @Test("Random and mutated bytes never trap")
    func hostileBytes() {
        var random = SplitMix(state: 46)
        var framer = PacketFramer()
        var scanner = TransportStreamScanner()
        var splice = SourceSplice(after: nil, at: .zero)
        var offset: UInt64 = 0
        for round in 0..<4_000 {
            var piece: [UInt8]
            if round % 2 == 0 {
                let start = Int.random(in: 0..<TransportStreamFile.bytes.count / 188 - 7, using: &random) * 188
                piece = Array(TransportStreamFile.bytes[start..<start + 1316])
                for _ in 0..<20 {
                    let index = Int.random(in: 0..<1316, using: &random)
                    piece[index] = UInt8.random(in: 0...255, using: &random)
                }
            } else {
                piece = (0..<Int.random(in: 0...1500, using: &random)).map { index in
                    index % 188 == 0 ? 0x47 : UInt8.random(in: 0...255, using: &random)
                }
            }
            if case .bytes(let framed) = framer.take(piece.span) { piece = framed }
            scanner.scan(piece.span, at: offset)
            let joined = splice.take(piece.span, at: MonotonicInstant(nanoseconds: Int64(round) * 1_000_000)).bytes
            #expect(joined.count % 188 == 0 || piece.count % 188 != 0)
            offset += UInt64(piece.count)
        }
    }

    @Test("A damaged table is ignored")
    func damagedTable() {
        var section: [UInt8] = [0x00, 0xb0, 0x0d, 0x00, 0x01, 0xc1, 0x00, 0x00, 0x00, 0x01, 0xf0, 0x00]
        let crc = SectionAssembler.checksum(section)
        section += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: crc >> UInt32($0)) }
        // The PAT that ffmpeg writes for one program at PID 0x1000 ends in this CRC.
        #expect(crc == 0x2ab1_04b2)
        #expect(SectionAssembler.checksum(section) == 0)
        #expect(ProgramAssociation(section: section)?.programs == [.init(number: 1, mapPID: 0x1000)])
        var packet = [UInt8](repeating: 0xff, count: 188)
        packet.replaceSubrange(0..<5, with: [0x47, 0x40, 0x00, 0x10, 0x00])
        packet.replaceSubrange(5..<5 + section.count, with: section)
        for damaged in [false, true] {
            if damaged { packet[15] ^= 1 }
            var assembler = SectionAssembler()
            let found = TransportPacket(packet.span).map { assembler.receive($0, packet.span, at: 0) }
            #expect(found?.isEmpty == damaged)
        }
    }

    @Test("A PCR is read from the adaptation field")
    func programClock() throws {
        var packet = [UInt8](repeating: 0xff, count: 188)
        packet.replaceSubrange(0..<12, with: [0x47, 0x01, 0x00, 0x20, 183, 0x50, 0x80, 0, 0, 0, 0x80, 0])
        let parsed = TransportPacket(packet.span)
        let header = try #require(parsed)
        #expect(header.programClock == 1 << 32 | 1)
        #expect(header.randomAccess)
        #expect(header.payload.isEmpty)
    }

    @Test("Time stamps unwrap across 2^33, and edges that begin before and after the wrap agree")
    func unwrapping() {
        let wrap: Int64 = 1 << 33
        let clock: Int64 = 1_800_000_000
        let base = clock * 90_000 / wrap * wrap
        // A stream whose time stamps are near the wrap when the clock is near it too.
        let wallClock = (base + wrap) / 90_000
        var early = TimestampUnwrapper()
        #expect(early.unwrap(UInt64(wrap - 3_000), wallClockSeconds: wallClock) == base + wrap - 3_000)
        #expect(early.unwrap(600, wallClockSeconds: wallClock) == base + wrap + 600)
        var late = TimestampUnwrapper()
        #expect(late.unwrap(600, wallClockSeconds: wallClock + 60) == base + wrap + 600)
        // Pictures are reordered, so time may go backwards.
        #expect(late.unwrap(UInt64(wrap - 3_000), wallClockSeconds: wallClock) == base + wrap - 3_000)
    }
}
