import Foundation
import ReflectorModel
import TestSupport
import Testing

@testable import reflector

@Suite("A stream from encoder to players", .serialized)
struct PlaybackTests {
    @Test("players find picture and sound with both protocols, decode six seconds without errors, and nothing is lost")
    func plays() async throws {
        try await TestNetwork.with(net: 77) { network in
            try await network.startAll()
            try await network.startEncoder(
                try #require(StreamName("live/news")), file: TestPictureFile.path, at: "ep-bos")
            try await eventually("packets at the entrypoint") {
                (try await network.stream("live/news", at: "ep-bos")?.packetsIn ?? 0) > 50
            }
            for edge in ["edge-bos", "edge-nen"] {
                let address = try network.node(edge).http
                for path in ["live/news.ts", "live/news/index.m3u8"] {
                    let probe = try Program.run(
                        "ffprobe",
                        ["-v", "error", "-show_entries", "stream=codec_type,codec_name", "-of", "csv=p=0"]
                            + ["http://\(address)/\(path)"], seconds: 40)
                    #expect(probe.code == 0, "\(probe.errors)")
                    let streams = Set(probe.lines.map { $0.trimmingCharacters(in: .whitespaces) })
                    #expect(streams.isSuperset(of: ["h264,video", "aac,audio"]), "\(edge) \(path): \(streams)")
                    print("\(edge) \(path): \(streams.sorted().joined(separator: " "))")
                    let play = try Program.run(
                        "ffmpeg",
                        ["-v", "error", "-nostdin", "-i", "http://\(address)/\(path)", "-t", "6", "-f", "null", "-"],
                        seconds: 60)
                    #expect(play.code == 0)
                    #expect(play.errors.isEmpty, "\(edge) \(path): \(play.errors)")
                }
                let status = try #require(try await network.stream("live/news", at: edge))
                #expect(status.lost == 0)
                #expect(status.delivered > 300)
                print("\(edge): \(status.delivered) delivered, \(status.lost) lost, \(status.repaired) repaired")
            }
        }
    }
}
