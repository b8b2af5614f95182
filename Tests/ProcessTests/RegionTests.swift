import Foundation
import TestSupport
import Testing

/// A region of three edges on a bridge, with real processes in network namespaces; skipped if those can't be made.
@Suite(
    "A region of several machines", .serialized,
    .enabled(if: Laboratory.canRun, "tools/netlab needs root, and may make network namespaces"))
struct RegionTests {
    /// The viewer that comes first makes its edge the leader.
    @Test("kill -9 of the leader: the viewers of the other members lose nothing, and one of those leads")
    func killLeader() throws {
        let lines = [
            "encoder live/news", "player live/news bos-2", "wait flowing --within 20", "player live/news bos-1",
            "player live/news bos-3", "wait flowing --within 20", "wait 2", "status", "report", "kill bos-2", "wait 4",
            "report", "status",
        ]
        let result = try Laboratory.run(lines, network: "region", seconds: 100)
        #expect(result.code == 0, "\(result.output)\n\(result.errors)")
        for edge in ["bos-1", "bos-3"] {
            #expect(result.output.contains("\(edge): live/news of ep-nyc, from bos-2;"), "\(result.output)")
            Laboratory.expectWhole(result, at: edge, reports: 2)
        }
        let tail = result.output.components(separatedBy: "bos-3: live/news of ep-nyc, from ").last ?? ""
        #expect(!tail.hasPrefix("bos-2"), "\(result.output)")
    }

    @Test("Members of a set region restart in turn, under load: no viewer loses anything")
    func rollingSets() throws {
        let result = try restart(["nyc-1", "nyc-2"])
        #expect(result.code == 0 && result.output.contains("nothing lost"), "\(result.output)\n\(result.errors)")
    }

    @Test("Members of an edge region restart in turn, under load: viewers at the other edges lose nothing")
    func rollingEdges() throws {
        let result = try restart(["bos-1", "bos-2", "bos-3"])
        #expect(result.code == 0 && result.output.contains("nothing lost"), "\(result.output)\n\(result.errors)")
    }

    private func restart(_ nodes: [String]) throws -> Program.Result {
        let edges = ["bos-1", "bos-2", "bos-3"]
        let streams = ["live/news", "live/talk"]
        var lines = ["encoder live/news --numbered", "encoder live/talk --numbered --from ns2"]
        for edge in edges { lines += streams.map { "player \($0) \(edge)" } }
        lines += ["wait flowing --within 20", "wait 3", "rolling \(nodes.joined(separator: " ")) --pause 2"]
        return try Laboratory.run(lines, network: "regions", seconds: 120)
    }
}
