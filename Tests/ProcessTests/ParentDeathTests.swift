import Foundation
import ReflectorModel
import TestSupport
import Testing

@testable import reflector

@Suite("Parents and name servers that die", .serialized)
struct ParentDeathTests {
    @Test("ten kill -9 of the set reflector in use lose nothing; edges then stream and start without name servers")
    func deaths() async throws {
        try await TestNetwork.with(net: 71) { network in
            try await network.startAll()
            try await network.startEncoder(
                try #require(StreamName("live/news")), file: TestPictureFile.path, at: "ep-bos")
            try await network.startViewer(of: "edge-bos", name: "viewer")
            try await network.startViewer(of: "edge-nen", name: "viewer-nen")
            try await eventually("delivery at both edges") {
                let boston = try await network.stream("live/news", at: "edge-bos")
                let albany = try await network.stream("live/news", at: "edge-nen")
                return (boston?.delivered ?? 0) > 200 && (albany?.delivered ?? 0) > 200
            }
            var gaps: [Double] = []
            for _ in 0..<10 {
                gaps.append(try await killParentInUse(network))
            }
            for edge in ["edge-bos", "edge-nen"] {
                let status = try #require(try await network.stream("live/news", at: edge))
                #expect(status.lost == 0, "\(edge): \(status)")
                print(
                    "\(edge): \(status.delivered) delivered, \(status.lost) lost, largest gap so far after each kill:")
            }
            print(gaps.map { "\(Int($0)) ms" }.joined(separator: ", "))

            try await network.kill("ns1")
            try await network.kill("ns2")
            let before = try #require(try await network.stream("live/news", at: "edge-bos")).delivered
            let gap = try await killParentInUse(network)
            let after = try #require(try await network.stream("live/news", at: "edge-bos"))
            #expect(after.delivered > before)
            #expect(after.lost == 0)
            print("without name servers, a parent died: largest gap \(Int(gap)) ms, \(after.lost) lost")

            try await network.kill("edge-bos")
            try await network.start("edge-bos")
            try await network.waitUntilReady("edge-bos")
            try await network.startViewer(of: "edge-bos", name: "viewer-again")
            try await eventually("a restarted edge finds its parents without name servers") {
                (try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0) > 100
            }
        }
    }

    /// Kills the parent of edge-bos, waits until another delivers the stream, and restarts the killed one. Returns the
    /// largest gap of the edge's output so far in milliseconds.
    private func killParentInUse(_ network: TestNetwork) async throws -> Double {
        let status = try #require(try await network.stream("live/news", at: "edge-bos"))
        let parent = try #require(status.paths.first?.parent)
        try await network.kill(parent)
        try await eventually("another parent than \(parent)") {
            let now = try await network.stream("live/news", at: "edge-bos")
            guard let path = now?.paths.first, path.parent != parent, path.state == "live" else { return false }
            return (now?.delivered ?? 0) > status.delivered + 150
        }
        try await network.start(parent)
        try await network.waitUntilReady(parent)
        return try #require(try await network.stream("live/news", at: "edge-bos")).gapMillisecondsMax
    }
}
