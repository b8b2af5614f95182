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
        let edges = ["alb-1", "bos-1", "chi-1", "den-1"]
        try netlab("up", "setregion", "--detach", "--program", Program.reflector)
        defer { _ = try? Program.run(Self.netlab, ["--lab", Self.lab, "down"], seconds: 30) }
        try netlab("encoder", "live/news")
        for edge in edges {
            try netlab("player", "live/news", edge)
            try netlab("wait", "flowing", "--within", "20")
        }
        try netlab("wait", "2")
        try checkPlayers(edges)
        #expect(try fetchers() == ["nyc-2"])
        try netlab("kill", "nyc-2")
        try netlab("wait", "4")
        try checkPlayers(edges)
        let fetchers = try fetchers()
        #expect(fetchers.count == 1 && fetchers != ["nyc-2"])
    }

    private static let netlab = Program.root.appendingPathComponent("tools/netlab").path
    private static let lab = "set-region-\(getpid())"

    @discardableResult
    private func netlab(_ words: String...) throws -> Program.Result {
        let result = try Program.run(Self.netlab, ["--lab", Self.lab] + words, seconds: 60)
        #expect(result.code == 0, "netlab \(words): \(result.output)\n\(result.errors)")
        return result
    }

    private func checkPlayers(_ edges: [String]) throws {
        let report = try netlab("report")
        for edge in edges {
            // Columns: player, stream, edge, unit, got, lost, twice, unordered.
            let row = report.lines.first { $0.hasPrefix("player-live-news-\(edge) ") } ?? ""
            let columns = row.split(separator: " ")
            #expect(columns.count > 7 && Int(columns[4]) ?? 0 > 50, "\(report.output)")
            #expect(columns.count > 7 && columns[5...7].allSatisfy { $0 == "0" }, "\(report.output)")
        }
    }

    /// The set reflectors that fetch the stream from the entrypoint. A set reflector that is dead does not answer.
    private func fetchers() throws -> [String] {
        let status = try Program.run(
            Self.netlab,
            [
                "--lab", Self.lab, "exec", "ns1", "--", "sh", "-c",
                "$REFLECTOR status --region nyc --zones $LAB/zones",
            ], seconds: 30)
        // Columns: node, role, stream, from.
        return status.lines.compactMap { line in
            let columns = line.split(separator: " ").map(String.init)
            guard columns.count > 3, columns[1...3] == ["set", "live/news", "ep-lon"] else { return nil }
            return columns[0]
        }
    }
}
