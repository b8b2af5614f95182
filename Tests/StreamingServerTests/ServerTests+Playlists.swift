import Foundation
import ReflectorModel
import TestSupport
import Testing

@testable import StreamingServer

/// Playlists and splices over HTTP, through the hub.
extension ServerTests {
    private func send(_ bytes: [UInt8], to hub: LiveStreamHub, _ name: StreamName) {
        for (index, start) in stride(from: 0, to: bytes.count, by: 1316).enumerated() {
            deliver(bytes[start..<min(start + 1316, bytes.count)], to: hub, name, at: index)
        }
    }

    @Test("While an encoder is absent, its playlist and segments stay available to players that follow them")
    func awayOverHTTP() async throws {
        let hub = hub()
        let name = name
        try await serve(hub) { endpoint in
            var mux = TestMux()
            mux.programme(seconds: 12)
            send(mux.bytes, to: hub, name)
            let before = try await get("http://\(endpoint)/live/news/index.m3u8")
            #expect(before.status == 200)
            hub.unavailable(stream: name, reason: "no entrypoint has it")
            let after = try await get("http://\(endpoint)/live/news/index.m3u8")
            #expect(after.status == 200)
            // Players that follow the playlist do not count as requests for unknown names, however many share an
            // address.
            hub.unavailable(stream: name, reason: "no entrypoint has it")
            for _ in 0..<300 {
                #expect(try await get("http://\(endpoint)/live/news/index.m3u8").status == 200)
                hub.unavailable(stream: name, reason: "no entrypoint has it")
            }
            // The open segment was finished when the stream ended.
            let lines = String(decoding: after.body, as: UTF8.self).split(separator: "\n")
            for file in lines where !file.hasPrefix("#") {
                let segment = try await get("http://\(endpoint)/live/news/\(file)")
                #expect(segment.status == 200)
                #expect(segment.body.count % 188 == 0)
            }
            // After its return the stream continues in the same playlist.
            var again = TestMux()
            again.programme(seconds: 12, from: 3)
            send(again.bytes, to: hub, name)
            let back = String(
                decoding: try await get("http://\(endpoint)/live/news/index.m3u8").body, as: UTF8.self)
            #expect(back.contains("#EXT-X-DISCONTINUITY\n"))
        }
    }

    @Test("A request for a missing playlist gets the reason and Retry-After", arguments: [0, 1, 2])
    func retryAfter(kind: Int) async throws {
        let hub = hub {
            $0.firstByteWait = .milliseconds(200)
            $0.firstPlaylistWait = .milliseconds(300)
        }
        let name = name
        try await serve(hub) { endpoint in
            var mux = TestMux()
            switch kind {
            case 0: break
            case 1: mux.programme(seconds: 5)
            default: for _ in 0..<50 { mux.sections(0, TestMux.association([(5, 500)])) }
            }
            if kind > 0 { send(mux.bytes, to: hub, name) }
            let answer = try await get("http://\(endpoint)/live/news/index.m3u8")
            #expect(answer.status == (kind == 1 ? 503 : 504))
            #expect(answer.response.headers.first(name: "retry-after") == "2")
            let text = String(decoding: answer.body, as: UTF8.self)
            #expect(text.contains(["nothing has arrived", "three target durations", "PMT does not arrive"][kind]))
        }
    }

    @Test("At a change of source a progressive viewer gets whole packets, and the splice is marked")
    func sourceChangeOverHTTP() async throws {
        let hub = hub()
        let name = name
        try await serve(hub) { endpoint in
            async let answer = get("http://\(endpoint)/live/news.ts")
            try await eventually("1 viewer", every: .milliseconds(2)) { hub.viewers(of: name) >= 1 }
            var before = TestMux()
            before.programme(seconds: 3)
            var after = TestMux()
            after.programme(seconds: 5, from: 400)
            // The source dies in the middle of a packet.
            send(before.bytes + before.bytes.prefix(100), to: hub, name)
            hub.discontinuity(stream: name, isOtherSource: true)
            send(Array(after.bytes.dropFirst(17 * 188)), to: hub, name)
            hub.ended(stream: name, reason: "done")
            let body = try await answer.body
            #expect(body.count % 188 == 0)
            #expect(stride(from: 0, to: body.count, by: 188).allSatisfy { body[$0] == 0x47 })
            let marked = stride(from: 0, to: body.count, by: 188).count {
                body[$0 + 3] & 0x20 != 0 && body[$0 + 4] > 0 && body[$0 + 5] & 0x80 != 0
            }
            #expect(marked == 4)
            #expect(hub.statistics().counters["bytes_skipped"] == 100)
        }
    }

    @Test("The segments of all streams stay within their byte limit: unwatched ones are evicted first, and counted")
    func segmentBytesOfAll() throws {
        let hub = hub { $0.segmentBytesOfAllMax = 2 << 20 }
        var mux = TestMux()
        mux.programme(seconds: 12, size: 4_000)
        let names = ["live/a", "live/b", "live/c"].compactMap { StreamName($0) }
        for name in names { send(mux.bytes, to: hub, name) }
        hub.existing(names[1])?.touch()
        hub.sweep()
        let streams = hub.statistics().streams
        #expect(streams.reduce(0) { $0 + $1.segmentBytes } <= 2 << 20)
        let watched = try #require(streams.first { $0.name == names[1] })
        #expect(watched.segmentsEvicted == 0 && watched.segments >= 4)
        #expect((hub.statistics().counters["segments_evicted"] ?? 0) > 0)
        // A single watched stream also stays within the limit.
        for _ in 0..<4 {
            mux = TestMux()
            mux.programme(seconds: 12, size: 8_000)
            send(mux.bytes, to: hub, names[1])
            hub.sweep()
            #expect(hub.statistics().streams.reduce(0) { $0 + $1.segmentBytes } <= 2 << 20)
        }
    }

    @Test("The sequence numbers of playlists survive a restart of the edge, even after a kill")
    func numbersSurvive() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/numbers"
        var sequences: [Int] = []
        for start in [500.0, 10, 90, 3] {
            let hub = hub { $0.numbersPath = path }
            var mux = TestMux()
            mux.programme(seconds: 14, from: start)
            send(mux.bytes, to: hub, name)
            hub.existing(name)?.touch()
            let playlist = try #require(hub.existing(name)?.playlist)
            let line = try #require(playlist.split(separator: "\n").first { $0.hasPrefix("#EXT-X-MEDIA-SEQUENCE:") })
            sequences.append(try #require(line.split(separator: ":").last.flatMap { Int($0) }))
            // A sweep writes the numbers, so that even a killed edge has them.
            if start == 500 { hub.sweep() } else { hub.shutDown() }
        }
        #expect(zip(sequences, sequences.dropFirst()).allSatisfy { $0 < $1 }, "\(sequences)")
    }

    @Test("The memory of past streams is bounded; evicting the oldest makes no number go back")
    func historyBound() {
        let limits = LiveStreamConfiguration().windowLimits
        var history = SegmentHistory(limits: limits, sequenceMin: 0)
        let now = ContinuousClock.now
        for index in 0..<20_000 {
            let name = StreamName("live/s\(index)")!
            var window = history.take(name, at: now).window
            let segment = SegmentCutter.Segment(
                slot: 1_000 + Int64(index), range: 0..<1, durationTicks: 180_000, isDiscontinuous: false)
            window.append(segment, bytes: [])
            history.put(window, of: name, watched: index.isMultiple(of: 10) ? now : nil, at: now)
        }
        #expect(history.lasting.count <= 16_384)
        #expect(history.evicted >= 20_000 - 16_384)
        var forgotten = history.take(StreamName("live/s0")!, at: now).window
        forgotten.append(
            .init(slot: 5, range: 0..<1, durationTicks: 180_000, isDiscontinuous: false), bytes: [])
        #expect((forgotten.numbering?.next ?? 0) > 1_001)
    }
}
