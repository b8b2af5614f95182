import ReflectorModel
import TestSupport
import Testing

@testable import reflector

@Suite("reflector status and trace", .serialized)
struct TraceTests {
    @Test("trace shows each hop, the DNS answer that it follows and the serial, and the replacement of a killed parent")
    func trace() async throws {
        try await TestNetwork.with(net: 64) { network in
            try await network.startAll()
            let stream = try #require(StreamName("live/news"))
            try await network.startEncoder(stream, file: TestPictureFile.path, at: "ep-bos")
            let edge = try network.node("edge-bos")
            try await network.startProgram(
                "curl",
                [
                    "-sfN", "-o", "/dev/null", "--retry", "20", "--retry-delay", "1", "--retry-all-errors",
                    "http://\(edge.http)/live/news.ts",
                ], name: "viewer")
            try await eventually("delivery") {
                try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0 > 100
            }

            let before = try trace(network)
            #expect(before.code == 0, "\(before.output)\n\(before.errors)")
            #expect(before.lines.first == "live/news (s4096) to r1283")
            #expect(
                before.lines.dropFirst(2).prefix(3).map { $0.split(separator: " ").first { $0 != "└─" } }
                    == ["edge-bos", "sjc-1", "ep-bos"])
            // After the hops: who leads, as each candidate and each witness sees it.
            #expect(before.lines.contains { $0.hasPrefix("ep-bos is candidate 1 (live)") })
            #expect(before.lines.contains { $0.hasPrefix("sjc-1 sees ep-bos lead") })
            #expect(before.output.contains("n1.r1283.s4096"))
            #expect(before.output.contains("set=sjc"))

            try await network.kill("sjc-1")
            try await eventually("another parent") {
                try await network.stream("live/news", at: "edge-bos")?.paths.first.map {
                    $0.parent.hasPrefix("nyc") && $0.state == "live"
                } ?? false
            }
            let after = try trace(network)
            #expect(after.output.contains("n2.r1283.s4096"))
            #expect(after.code == 0, "\(after.output)\n\(after.errors)")
            let status = try #require(try await network.stream("live/news", at: "edge-bos"))
            #expect(status.lost == 0)

            let all = try Program.run(Program.reflector, ["status", "--zones", network.zones.path])
            #expect(all.code == 1, "one node does not answer")
            #expect(all.lines.contains { $0.hasPrefix("sjc-1") && $0.contains("does not answer") })
        }
    }

    private func trace(_ network: TestNetwork) throws -> Program.Result {
        try Program.run(
            Program.reflector, ["trace", "live/news", "--region", "r1283", "--zones", network.zones.path])
    }
}
