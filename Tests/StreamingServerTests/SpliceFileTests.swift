import Foundation
import TestSupport
import Testing

@testable import StreamingServer

/// Splices of real encoders' streams, as ffmpeg decodes them.
@Suite("ffmpeg at a splice", .serialized)
struct SpliceFileTests {
    /// The same picture and tone as `TransportStreamFile`, from another encoder.
    private static func encode(_ options: [String]) async -> TimedStream? {
        guard let folder = try? TemporaryFolder() else { return nil }
        defer { folder.remove() }
        let path = folder.url.appendingPathComponent("other.ts")
        let status = await run(
            [
                "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi", "-i",
                "sine=frequency=440", "-t", "\(TransportStreamFile.seconds)", "-c:v", "libx264", "-preset", "ultrafast",
                "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac",
            ] + options + ["-f", "mpegts", path.path]
        ).status
        guard status == 0, let data = try? Data(contentsOf: path) else { return nil }
        return TimedStream([UInt8](data))
    }

    /// Runs a program without blocking a thread of the concurrency pool.
    private static func run(_ arguments: [String]) async -> (status: Int32, output: String) {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: TransportStreamFile.run(arguments)) }
        }
    }

    /// What ffmpeg says when it decodes these bytes.
    private func warnings(_ bytes: [UInt8]) async throws -> [String] {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.url.appendingPathComponent("spliced.ts").path
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let output = await Self.run(["sh", "-c", "ffmpeg -v warning -i \(path) -f null - 2>&1"]).output
        return output.split(separator: "\n").map(String.init)
    }

    @Test(
        "One encoder's bytes from two entrypoints: every picture is there, and ffmpeg notices nothing",
        arguments: [0, 3])
    func exact(half: Int) async throws {
        let source = TimedStream(TransportStreamFile.bytes)
        let edge = SpliceEdge.change(from: source, to: source, at: 4.3, more: 5, halfPayload: half * 188)
        #expect(edge.state.splices.exact == 1)
        let check = StreamCheck(edge.seen)
        #expect(check.continuityErrors == 0 && check.clockErrors == 0 && check.marks == [])
        #expect(check.stamps[256] == StreamCheck(source.bytes).stamps[256])
        #expect(try await warnings(edge.seen) == [])
    }

    @Test(
        "Another encoder on the same clock: ffmpeg notices nothing, wherever the old source dies", arguments: [0, 2, 5])
    func locked(half: Int) async throws {
        let other = try #require(await Self.encode(["-b:v", "900k", "-b:a", "96k"]))
        let source = TimedStream(TransportStreamFile.bytes)
        let edge = SpliceEdge.change(from: source, to: other, at: 4.38, more: 5, halfPayload: half * 188)
        #expect(edge.state.splices.seamless == 1 && edge.state.splices.exact == 0)
        let check = StreamCheck(edge.seen)
        #expect(check.continuityErrors == 0 && check.clockErrors == 0 && check.repeats == 0 && check.marks == [])
        #expect(PlaylistCheck(edge.playlists).faults == [])
        #expect(try await warnings(edge.seen) == [])
    }

    /// ffmpeg's own output may get two pictures with one time there: that is not a fault of the stream.
    @Test("Another encoder on another clock: ffmpeg warns at most once for each of the two elementary streams")
    func otherClock() async throws {
        let other = try #require(await Self.encode(["-b:v", "900k", "-output_ts_offset", "5000"]))
        let source = TimedStream(TransportStreamFile.bytes)
        let edge = SpliceEdge.change(from: source, to: other, at: 4.38, more: 5, halfPayload: 3 * 188)
        #expect(edge.state.splices.discontinuous == 1)
        let lines = try await warnings(edge.seen)
        #expect(lines.count { $0.contains("stream 0") && !$0.contains("[null @") } <= 1, "\(lines)")
        #expect(lines.count { $0.contains("stream 1") && !$0.contains("[null @") } <= 1, "\(lines)")
        #expect(lines.count { !$0.contains("[null @") } <= 2, "\(lines)")
    }
}
