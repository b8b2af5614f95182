import Foundation
import NIOCore
import ReflectorModel
import TestSupport
import Testing

@testable import StreamingServer

/// The playlists of a stream through all the interruptions that encoders, entrypoints and edges cause. The tests use no
/// sockets: they deliver bytes and read playlists.
@Suite("Playlists over interruptions")
struct PlaylistTests {
    /// A stream with its own clock.
    private struct Edge {
        var state: LiveStreamState
        let began = ContinuousClock.now
        var clock = ContinuousClock.now
        var playlists: [Playlist] = []
        let name = StreamName("live/news")!

        init(_ state: LiveStreamState) { self.state = state }

        init(_ configure: (inout LiveStreamConfiguration) -> Void = { _ in }) {
            var configuration = LiveStreamConfiguration()
            configuration.wallClockSeconds = { 1_800_000_000 }
            configure(&configuration)
            state = LiveStreamState(configuration: configuration, now: .now)
        }

        /// Delivers a stream in real time, and reads the playlist from time to time.
        mutating func deliver(_ mux: TestMux, seconds: Double) {
            let count = (mux.bytes.count + 1315) / 1316
            for index in 0..<count {
                let piece = mux.bytes[(index * 1316)..<min((index + 1) * 1316, mux.bytes.count)]
                clock += .seconds(seconds / Double(count))
                let now = MonotonicInstant(nanoseconds: Int64((clock - began) / .nanoseconds(1)))
                piece.withUnsafeBytes { _ = state.deliver($0, at: now, clock: clock) }
                if index % 4 == 0 { look() }
            }
            look()
        }

        mutating func look() {
            state.touch(clock)
            guard let text = state.playlist(clock) else { return }
            let playlist = Playlist(text)
            if playlist != playlists.last { playlists.append(playlist) }
        }
    }

    /// A playlist as a player reads it.
    private struct Playlist: Equatable {
        struct Segment: Equatable {
            var file: String
            var seconds: Double
            /// Discontinuity sequence number.
            var part: Int
            var isMarked: Bool
        }
        var target = 0
        var sequence = 0
        var segments: [Segment] = []

        init(_ text: String) {
            var part = 0
            var seconds = 0.0
            var isMarked = false
            for line in text.split(separator: "\n") {
                let value = line.split(separator: ":").last.map(String.init) ?? ""
                if line.hasPrefix("#EXT-X-TARGETDURATION:") { target = Int(value) ?? -1 }
                if line.hasPrefix("#EXT-X-MEDIA-SEQUENCE:") { sequence = Int(value) ?? -1 }
                if line.hasPrefix("#EXT-X-DISCONTINUITY-SEQUENCE:") { part = Int(value) ?? -1 }
                if line == "#EXT-X-DISCONTINUITY" {
                    part += 1
                    isMarked = true
                }
                if line.hasPrefix("#EXTINF:") { seconds = Double(value.dropLast()) ?? -1 }
                guard !line.hasPrefix("#") else { continue }
                segments.append(Segment(file: String(line), seconds: seconds, part: part, isMarked: isMarked))
                isMarked = false
            }
        }
    }

    /// Checks all playlists of a stream against the rules of RFC 8216.
    private func check(_ playlists: [Playlist], sourceLocation: SourceLocation = #_sourceLocation) {
        var known: [Int: Playlist.Segment] = [:]
        #expect(!playlists.isEmpty, sourceLocation: sourceLocation)
        for playlist in playlists {
            #expect(playlist.target == playlists[0].target, sourceLocation: sourceLocation)
            #expect(playlist.sequence >= playlists[0].sequence, sourceLocation: sourceLocation)
            let total = playlist.segments.reduce(0) { $0 + $1.seconds }
            #expect(total >= 3 * Double(playlist.target) - 0.1, "\(playlist)", sourceLocation: sourceLocation)
            for (index, segment) in playlist.segments.enumerated() {
                #expect(segment.seconds.rounded() <= Double(playlist.target), sourceLocation: sourceLocation)
                let number = playlist.sequence + index
                if let before = known[number] { #expect(before == segment, sourceLocation: sourceLocation) }
                known[number] = segment
            }
        }
        for (a, b) in zip(playlists, playlists.dropFirst()) {
            #expect(b.sequence >= a.sequence, sourceLocation: sourceLocation)
        }
        let parts = known.sorted { $0.key < $1.key }.map(\.value.part)
        #expect(zip(parts, parts.dropFirst()).allSatisfy { $0 <= $1 }, sourceLocation: sourceLocation)
    }

    private func programme(_ seconds: Double, from start: Double = 10, group: Int = 25, size: Int = 40) -> TestMux {
        var mux = TestMux()
        mux.programme(seconds: seconds, from: start, group: group, size: size)
        return mux
    }

    @Test("The first playlist lists three target durations", arguments: [25, 50, 75, 100])
    func first(group: Int) throws {
        var edge = Edge()
        edge.deliver(programme(40, group: group), seconds: 40)
        check(edge.playlists)
        #expect(try #require(edge.playlists.first).segments.count >= 3)
    }

    @Test(
        "The return of an encoder is marked as a discontinuity, unless its clock continues where it would be now",
        arguments: [(4.0, 10.0), (13, 10), (4, 24), (13, 33), (30, 50), (13, 95_000), (0.1, 3)])
    func comesBack(gap: Double, start: Double) throws {
        var edge = Edge()
        edge.deliver(programme(12.3), seconds: 12.3)
        edge.clock += .seconds(gap)
        edge.look()
        edge.state.discontinuity(isOtherSource: true, clock: edge.clock)
        edge.deliver(programme(20, from: start), seconds: 20)
        check(edge.playlists)
        let last = try #require(edge.playlists.last)
        let continues = gap == 4 && start == 24
        #expect(last.segments.last?.part == (continues ? 0 : 1))
        #expect(edge.playlists.contains { $0.segments.dropFirst().contains { $0.isMarked } } != continues)
    }

    @Test("An unreported jump of the time stamps is marked as a discontinuity", arguments: [3.0, 14, 24, 26, 3_000])
    func jump(start: Double) throws {
        var edge = Edge()
        edge.deliver(programme(12), seconds: 12)
        edge.deliver(programme(12, from: start == 24 ? 26 : start), seconds: 12)
        check(edge.playlists)
        #expect(try #require(edge.playlists.last).segments.last?.part == 1)
    }

    @Test("A stream that ended and returns continues its numbers; while it is absent, its playlist stays")
    func away() throws {
        var configuration = LiveStreamConfiguration()
        configuration.wallClockSeconds = { 1_800_000_000 }
        var history = SegmentHistory(limits: configuration.windowLimits, sequenceMin: 0)
        var playlists: [Playlist] = []
        var clock = ContinuousClock.now
        for life in 0..<6 {
            let (window, watched) = history.take(StreamName("live/news")!, at: clock)
            var edge = Edge(
                LiveStreamState(configuration: configuration, window: window, watched: watched, now: clock))
            edge.clock = clock
            edge.look()
            #expect(edge.playlists.isEmpty == (life == 0))
            edge.deliver(programme(9.4, from: [10, 10.4, 5_000, 30, 95_000, 10][life]), seconds: 9.4)
            _ = edge.state.end(.unavailable("no encoder"))
            edge.look()
            playlists += edge.playlists
            clock = edge.clock + .seconds(13)
            history.put(edge.state.window, of: edge.name, watched: edge.state.watched, at: clock)
        }
        check(playlists)
        #expect(playlists.last?.segments.last?.part == 5)
    }

    @Test("A stream that nobody has followed for a long time begins a new playlist, with higher numbers")
    func fresh() throws {
        var configuration = LiveStreamConfiguration()
        configuration.wallClockSeconds = { 1_800_000_000 }
        var history = SegmentHistory(limits: configuration.windowLimits, sequenceMin: 0)
        let name = StreamName("live/news")!
        let clock = ContinuousClock.now
        var first = Edge(
            LiveStreamState(configuration: configuration, window: history.take(name, at: clock).window, now: clock))
        first.deliver(programme(12), seconds: 12)
        history.put(first.state.window, of: name, watched: first.clock, at: first.clock)
        history.sweep(at: first.clock + .seconds(120))
        var second = Edge(
            LiveStreamState(
                configuration: configuration, window: history.take(name, at: first.clock + .seconds(120)).window,
                now: clock))
        // Another key frame interval, and so another target duration.
        second.deliver(programme(30, from: 10, group: 100), seconds: 30)
        check(second.playlists)
        let (a, b) = (try #require(first.playlists.last), try #require(second.playlists.first))
        #expect(b.sequence >= a.sequence + a.segments.count)
        #expect(a.target == 2 && b.target == 4)
    }

    @Test("Numbers continue after a restart of the edge, from its file; without a file, from the wall clock")
    func restart() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/numbers"
        let name = StreamName("live/news")!
        let file = SegmentNumberFile(path: path)
        #expect(file.load(now: 0).numbers.isEmpty && file.load(now: 0).problem == nil)
        var numbering = SegmentNumbering(next: 900, lead: 5, discontinuities: 3, targetSeconds: 4)
        try file.save([name: numbering], now: 1_000)
        let soon = try #require(file.load(now: 1_060).numbers[name])
        #expect(soon.next > 900 && soon.lead == 5 && soon.discontinuities >= 3 && soon.targetSeconds == 4)
        #expect(file.load(now: 5_000).numbers[name]?.targetSeconds == nil)
        // The same time line: numbers as before the restart, and as at other edges.
        #expect(soon.first(slot: 1_000) == 1_005)
        // Another time line: beyond the used numbers.
        #expect(soon.first(slot: 20) == soon.next)
        numbering.next = .max
        try file.save([name: numbering], now: 1_000)
        #expect(file.load(now: 1_060).numbers.isEmpty && file.load(now: 1_060).problem != nil)
        for damaged in ["", "{", #"{"version":7,"savedAt":0,"streams":{}}"#, "[]"] {
            try Data(damaged.utf8).write(to: URL(fileURLWithPath: path))
            #expect(file.load(now: 0).problem != nil)
        }
        var history = SegmentHistory(limits: LiveStreamConfiguration().windowLimits, sequenceMin: 1_800_000_000)
        let window = history.take(name, at: .now).window
        var state = LiveStreamState(configuration: LiveStreamConfiguration(), window: window, now: .now)
        programme(12).bytes.withUnsafeBytes { all in
            for start in stride(from: 0, to: all.count, by: 1316) {
                let piece = UnsafeRawBufferPointer(rebasing: all[start..<min(start + 1316, all.count)])
                _ = state.deliver(piece, at: .zero, clock: .now)
            }
        }
        let playlist = try #require(state.playlist(.now))
        #expect(Playlist(playlist).sequence >= 1_800_000_000)
    }

    @Test("A change of tracks or codecs in mid-stream begins a new segment, marked as a discontinuity")
    func tracks() throws {
        var edge = Edge()
        var mux = programme(12)
        mux.programme(seconds: 12, from: 22, sound: false)
        edge.deliver(mux, seconds: 24)
        check(edge.playlists)
        #expect(try #require(edge.playlists.last).segments.last?.part == 1)
    }

    @Test("Video that goes silent while the sound continues does not stop the playlist")
    func silentVideo() throws {
        var edge = Edge()
        var mux = TestMux()
        mux.programme(seconds: 60) { $0 < 300 || $0 > 1_200 }
        edge.deliver(mux, seconds: 60)
        check(edge.playlists)
        let files = Set(edge.playlists.flatMap { $0.segments.map(\.file) })
        #expect(files.count >= 24)
        #expect(edge.state.dueFaults(.now).contains { $0.fault == .videoSilent })
    }

    @Test("Groups of 10 s at 20 Mb/s are cut at their key frames, and all are kept")
    func longGroups() throws {
        // A tenth of the rate, with a tenth of the buffer.
        var edge = Edge {
            $0.bufferBytesMax /= 10
            $0.segmentBytesMax /= 10
        }
        edge.deliver(programme(45, group: 250, size: 9_300), seconds: 45)
        check(edge.playlists)
        #expect(edge.state.segmentsDropped == 0)
        let last = try #require(edge.playlists.last)
        #expect(last.target == 10 && last.segments.allSatisfy { $0.seconds == 10 })
    }

    @Test("Groups too large for the buffer are cut without a key frame, and the fault is logged")
    func largeGroups() throws {
        var edge = Edge { $0.segmentBytesMax = 2 << 20 }
        edge.deliver(programme(30, group: 250, size: 8_000), seconds: 30)
        check(edge.playlists)
        #expect(edge.state.segmentsDropped == 0)
        #expect(edge.state.window.byteCount <= 2 << 20)
        #expect(edge.state.dueFaults(.now).contains { $0.fault == .groupsTooLong })
    }

    @Test("Varying key frame intervals change no target duration, and the list stays long enough")
    func varying() throws {
        var edge = Edge()
        var mux = TestMux()
        var keys: Set<Int> = [0]
        var random = SplitMix(state: 3)
        var at = 0
        while at < 3_000 {
            at += Int.random(in: at < 300 ? 20...60 : 5...250, using: &random)
            keys.insert(at)
        }
        for index in 0..<3_000 {
            let ticks = 900_000 + UInt64(index) * 3_600
            if index % 5 == 0 { mux.tables() }
            let isKey = keys.contains(index)
            mux.unit(256, at: ticks, TestMux.picture(key: isKey), indicator: isKey)
            mux.unit(257, at: ticks, [0xff, 0xf1, 0, 0])
        }
        edge.deliver(mux, seconds: 120)
        check(edge.playlists)
        #expect(edge.state.segmentsDropped == 0)
    }

    @Test("A stream without any random access point is cut anyway, and the fault is logged")
    func noRandomAccess() {
        var edge = Edge()
        var mux = TestMux()
        for index in 0..<2_000 {
            if index % 5 == 0 { mux.tables() }
            mux.unit(256, at: 900_000 + UInt64(index) * 3_600, TestMux.picture(key: false))
        }
        edge.deliver(mux, seconds: 80)
        check(edge.playlists)
        #expect(edge.state.dueFaults(.now).contains { $0.fault == .noRandomAccess })
    }

    @Test("Segments of a stream with several programs contain only the followed one")
    func onePrograms() throws {
        var edge = Edge()
        var mux = TestMux()
        for index in 0..<500 {
            let ticks = 900_000 + UInt64(index) * 3_600
            if index % 5 == 0 {
                mux.sections(0, TestMux.association([(7, 700), (1, 4096)]))
                mux.sections(4096, TestMux.map(1, [(0x1b, 256, [])]))
            }
            mux.unit(256, at: ticks, TestMux.picture(key: index % 25 == 0), indicator: index % 25 == 0)
            mux.unit(800, at: ticks, [1, 2, 3])
        }
        edge.deliver(mux, seconds: 20)
        let file = try #require(edge.playlists.last?.segments.first?.file)
        let name = try #require(SegmentName(file: file))
        let segment = try #require(edge.state.window.segment(name))
        var pids: Set<UInt16> = []
        var tables = 0
        for bytes in segment.bytes.map({ Array($0.readableBytesView) }) {
            for start in stride(from: 0, to: bytes.count, by: 188) {
                let pid = UInt16(bytes[start + 1] & 0x1f) << 8 | UInt16(bytes[start + 2])
                pids.insert(pid)
                if pid == 0 { tables += 1 }
            }
        }
        #expect(pids == [0, 256, 4096] && tables == 1)
    }

    @Test("Every fault of an encoder's stream is logged at most once a minute, with a count")
    func faults() {
        var faults = StreamFaults()
        let now = ContinuousClock.now
        for _ in 0..<100 { faults.note(.timeBreak) }
        #expect(faults.due(now) == [.init(fault: .timeBreak, count: 100)])
        for _ in 0..<7 { faults.note(.timeBreak) }
        #expect(faults.due(now + .seconds(59)) == [])
        #expect(faults.due(now + .seconds(60)) == [.init(fault: .timeBreak, count: 7)])
        #expect(faults.due(now + .seconds(200)) == [])
    }
}
