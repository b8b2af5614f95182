import ReflectorModel
import Testing

@testable import StreamingServer

/// The parts of a splice.
@Suite("Packets at a splice")
struct SplicePacketTests {
    private func header(_ bytes: [UInt8]) -> TransportPacket? { TransportPacket(bytes.span) }

    @Test("Bytes are removed from the front of a payload, in packets with and without an adaptation field")
    func trim() throws {
        for field in [nil, 0, 1, 7, 20] as [Int?] {
            var packet: [UInt8] = [0x47, 0x41, 0x00, field == nil ? 0x15 : 0x35]
            if let field {
                packet.append(UInt8(field))
                if field > 0 { packet += [0x40] + [UInt8](repeating: 0xff, count: field - 1) }
            }
            packet += (0..<188 - packet.count).map { UInt8($0 & 0xff) }
            let before = try #require(header(packet))
            for count in [1, 2, 3, 50, before.payload.count - 1] {
                var result: [UInt8] = [9, 9] + packet
                PacketEdit.trimPayload(count, before, &result, at: 2)
                #expect(result.count == 190)
                let trimmed = Array(result.dropFirst(2))
                let after = try #require(header(trimmed))
                #expect(!after.payloadUnitStart && after.continuity == 5)
                #expect(trimmed[after.payload].elementsEqual(packet[before.payload].dropFirst(count)))
                #expect(after.randomAccess == before.randomAccess && after.programClock == nil)
            }
        }
    }

    @Test("A clock reference is removed from its packet, and the other fields stay")
    func removeClock() throws {
        var packet = [UInt8](repeating: 0x11, count: 188)
        packet.replaceSubrange(0..<6, with: [0x47, 0x01, 0x00, 0x30, 20, 0x50])
        #expect(try #require(header(packet)).programClock != nil)
        PacketEdit.removeClock(&packet, at: 0)
        let after = try #require(header(packet))
        #expect(after.programClock == nil && after.randomAccess && after.payload.count == 163)
        #expect(packet[6..<19].allSatisfy { $0 == 0x11 } && packet[19..<25].allSatisfy { $0 == 0xff })
    }

    @Test("Counters continue over packets without payload, and after packets that are left out")
    func counters() {
        var mux = TestMux()
        mux.programme(seconds: 1)
        var scanner = TransportStreamScanner()
        scanner.scan(mux.bytes.span, at: 0)
        var rewriter = ContinuityRewriter(after: scanner.position)
        var last = scanner.position.counter(256) ?? 0
        for (index, counter) in [3, 3, 4, 5, 9, 10, 15, 0].enumerated() as EnumeratedSequence<[UInt8]> {
            // The first has no payload; before the fifth, some were left out.
            var packet: [UInt8] = [0x47, 0x01, 0x00, (index == 0 ? 0x20 : 0x10) | counter]
            packet += [183, 0] + [UInt8](repeating: 0xff, count: 182)
            if index == 4 || index == 6 { rewriter.leaveOut(256) }
            guard let header = header(packet) else { continue }
            rewriter.rewrite(header, &packet, at: 0)
            if index > 0 { last = (last + 1) & 0x0f }
            #expect(packet[3] & 0x0f == last)
        }
    }

    @Test("A PES packet that is incomplete when the source dies is not sent; at the end of a stream, it is")
    func incomplete() {
        var mux = TestMux()
        mux.programme(seconds: 3, size: 2_000)
        let source = TimedStream(mux.bytes)
        for changes in [true, false] {
            var edge = SpliceEdge()
            edge.deliver(Array(source.bytes.dropLast(5 * 188)), seconds: 3)
            let sent = edge.seen.count
            #expect(edge.state.bytesHeldBack > 0 && sent + edge.state.bytesHeldBack == source.bytes.count - 5 * 188)
            if changes { edge.changeSource() }
            edge.end()
            #expect((edge.seen.count == sent) == changes)
        }
    }

    @Test("ffmpeg's stream is sent at once: in real time, no access unit waits for the next one")
    func noDelay() {
        let source = TimedStream(TransportStreamFile.bytes)
        var edge = SpliceEdge()
        var waiting = 0
        // Each picture is delivered by itself.
        for index in 0..<240 {
            edge.deliver(source.packets(Double(index) / 25..<Double(index + 1) / 25), seconds: 0.04)
            if edge.state.bytesHeldBack > 0 { waiting += 1 }
        }
        #expect(waiting < 24)
    }

    @Test("A stream whose packets interleave is not held back for long")
    func interleaved() {
        var state = IncompletePackets()
        var mux = TestMux()
        mux.tables()
        let map = mux.scan().scanner.program.map
        guard let map else { return }
        var late = 0
        for index in 0..<2_000 {
            // One packet of each PID in turn; none of them ends.
            let pid: UInt16 = index % 2 == 0 ? 256 : 257
            let begins = index % 100 < 2
            var packet: [UInt8] = [0x47, begins ? 0x41 : 0x01, UInt8(pid & 0xff), 0x10]
            packet += begins ? [0, 0, 1, 0xe0, 0, 0] : [1, 1, 1, 1, 1, 1]
            packet += [UInt8](repeating: 0x55, count: 178)
            let now = MonotonicInstant(nanoseconds: Int64(index) * 1_000_000)
            let held = state.held.count
            let complete = state.complete(packet.span, of: map, at: now)
            if complete > 0, held > 0 { _ = state.remove(complete) }
            if complete < held + packet.count { state.hold(packet, at: now) }
            #expect(state.held.count <= 70 * 188)
            if index > 1_500 { late = max(late, state.held.count) }
        }
        #expect(late == 0)
    }

    @Test("An access unit too large to read back is spliced at a random access point")
    func tooLarge() {
        var mux = TestMux()
        for index in 0..<200 {
            if index % 5 == 0 { mux.tables() }
            let isKey = index % 25 == 0
            // Some pictures are larger than what is read back.
            let data = TestMux.picture(key: isKey, size: index == 74 ? 5 << 20 : 500)
            mux.unit(256, at: 900_000 + UInt64(index) * 3_600, data, indicator: isKey)
        }
        let source = TimedStream(mux.bytes)
        let edge = SpliceEdge.change(from: source, to: source, at: 3, more: 3)
        #expect(edge.state.splices.seamless == 1 && edge.state.splices.exact == 0)
        let check = StreamCheck(edge.seen)
        #expect(check.repeats == 0 && check.continuityErrors == 0)
    }
}
