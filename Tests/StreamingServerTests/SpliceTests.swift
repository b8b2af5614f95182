import ReflectorModel
import Testing

@testable import StreamingServer

/// A change between two sources of one stream: what a progressive viewer and the playlist show.
@Suite("The splice of two sources")
struct SpliceTests {
    /// An encoder's stream of 25 pictures a second, and sound.
    private func stream(
        _ seconds: Double = 25, from start: Double = 10, group: Int = 25, size: Int = 300, video: UInt8 = 0x1b,
        pid: UInt16 = 256, sound: Bool = true, lead: Int = 0, profile: UInt8 = 66, tables: Int = 5
    ) -> TimedStream {
        var mux = TestMux()
        // Other counters than those of another encoder.
        for _ in 0..<lead { mux.unit(pid, at: 0, [1]) }
        let skipped = mux.bytes.count
        for index in 0..<Int(seconds * 25) {
            let ticks = UInt64(start * 90_000) + UInt64(index) * 3_600
            if index % tables == 0 {
                mux.sections(0, TestMux.association([(1, 4096)]))
                var streams: [(type: UInt8, pid: UInt16, descriptors: [UInt8])] = [(video, pid, [])]
                if sound { streams.append((0x0f, 257, [])) }
                mux.sections(4096, TestMux.map(1, streams))
            }
            let isKey = index % group == 0
            mux.unit(
                pid, at: ticks, TestMux.picture(key: isKey, profile: profile, size: size + index % 50), indicator: isKey
            )
            if sound { mux.unit(257, at: ticks, [0xff, 0xf1, 0, UInt8(index & 0xff)]) }
        }
        return TimedStream(Array(mux.bytes.dropFirst(skipped)))
    }

    private func expectValid(
        _ edge: SpliceEdge, marks: Int, sourceLocation: SourceLocation = #_sourceLocation
    ) -> StreamCheck {
        let check = StreamCheck(edge.seen)
        #expect(check.continuityErrors == 0 && check.repeats == 0, sourceLocation: sourceLocation)
        let list = PlaylistCheck(edge.playlists)
        #expect(list.faults == [], sourceLocation: sourceLocation)
        #expect(list.marks == marks, sourceLocation: sourceLocation)
        return check
    }

    @Test(
        "Two entrypoints with one encoder's bytes: not one access unit is lost or repeated",
        arguments: [0, 1, 5], [5.0, 5.5])
    func exact(half: Int, end: Double) {
        let source = stream()
        let edge = SpliceEdge.change(from: source, to: source, at: end, halfPayload: half * 188)
        #expect(edge.state.splices.exact == 1 && edge.state.splices.discontinuous == 0)
        let check = expectValid(edge, marks: 0)
        #expect(check.marks == [])
        #expect(edge.seen.elementsEqual(source.packets(0..<end + 8)))
        let whole = StreamCheck(source.packets(0..<end + 8))
        #expect(check.elementary[256] == whole.elementary[256])
        #expect(check.elementary[257] == whole.elementary[257])
    }

    @Test(
        "The same bytes again, from between two of the encoder's rare tables on: not one access unit is lost",
        arguments: [5.0, 6.3, 9.5])
    func exactWithoutTables(end: Double) {
        let source = stream(size: 1_500, tables: 100)
        var edge = SpliceEdge()
        edge.deliver(source.packets(0..<end), seconds: end)
        edge.changeSource()
        edge.deliver(source.packets(end - 0.5..<end + 0.3), seconds: 0.2)
        #expect(edge.state.splices.exact == 1)
        edge.deliver(source.packets(end + 0.3..<end + 8), seconds: 7.7)
        edge.end()
        _ = expectValid(edge, marks: 0)
        #expect(edge.seen.elementsEqual(source.packets(0..<end + 8)))
    }

    @Test("The same bytes with other continuity counters: the counters are rewritten")
    func exactWithOtherCounters() {
        let edge = SpliceEdge.change(from: stream(), to: stream(lead: 7), at: 6.3)
        #expect(edge.state.splices.exact == 1)
        let check = expectValid(edge, marks: 0)
        #expect(check.elementary[256] == StreamCheck(stream().packets(0..<14.3)).elementary[256])
    }

    @Test(
        "Two encoders on one clock: the splice is at a random access point after the last access unit, without a mark",
        arguments: [10.0, 95_436, 95_438.2, 0], [0.4, 2.5])
    func seamless(start: Double, outage: Double) throws {
        // 33 bits wrap at 95,443.7 s.
        let edge = SpliceEdge.change(
            from: stream(from: start), to: stream(from: start, size: 500, lead: 3), at: 6.3, outage: outage)
        #expect(edge.state.splices.seamless == 1 && edge.state.splices.exact == 0)
        let check = expectValid(edge, marks: 0)
        #expect(check.marks == [])
        let stamps = try #require(check.stamps[256])
        let jump = try #require(
            zip(stamps, stamps.dropFirst()).map { TimestampUnwrapper.distance(from: $0, to: $1) }.max())
        // A group has 25 pictures, so at most one group is lost, and the next picture is its first.
        #expect(jump > 3_600 && jump <= 25 * 3_600)
        // The sound continues without a gap, if the new source's past reaches back to its end.
        guard outage < 2 else { return }
        let sound = try #require(check.stamps[257])
        #expect(zip(sound, sound.dropFirst()).allSatisfy { TimestampUnwrapper.distance(from: $0, to: $1) == 3_600 })
    }

    @Test("A source that is behind the old one repeats nothing: its first second is left out", arguments: [0.5, 1, 2])
    func behind(lag: Double) {
        let edge = SpliceEdge.change(from: stream(), to: stream(size: 500), at: 6.3, outage: 0.5, lag: lag)
        #expect(edge.state.splices.seamless == 1)
        _ = expectValid(edge, marks: 0)
    }

    @Test(
        "A gap of more than a segment is not marked, and no segment becomes longer than the target",
        arguments: [3.0, 5])
    func longGap(outage: Double) {
        let edge = SpliceEdge.change(
            from: stream(), to: stream(size: 500), at: 8.3, outage: outage, past: 0.1, more: 9)
        #expect(edge.state.splices.seamless == 1)
        _ = expectValid(edge, marks: 0)
    }

    @Test(
        "Another clock is marked once, in the first packet of each PID and in the playlist",
        arguments: [3.0, 900, 90_000])
    func otherClock(start: Double) {
        let edge = SpliceEdge.change(from: stream(), to: stream(from: start), at: 8.3, more: 9)
        #expect(edge.state.splices.discontinuous == 1 && edge.state.splices.seamless == 0)
        #expect(expectValid(edge, marks: 1).marks.count == 4)
    }

    @Test("Other PIDs, other tracks or another codec are marked, even on the same clock", arguments: 0..<3)
    func otherProgramme(kind: Int) {
        let other = [stream(pid: 300), stream(sound: false), stream(video: 0x02)][kind]
        let edge = SpliceEdge.change(from: stream(), to: other, at: 8.3, more: 9)
        #expect(edge.state.splices.discontinuous == 1)
        _ = expectValid(edge, marks: 1)
    }

    /// An nginx-rtmp server marked every segment after a source with other parameters.
    @Test("Other parameter sets on the same clock are marked once in the playlist, and not in the packets")
    func otherParameters() {
        let edge = SpliceEdge.change(from: stream(), to: stream(size: 400, profile: 100), at: 8.3, more: 12)
        #expect(edge.state.splices.seamless == 1)
        #expect(expectValid(edge, marks: 1).marks == [])
    }

    /// Players failed at a segment of 0.2 s beside a discontinuity (hls.js, issue 443).
    @Test("A source that lasts for less than 0.2 s gives no segment", arguments: [0.04, 0.1, 0.16])
    func shortSource(seconds: Double) {
        var edge = SpliceEdge()
        edge.deliver(stream().packets(0..<8.3), seconds: 8.3)
        edge.changeSource()
        edge.deliver(stream(from: 900).packets(0..<seconds), seconds: seconds)
        edge.changeSource()
        edge.deliver(stream(from: 5_000).packets(2.5..<12), seconds: 9.5)
        edge.end()
        #expect(edge.state.splices.discontinuous == 2)
        _ = expectValid(edge, marks: 1)
    }

    @Test("From A to B and back, before B has sent anything: nothing is marked, and nothing is lost")
    func backAtOnce() {
        let source = stream()
        var edge = SpliceEdge()
        edge.deliver(source.packets(0..<8.3), seconds: 8.3)
        edge.changeSource(after: 0.3)
        // In the middle of a group of another clock: held back.
        edge.deliver(stream(from: 900, group: 100).packets(1..<1.4), seconds: 0.2)
        edge.changeSource(after: 0.1)
        edge.deliver(source.packets(7..<9), seconds: 0.1)
        edge.deliver(source.packets(9..<16), seconds: 7)
        edge.end()
        #expect(edge.state.splices.exact == 1 && edge.state.splices.abandoned == 1)
        #expect(edge.state.splices.discontinuous == 0)
        #expect(expectValid(edge, marks: 0).marks == [])
    }

    @Test("Many changes within a second between sources that never send a random access point: one mark")
    func flapping() {
        var edge = SpliceEdge()
        edge.deliver(stream().packets(0..<8.3), seconds: 8.3)
        for index in 0..<10 {
            edge.changeSource(after: 0.02)
            edge.deliver(stream(from: Double(100 * index + 900), group: 200).packets(1..<1.4), seconds: 0.08)
        }
        edge.changeSource(after: 0.1)
        edge.deliver(stream(from: 5_000).packets(2.5..<12), seconds: 9.5)
        edge.end()
        #expect(edge.state.splices.abandoned == 10 && edge.state.splices.discontinuous == 1)
        #expect(expectValid(edge, marks: 1).marks.count == 4)
    }

    @Test("A source on the same clock without a random access point for 3 s is then sent, and marked")
    func noRandomAccess() {
        let edge = SpliceEdge.change(
            from: stream(), to: stream(40, group: 500, size: 500), at: 8.3, past: 1, more: 14)
        #expect(edge.state.splices.discontinuous == 1)
        #expect((3_000...3_200).contains(edge.state.splices.held.nanoseconds / 1_000_000))
        #expect(PlaylistCheck(edge.playlists).faults == [])
        #expect(StreamCheck(edge.seen).marks.count >= 4)
    }

    @Test("Pictures that come after a random access point and are shown before it are left out")
    func leadingPictures() throws {
        var mux = TestMux()
        for index in 0..<500 {
            if index % 5 == 0 { mux.tables(sound: nil) }
            // An intra picture, then two that need the group before it, as in an open group.
            let shown = [2, 0, 1][index % 3] + index / 3 * 3
            let isKey = index % 24 == 0
            mux.unit(
                256, at: 900_000 + UInt64(shown) * 3_600, TestMux.picture(key: isKey, size: 300 + index % 9),
                indicator: isKey)
        }
        let source = TimedStream(mux.bytes)
        var changed = source
        // Other bits in the new source: another encoder.
        for index in changed.bytes.indices where changed.bytes[index] == 0x55 { changed.bytes[index] = 0x56 }
        let edge = SpliceEdge.change(from: source, to: changed, at: 6.3)
        #expect(edge.state.splices.seamless == 1)
        let stamps = try #require(StreamCheck(edge.seen).stamps[256])
        #expect(Set(stamps).count == stamps.count)
    }

    @Test("Sources that change every 50 ms, with random clocks in each packet, are bounded, and nothing traps")
    func hostileClocks() {
        var random = SplitMix(state: 11)
        var edge = SpliceEdge()
        let clean = stream(4, size: 2_000).bytes
        for round in 0..<60 {
            var bytes = clean
            for start in stride(from: 0, to: bytes.count, by: 188) where bytes[start + 1] & 0x40 != 0 {
                let header = TransportPacket(bytes.span.extracting(start..<start + 188))
                guard let header, header.pid > 255, header.pid < 258, header.payload.count > 14 else { continue }
                for at in [10, 12] {
                    bytes[start + header.payload.lowerBound + at] = .random(in: 0...255, using: &random)
                }
                if bytes[start + 3] & 0x20 == 0 || bytes[start + 4] < 8 { continue }
                bytes[start + 5] |= 0x10
                for at in 6..<11 { bytes[start + at] = .random(in: 0...255, using: &random) }
            }
            let from = Int.random(in: 0..<clean.count / 376, using: &random) * 188
            edge.deliver(
                Array(bytes[from..<from + clean.count / 2]), seconds: Double.random(in: 0.05...4, using: &random))
            if round % 3 == 2 { edge.changeSource(after: 0.01) }
            #expect(edge.state.bytesHeldBack <= 10 << 20)
        }
        edge.end()
        #expect(StreamCheck(edge.seen).continuityErrors >= 0)
        #expect(PlaylistCheck(edge.playlists).faults == [])
    }

    @Test("A new source that sends no random access point is held back in at most 8 MB")
    func heldBytes() {
        var edge = SpliceEdge()
        edge.deliver(stream(size: 30_000).packets(0..<3), seconds: 3)
        edge.changeSource()
        let packets = stream(20, from: 900, group: 500, size: 30_000).packets(1..<20)
        edge.deliver(Array(packets.prefix(7 << 20)), seconds: 0.1)
        #expect(edge.state.bytesHeldBack > 6 << 20)
        edge.deliver(Array(packets.dropFirst(7 << 20).prefix(3 << 20)), seconds: 0.1)
        #expect(edge.state.bytesHeldBack < 1 << 20)
        #expect(edge.state.splices.discontinuous == 1)
    }

    @Test(
        "After 50 random splices every playlist is valid, and so is every packet",
        arguments: 1...2 as ClosedRange<UInt64>)
    func manySplices(seed: UInt64) {
        var random = SplitMix(state: seed)
        var edge = SpliceEdge()
        let sources = [
            stream(260), stream(260, size: 500, lead: 5), stream(260, from: 95_300, group: 50),
            stream(260, from: 3, size: 90),
            stream(260, pid: 300), stream(260, sound: false),
        ]
        var media = 4.0
        var current = 0
        edge.deliver(sources[0].packets(0..<media), seconds: media)
        for _ in 0..<50 {
            let outage = Double.random(in: 0.01...2, using: &random)
            let span = Double.random(in: 0.05...6, using: &random)
            let past = Double.random(in: 0...2, using: &random)
            current = Int.random(in: 0..<sources.count, using: &random)
            edge.changeSource(after: outage)
            media += outage
            edge.deliver(sources[current].packets(max(0, media - past)..<media), seconds: 0.05)
            edge.deliver(sources[current].packets(media..<media + span), seconds: span)
            media += span
        }
        edge.end()
        let totals = edge.state.splices
        #expect(totals.seamless > 0 && totals.discontinuous > 0)
        #expect(totals.seamless + totals.discontinuous + totals.abandoned >= 49)
        let check = StreamCheck(edge.seen)
        #expect(check.continuityErrors == 0 && check.repeats == 0)
        let list = PlaylistCheck(edge.playlists)
        #expect(list.faults == [])
        #expect(list.marks <= Int(totals.discontinuous))
    }
}
