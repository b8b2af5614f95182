import Foundation
import TestSupport
import Testing

/// A set region of three hosts on a bridge, with real processes in network namespaces; skipped if those can't be made.
@Suite(
    "A set region of several machines", .serialized,
    .enabled(if: Laboratory.canRun, "tools/netlab needs root, and may make network namespaces"))
struct SetRegionTests {
    /// The zone's hash gives alb-1 the parent nyc-2, which leads because its edge comes first, bos-1 the parent nyc-1, and
    /// the others nyc-3.
    @Test("kill -9 of the lead set reflector: no viewer loses anything, and one copy comes from the entrypoint again")
    func killLead() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let script = folder.url.appendingPathComponent("script")
        let edges = ["alb-1", "bos-1", "chi-1", "den-1"]
        let ask = "exec ns1 -- sh -c '$REFLECTOR status --region nyc --stream live/news --zones $LAB/zones'"
        let lines =
            ["encoder live/news", "player live/news alb-1", "wait flowing --within 20"]
            + edges.dropFirst().map { "player live/news \($0)" }
            + ["wait flowing --within 20", "wait 2", "report", ask, "kill nyc-2", "wait 4", "report", ask + " || true"]
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: script)
        let netlab = Program.root.appendingPathComponent("tools/netlab").path
        let result = try Program.run(
            netlab, ["run", script.path, "--network", "setregion", "--program", Program.reflector], seconds: 100)
        #expect(result.code == 0, "\(result.output)\n\(result.errors)")
        for edge in edges {
            let rows = result.lines.filter { $0.hasPrefix("player-live-news-\(edge) ") && $0.contains(" pictures ") }
            #expect(rows.count == 2, "\(result.output)")
            for row in rows {
                // Columns: player, stream, edge, unit, got, lost, twice, unordered.
                let columns = row.split(separator: " ")
                #expect(columns.count > 7 && Int(columns[4]) ?? 0 > 50, "\(result.output)")
                #expect(columns.count > 7 && columns[5...7].allSatisfy { $0 == "0" }, "\(result.output)")
            }
        }
        // Rows of the nodes: name, role, stream, parent.
        let copies = result.lines.filter { $0.hasPrefix("nyc-") && $0.contains(" live/news  ep-lon ") }
        #expect(copies.count == 2, "\(result.output)")
        let leads = copies.map { $0.prefix(5) }
        #expect(leads.first == "nyc-2" && leads.last != "nyc-2", "\(result.output)")
    }
}
