import ReflectorModel
import Testing

@testable import StreamingServer

/// Streams from public bug reports of players and servers, and the playlists that we make of them.
@Suite("Streams from bug reports of other software")
struct ReportedStreamTests {
    /// The playlist after a stream has passed, and the total number of discontinuities in it.
    private func playlist(_ mux: TestMux) throws -> (text: String, marks: Int) {
        var configuration = LiveStreamConfiguration()
        configuration.wallClockSeconds = { 1_800_000_000 }
        configuration.segmentsListed = 100
        configuration.segmentsKept = 200
        var state = LiveStreamState(configuration: configuration, now: .now)
        for start in stride(from: 0, to: mux.bytes.count, by: 1316) {
            mux.bytes[start..<min(start + 1316, mux.bytes.count)].withUnsafeBytes {
                _ = state.deliver($0, at: .zero, clock: .now)
            }
        }
        let text = try #require(state.playlist(.now))
        #expect(state.segmentsDropped == 0)
        return (text, text.split(separator: "\n").count { $0 == "#EXT-X-DISCONTINUITY" })
    }

    private func seconds(_ text: String) -> [Double] {
        text.split(separator: "\n").filter { $0.hasPrefix("#EXTINF:") }.compactMap {
            Double($0.dropFirst(8).dropLast())
        }
    }

    @Test("Time stamps that wrap in mid-stream are no discontinuity (ExoPlayer#10330)")
    func wrap() throws {
        var mux = TestMux()
        mux.programme(seconds: 24, from: Double(1 << 33) / 90_000 - 11)
        let (text, marks) = try playlist(mux)
        #expect(marks == 0 && seconds(text).allSatisfy { abs($0 - 2) < 1.1 })
    }

    @Test("Reordered pictures are no discontinuity (mediamtx#4892)")
    func reordered() throws {
        var mux = TestMux()
        for index in 0..<600 {
            if index % 5 == 0 { mux.tables() }
            // Decoding order I P B B, display order I B B P.
            let shown = index % 3 == 0 ? index : index % 3 == 1 ? index + 1 : index - 1
            mux.unit(
                256, at: 9_000_000 + UInt64(shown) * 3_600, TestMux.picture(key: index % 30 == 0),
                indicator: index % 30 == 0)
        }
        #expect(try playlist(mux).marks == 0)
    }

    @Test("Time stamps that go back a little are no discontinuity (mediamtx#1002)")
    func jitter() throws {
        var mux = TestMux()
        for index in 0..<500 {
            if index % 5 == 0 { mux.tables() }
            mux.unit(
                256, at: 9_000_000 + UInt64(index) * 3_600 - (index % 7 == 0 ? 3_700 : 0),
                TestMux.picture(key: index % 25 == 0), indicator: index % 25 == 0)
        }
        #expect(try playlist(mux).marks == 0)
    }

    @Test("Video alone, or sound alone, gives regular segments (videojs-contrib-hls#341)", arguments: [true, false])
    func alone(video: Bool) throws {
        var mux = TestMux()
        for index in 0..<500 {
            if index % 5 == 0 {
                mux.sections(0, TestMux.association([(1, 4096)]))
                mux.sections(4096, TestMux.map(1, [video ? (0x1b, 256, []) : (0x0f, 257, [])]))
            }
            let ticks = 9_000_000 + UInt64(index) * 3_600
            let isKey = index % 25 == 0
            if video { mux.unit(256, at: ticks, TestMux.picture(key: isKey), indicator: isKey) }
            if !video { mux.unit(257, at: ticks, [0xff, 0xf1, 0, 0]) }
        }
        let (text, marks) = try playlist(mux)
        #expect(marks == 0 && seconds(text).allSatisfy { $0 == 2 })
    }

    @Test("Sound that the PMT names a second later begins a new segment (ExoPlayer#9920)")
    func soundLater() throws {
        var mux = TestMux()
        mux.programme(seconds: 5, from: 10, sound: false)
        mux.programme(seconds: 12, from: 15)
        #expect(try playlist(mux).marks == 1)
    }

    @Test("A file that loops is marked as discontinuous each time it restarts (ExoPlayer#6421)")
    func loop() throws {
        var mux = TestMux()
        for _ in 0..<4 { mux.programme(seconds: 6.2) }
        #expect(try playlist(mux).marks == 3)
    }

    @Test("A slide show with sound, of a picture every two seconds, has no discontinuity")
    func slides() throws {
        var mux = TestMux()
        mux.programme(seconds: 40, group: 50) { $0 % 50 == 0 }
        let (text, marks) = try playlist(mux)
        #expect(marks == 0 && seconds(text).count >= 15)
    }

    @Test("Sound with a picture every five seconds is cut at the access units that exist; the total length is right")
    func rareSlides() throws {
        var mux = TestMux()
        mux.programme(seconds: 60, group: 125) { $0 % 125 == 0 }
        let (text, _) = try playlist(mux)
        #expect(seconds(text).reduce(0, +) > 45)
    }

    @Test("MPEG-2 video: groups begin at intra pictures (Ant-Media-Server#5966)")
    func mpeg2() throws {
        var mux = TestMux()
        for index in 0..<500 {
            if index % 5 == 0 { mux.tables(video: 0x02, sound: 0x03) }
            let isKey = index % 25 == 0
            let header: [UInt8] = [
                0, 0, 1, 0xb3, 0x14, 0, 0xf0, 0x15, 0xff, 0xff, 0xe0, 0x18, 0, 0, 1, 0xb8, 0, 8, 0, 0,
            ]
            // picture_coding_type 1 (I) or 2 (P); sequence headers before every picture.
            let picture: [UInt8] = [0, 0, 1, 0, 0, isKey ? 0x08 : 0x10, 0xff, 0xf8]
            mux.unit(256, at: 9_000_000 + UInt64(index) * 3_600, header + picture)
        }
        let (text, marks) = try playlist(mux)
        #expect(marks == 0 && seconds(text).allSatisfy { $0 == 2 })
    }

    @Test("HEVC whose only random access points are CRA pictures is cut at them")
    func hevc() throws {
        var mux = TestMux()
        for index in 0..<500 {
            if index % 5 == 0 { mux.tables(video: 0x24) }
            let isKey = index % 25 == 0
            let sets: [UInt8] = [0, 0, 1, 0x40, 1, 0xc, 0, 0, 1, 0x42, 1, 1, 0, 0, 1, 0x44, 1, 0xc0]
            let picture: [UInt8] = [0, 0, 1, isKey ? 0x2a : 0x02, 1, 0xaf, 0x55, 0x55, 0x55]
            mux.unit(256, at: 9_000_000 + UInt64(index) * 3_600, sets + picture)
        }
        let (text, marks) = try playlist(mux)
        #expect(marks == 0 && seconds(text).allSatisfy { $0 == 2 })
    }

    @Test("A key frame every 25 s still gives a playlist (ws4channels#46)")
    func longGroups() throws {
        var mux = TestMux()
        for index in 0..<900 {
            if index % 5 == 0 { mux.tables() }
            let isKey = index % 250 == 0
            let ticks = 900_000 + UInt64(index) * 9_000
            mux.unit(256, at: ticks, TestMux.picture(key: isKey), indicator: isKey)
            mux.unit(257, at: ticks, [0xff, 0xf1, 0, 0])
        }
        let (text, marks) = try playlist(mux)
        #expect(marks == 0 && seconds(text).allSatisfy { $0 <= 12.5 } && seconds(text).reduce(0, +) > 60)
    }
}
