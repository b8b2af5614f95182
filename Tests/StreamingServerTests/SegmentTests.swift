import NIOCore
import Testing

@testable import StreamingServer

@Suite("Cutting and listing HLS segments")
struct SegmentTests {
    private typealias Unit = TransportStreamScanner.AccessUnit

    private func window(listed: Int, kept: Int, numbering: SegmentNumbering? = nil) -> SegmentWindow {
        let limits = SegmentWindow.Limits(targetSeconds: 2, listedMin: listed, keptMin: kept, bytesMax: 1 << 20)
        return SegmentWindow(limits: limits, numbering: numbering)
    }

    /// Feeds `count` pictures of `interval` ticks, from number `first` on. Every `every`th is a random access point.
    private func cut(
        first: Int, count: Int, every: Int, interval: UInt64 = 3_600, start: UInt64 = 90_000 * 100
    ) -> [SegmentCutter.Segment] {
        var cutter = SegmentCutter(targetSeconds: 2)
        return (first..<first + count).compactMap { index in
            let unit = Unit(
                offset: UInt64(index) * 1_000, timestamp: start + UInt64(index) * interval,
                randomAccess: index % every == 0)
            return cutter.onAccessUnit(unit, wallClockSeconds: 0).finished
        }
    }

    @Test("Cuts are at the first random access point of each slot; no byte between them is missing")
    func cuts() {
        let segments = cut(first: 0, count: 500, every: 25)
        #expect(segments.map(\.slot) == Array(51..<51 + Int64(segments.count)))
        #expect(segments.count >= 7)
        for (a, b) in zip(segments, segments.dropFirst()) { #expect(a.range.upperBound == b.range.lowerBound) }
        #expect(segments.allSatisfy { $0.durationTicks == 180_000 && !$0.isDiscontinuous })
    }

    @Test("Edges that join at different pictures cut at the same places", arguments: [1, 24, 26, 49, 60, 99])
    func alike(first: Int) {
        let all = cut(first: 0, count: 500, every: 30)
        let late = cut(first: first, count: 500 - first, every: 30)
        #expect(late.count >= 4)
        for segment in late {
            #expect(all.first { $0.slot == segment.slot }.map { $0 == segment } ?? (segment.slot < all[0].slot))
        }
    }

    @Test("Slots without a random access point have no segment, and the segment before is longer")
    func longGroups() {
        let segments = cut(first: 0, count: 800, every: 75)
        #expect(segments.allSatisfy { $0.durationTicks == 270_000 })
        var window = window(listed: 3, kept: 4)
        #expect(window.playlist == nil)
        for segment in segments { window.append(segment, bytes: [ByteBuffer(string: "x")]) }
        // The numbers in names have gaps, media sequence numbers do not.
        let playlist = window.playlist ?? ""
        #expect(playlist.contains("#EXT-X-TARGETDURATION:3\n"))
        #expect(playlist.contains("#EXT-X-MEDIA-SEQUENCE:\(segments[0].slot + Int64(segments.count) - 3)\n"))
        for segment in segments.suffix(3) { #expect(playlist.contains("#EXTINF:3.000,\nseg\(segment.slot)-")) }
    }

    @Test(
        "A jump of the time stamps ends the segment there and marks the next as discontinuous",
        arguments: [500_000_000, 8_800_000, 1_000] as [UInt64])
    func jump(to later: UInt64) {
        var cutter = SegmentCutter(targetSeconds: 2)
        var finished: [SegmentCutter.Segment] = []
        for index in 0..<400 {
            let base: UInt64 = index < 180 ? 9_000_000 : later
            let unit = Unit(
                offset: UInt64(index) * 1_000, timestamp: base + UInt64(index) * 3_600, randomAccess: index % 20 == 0)
            if let segment = cutter.onAccessUnit(unit, wallClockSeconds: 0).finished { finished.append(segment) }
        }
        #expect(finished.count { $0.isDiscontinuous } == 1)
        let after = finished.first { $0.isDiscontinuous }
        #expect(after?.range.lowerBound == 180_000)
        #expect(finished.first { $0.range.upperBound == 180_000 } != nil)
    }

    @Test(
        "The playlist lists three target durations, the window keeps as many more, and discontinuities that left are counted"
    )
    func playlist() {
        var window = window(listed: 2, kept: 3)
        for slot in 7..<14 as Range<Int64> {
            #expect((window.playlist == nil) == (slot < 10))
            let segment = SegmentCutter.Segment(
                slot: slot, range: 0..<1, durationTicks: 180_090, isDiscontinuous: slot == 8 || slot == 12)
            window.append(segment, bytes: [ByteBuffer(string: "\(slot)")])
        }
        #expect(
            window.playlist == """
                #EXTM3U
                #EXT-X-VERSION:3
                #EXT-X-TARGETDURATION:2
                #EXT-X-MEDIA-SEQUENCE:11
                #EXT-X-DISCONTINUITY-SEQUENCE:1
                #EXTINF:2.001,
                \(name(11).file)
                #EXT-X-DISCONTINUITY
                #EXTINF:2.001,
                \(name(12).file)
                #EXTINF:2.001,
                \(name(13).file)

                """)
        #expect(window.segment(name(8)) != nil)
        #expect(window.segment(name(7)) == nil)
    }

    private func name(_ slot: Int64) -> SegmentName {
        SegmentName(slot: slot, bytes: [ByteBuffer(string: "\(slot)")])
    }

    @Test("A name depends only on the content: equal for any chunks, different for other bytes of the same slot")
    func names() throws {
        let bytes = (0..<2_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let whole = SegmentName(slot: 5, bytes: [ByteBuffer(bytes: bytes)])
        let parts = SegmentName(
            slot: 5, bytes: [ByteBuffer(bytes: bytes[..<100]), ByteBuffer(), ByteBuffer(bytes: bytes[100...])])
        #expect(whole == parts)
        var other = bytes
        other[150] ^= 1
        #expect(SegmentName(slot: 5, bytes: [ByteBuffer(bytes: other)]) != whole)
        #expect(SegmentName(slot: 5, bytes: [ByteBuffer(bytes: bytes + [0])]) != whole)
        #expect(SegmentName(file: whole.file) == whole)
        for text in ["seg5.ts", "seg5-.ts", "seg5-1.ts", "seg+5-00000001.ts", "seg5-0000000G.ts", "seg5-0000000A.ts"] {
            #expect(SegmentName(file: text) == nil, "\(text)")
        }
    }

    @Test("A slot that repeats after a restart of the encoder removes no other segment from the playlist")
    func slotAgain() {
        var window = window(listed: 6, kept: 12)
        for (index, slot) in [7, 8, 9, 10, 9, 10].enumerated() {
            let segment = SegmentCutter.Segment(
                slot: Int64(slot), range: 0..<1, durationTicks: 180_000, isDiscontinuous: index == 4)
            window.append(segment, bytes: [ByteBuffer(integer: index)])
        }
        #expect(window.count == 6)
        #expect(window.playlist?.contains("#EXT-X-MEDIA-SEQUENCE:7\n") == true)
        let listed = window.playlist?.split(separator: "\n").filter { $0.hasPrefix("seg") } ?? []
        #expect(listed.count == 6 && Set(listed).count == 6)
    }

    @Test("Sequence numbers continue when a stream returns with earlier time stamps")
    func sequenceAfterAbsence() {
        var window = window(listed: 2, kept: 3, numbering: SegmentNumbering(next: 500))
        for slot in 7..<10 as Range<Int64> {
            let segment = SegmentCutter.Segment(
                slot: slot, range: 0..<1, durationTicks: 180_000, isDiscontinuous: false)
            window.append(segment, bytes: [ByteBuffer(string: "x")])
        }
        #expect(window.playlist?.contains("#EXT-X-MEDIA-SEQUENCE:500\n#EXT-X-DISCONTINUITY\n") == true)
        #expect(window.numbering?.next == 503)
    }

    @Test(
        "The target duration of the first playlist holds for later segments",
        arguments: [(25, 2), (30, 2), (24, 3), (40, 3), (20, 2), (75, 3), (50, 2)])
    func targetDuration(group: Int, seconds: Int) {
        var window = window(listed: 6, kept: 12)
        var told: Set<Int> = []
        // For example, a group of 30 pictures of 1/25 s lasts 1.2 s. A segment of two groups lasts 2.4 s, rounded to 2.
        for segment in cut(first: 0, count: 3_000, every: group) {
            window.append(segment, bytes: [ByteBuffer(string: "x")])
            if let seconds = window.announcedSeconds { told.insert(seconds) }
        }
        #expect(told == [seconds])
    }

    @Test("At a change of source the segment ends, and the next begins with the new source and a discontinuity")
    func sourceChange() throws {
        var cutter = SegmentCutter(targetSeconds: 2)
        var finished: [SegmentCutter.Segment] = []
        for index in 0..<300 {
            // The new source repeats one second.
            let picture = index < 190 ? index : index - 25
            if index == 190, let segment = cutter.onSourceChange(at: 190_000) { finished.append(segment) }
            let unit = Unit(
                offset: UInt64(index) * 1_000, timestamp: 9_000_000 + UInt64(picture) * 3_600,
                randomAccess: picture % 25 == 0)
            if let segment = cutter.onAccessUnit(unit, wallClockSeconds: 0).finished { finished.append(segment) }
        }
        let last = try #require(finished.last { $0.range.upperBound == 190_000 })
        let next = try #require(finished.first { $0.range.lowerBound >= 190_000 })
        #expect(!last.isDiscontinuous && next.isDiscontinuous)
        #expect(next.range.lowerBound < 190_000 + 25_000)
        #expect(finished.count { $0.isDiscontinuous } == 1)
    }

    @Test("An HLS viewer counts as present for 12 s after its last request")
    func presence() {
        let now = ContinuousClock.now
        var state = LiveStreamState(configuration: LiveStreamConfiguration(), now: now)
        #expect(state.demandChange(now) == nil)
        state.touch(now)
        #expect(state.demandChange(now) == true)
        state.touch(now + .seconds(5))
        #expect(state.demandChange(now + .seconds(16)) == nil)
        #expect(state.demandChange(now + .seconds(18)) == false)
        #expect(!state.isForgettable(now + .seconds(18)))
        #expect(state.isForgettable(now + .seconds(31)))
    }

    @Test("Paths lead to streams, playlists and segments, and nowhere else")
    func paths() {
        #expect(ViewerRequest(path: "/") == .index)
        #expect("\(ViewerRequest(path: "/live/news.ts")!)".contains("live/news"))
        for path in [
            "", "x", "//", "/.ts", "/../etc/passwd", "/live/../x.ts", "/live/%2e%2e/x.ts", "/live//x.ts", "/LIVE/x.ts",
            "/live/news", "/live/seg.ts/index.m3u8", "/index.m3u8", "/live/news/seg99999999999999999999.ts/",
        ] {
            #expect(ViewerRequest(path: path) == nil, "\(path)")
        }
        if case .segment(let name, let file) = ViewerRequest(path: "/live/news/seg12-0000abcd.ts") {
            #expect(name.text == "live/news" && file.slot == 12 && file.mark == 0xabcd)
        } else {
            Issue.record("not read as a segment")
        }
    }
}
