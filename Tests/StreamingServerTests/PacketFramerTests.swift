import ReflectorModel
import Testing

@testable import StreamingServer

@Suite("Whole transport packets, and the splice between two sources")
struct PacketFramerTests {
    private func frame(_ pieces: [[UInt8]], _ framer: inout PacketFramer) -> [UInt8] {
        pieces.flatMap { piece in
            if case .bytes(let bytes) = framer.take(piece.span) { bytes } else { piece }
        }
    }

    @Test("Half a packet of a dead encoder is dropped, even if no change of source is reported")
    func halfPacket() {
        var mux = TestMux()
        mux.programme(seconds: 2)
        let whole = mux.bytes
        var framer = PacketFramer()
        let out = frame([whole, Array(whole.prefix(100)), whole], &framer)
        #expect(out == whole + whole)
        #expect(framer.skipped == 100)
    }

    @Test("Bytes between packets are dropped, in whatever pieces the stream comes", arguments: [1, 7, 188, 1316, 4000])
    func garbage(length: Int) {
        var mux = TestMux()
        mux.programme(seconds: 1)
        let stream = mux.bytes + [1, 2, 3, 4, 5] + mux.bytes
        var framer = PacketFramer()
        let pieces = stride(from: 0, to: stream.count, by: length).map {
            Array(stream[$0..<min($0 + length, stream.count)])
        }
        let out = frame(pieces, &framer)
        #expect(out.count % 188 == 0)
        #expect(stride(from: 0, to: out.count, by: 188).allSatisfy { out[$0] == 0x47 })
        // The packet before the garbage may be lost with it.
        #expect(out.count >= 2 * mux.bytes.count - 188)
    }

    @Test("After a loss, half packets on both sides of it are dropped")
    func loss() {
        var mux = TestMux()
        mux.programme(seconds: 1)
        var framer = PacketFramer()
        var out = frame([mux.bytes, [0x47, 1, 2, 3]], &framer)
        framer.reset(isOtherSource: false)
        out += frame([mux.bytes], &framer)
        #expect(out == mux.bytes + mux.bytes)
    }

    @Test("Another source begins at its next random access point, and each PID is marked once; counters continue")
    func splice() throws {
        var before = TestMux()
        before.programme(seconds: 2)
        // The other source starts in the middle of a group.
        var after = TestMux()
        after.programme(seconds: 4, from: 500, group: 50)
        let packets = Array(after.bytes.dropFirst(30 * 188))
        var splice = SourceSplice(after: nil, at: .zero)
        let joined = stride(from: 0, to: packets.count, by: 1316).flatMap {
            splice.take(Array(packets[$0..<min($0 + 1316, packets.count)]).span, at: .zero).bytes
        }
        let out = before.bytes + joined
        #expect(joined.count % 188 == 0)
        #expect(continuityErrors(out) == 0)
        #expect(continuityErrors(before.bytes + packets) > 0)
        var scanner = TransportStreamScanner()
        scanner.scan(joined.span, at: 0)
        var first: TransportStreamScanner.AccessUnit?
        for case .unit(let unit) in scanner.events where first == nil { first = unit }
        #expect(first?.randomAccess == true)
        #expect(marks(joined) == 4)
    }

    @Test("A source without random access points is not held back forever")
    func noRandomAccess() {
        var mux = TestMux()
        mux.programme(seconds: 8, group: 1_000)
        let packets = Array(mux.bytes.dropFirst(8 * 188))
        var splice = SourceSplice(after: nil, at: .zero)
        var out = 0
        for (index, start) in stride(from: 0, to: packets.count, by: 1316).enumerated() {
            let piece = Array(packets[start..<min(start + 1316, packets.count)])
            out += splice.take(piece.span, at: MonotonicInstant(nanoseconds: Int64(index) * 80_000_000)).bytes.count
        }
        #expect(out >= packets.count)
    }

    private func marks(_ bytes: [UInt8]) -> Int {
        stride(from: 0, to: bytes.count, by: 188).count {
            bytes[$0 + 3] & 0x20 != 0 && bytes[$0 + 4] > 0 && bytes[$0 + 5] & 0x80 != 0
        }
    }

    /// Discontinuities as players count them: a jump of a counter without an indicator.
    private func continuityErrors(_ bytes: [UInt8]) -> Int {
        var last: [UInt16: UInt8] = [:]
        var errors = 0
        for start in stride(from: 0, to: bytes.count, by: 188) where bytes[start + 3] & 0x10 != 0 {
            let pid = UInt16(bytes[start + 1] & 0x1f) << 8 | UInt16(bytes[start + 2])
            let counter = bytes[start + 3] & 0x0f
            let isMarked = bytes[start + 3] & 0x20 != 0 && bytes[start + 4] > 0 && bytes[start + 5] & 0x80 != 0
            if let before = last[pid], counter != (before + 1) & 0x0f, counter != before, !isMarked { errors += 1 }
            last[pid] = counter
        }
        return errors
    }
}
