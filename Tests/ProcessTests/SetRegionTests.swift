import Foundation
import TestSupport
import Testing

/// A set region of three hosts on a bridge, with real processes in network namespaces; skipped if those can't be made.
@Suite(
    "A set region of several machines", .serialized,
    .enabled(if: Laboratory.canRun, "tools/netlab needs root, and may make network namespaces"))
struct SetRegionTests {
    /// Four edges have parents among all three hosts, of which one leads the stream: each is killed once.
    @Test("kill -9 of each set reflector in turn, one of which leads: no viewer at any edge loses anything")
    func killEach() throws {
        let edges = ["alb-1", "bos-1", "chi-1", "den-1"]
        var lines = ["encoder live/news"] + edges.map { "player live/news \($0)" }
        lines += ["wait flowing --within 20", "wait 3", "report"]
        for host in ["nyc-1", "nyc-2", "nyc-3"] {
            lines += ["kill \(host)", "wait 4", "report --lost-max 0 --gap-max 1", "start \(host)", "wait 5"]
        }
        let result = try Laboratory.run(lines, network: "setregion", seconds: 120)
        #expect(result.code == 0, "\(result.output)\n\(result.errors)")
        for edge in edges { Laboratory.expectWhole(result, at: edge, reports: 4) }
    }
}
