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
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let script = folder.url.appendingPathComponent("script")
        let edges = ["alb-1", "bos-1", "chi-1", "den-1"]
        var lines = ["encoder live/news"] + edges.map { "player live/news \($0)" }
        lines += ["wait flowing --within 20", "wait 3", "report"]
        for host in ["nyc-1", "nyc-2", "nyc-3"] {
            lines += ["kill \(host)", "wait 4", "report --lost-max 0 --gap-max 1", "start \(host)", "wait 5"]
        }
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: script)
        let netlab = Program.root.appendingPathComponent("tools/netlab").path
        let result = try Program.run(
            netlab, ["run", script.path, "--network", "setregion", "--program", Program.reflector], seconds: 120)
        #expect(result.code == 0, "\(result.output)\n\(result.errors)")
        for edge in edges {
            // Columns: player, stream, edge, unit, got, lost, twice, unordered.
            let rows = result.lines.filter { $0.hasPrefix("player-live-news-\(edge) ") && $0.contains(" pictures ") }
            #expect(rows.count == 4, "\(result.output)")
            for row in rows {
                let columns = row.split(separator: " ")
                #expect(columns.count > 7 && Int(columns[4]) ?? 0 > 50, "\(result.output)")
                #expect(columns.count > 7 && columns[5...7].allSatisfy { $0 == "0" }, "\(result.output)")
            }
        }
    }
}
