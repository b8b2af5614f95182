import Foundation
import Glibc
import TestSupport
import Testing

@testable import reflector

/// `tools/netlab`, in network namespaces of its own; skipped if those can't be made.
@Suite(
    "The laboratory", .serialized,
    .enabled(if: Laboratory.canRun, "tools/netlab needs root, and may make network namespaces"))
struct LaboratoryTests {
    private static let netlab = Laboratory.netlab

    @Test("Networks of bare hosts: descriptions, both families, multicast, NAT, cuts, and nothing remains")
    func networks() throws {
        let script = Program.root.appendingPathComponent("Tests/Scripts/netlab.py").path
        let result = try Program.run("python3", [script], seconds: 120)
        let failed = result.lines.filter { !$0.hasPrefix("passed: ") }
        #expect(result.code == 0 && failed.isEmpty, "\(failed.joined(separator: "\n"))\n\(result.errors)")
    }

    /// Two cores are fully busy with it, so it is not among the tests of every change: `REFLECTOR_CHAOS=1` runs it.
    @Test(
        "Thirty seconds of chaos with 20 nodes, 12 streams and 108 viewers: nothing violated",
        .enabled(if: ProcessInfo.processInfo.environment["REFLECTOR_CHAOS"] != nil))
    func chaos() throws {
        let result = try Program.run(
            Self.netlab, ["chaos", "--for", "30", "--seed", "1", "--program", Program.reflector], seconds: 90)
        #expect(result.code == 0, "\(result.output)\n\(result.errors)")
        let last = result.lines.last ?? ""
        #expect(last.hasPrefix("chaos: seed 1, 30 s: ") && last.hasSuffix("; nothing violated"), "\(result.output)")
    }

    @Test("A script builds a network, kills a set reflector, and the viewer of a real ffmpeg loses nothing")
    func script() throws {
        let lines = [
            "encoder live/news", "player live/news edge-bos", "wait flowing --within 20", "wait 2", "report",
            "kill sjc-1", "wait 3", "report --lost-max 0 --gap-max 1.5", "start sjc-1", "status",
        ]
        let result = try Laboratory.run(lines, network: "example", seconds: 80)
        #expect(result.code == 0, "\(result.output)\n\(result.errors)")
    }

    @Test("A mistake in a script is found before anything starts, with its line")
    func mistake() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let script = folder.url.appendingPathComponent("script")
        try Data("wait 1\ncut nyc-1\n".utf8).write(to: script)
        let arguments = ["run", script.path, "--network", "example", "--program", "/bin/true"]
        let result = try Program.run(Self.netlab, arguments)
        #expect(result.code == 2)
        #expect(result.errors.contains("\(script.path):2:1: "), "\(result.errors)")
    }

    @Test("up --lab runs the checkout's example network, and no other")
    func upLab() throws {
        let laboratory = try UpLaboratory(program: Program.reflector)
        #expect(laboratory.command(duration: 3).first == Self.netlab)
        #expect(laboratory.has(zones: Program.root.appendingPathComponent("zones").path))
        let result = try Program.run(Program.reflector, ["up", "--lab", "--zones", "/tmp"])
        #expect(result.code == 2)
        #expect(result.errors.contains("--lab runs the example zones"), "\(result.errors)")
        let copy = try TemporaryFolder()
        defer { copy.remove() }
        #expect(throws: UpLaboratory.Unusable.self) { _ = try UpLaboratory(program: "\(copy.path)/reflector") }
    }
}

/// `tools/netlab` for tests.
enum Laboratory {
    static let netlab = Program.root.appendingPathComponent("tools/netlab").path
    /// Whether it works on this machine.
    static let canRun = geteuid() == 0 && (try? Program.run("unshare", ["--net", "--pid", "--fork", "true"]).code) == 0

    /// Runs these verbs in a ready-made network.
    static func run(_ lines: [String], network: String, seconds: Int) throws -> Program.Result {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let script = folder.url.appendingPathComponent("script")
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: script)
        return try Program.run(
            netlab, ["run", script.path, "--network", network, "--program", Program.reflector], seconds: seconds)
    }

    /// The viewer of live/news at an edge is in so many reports, each time with more than 50 pictures, and none lost, twice
    /// or out of order.
    static func expectWhole(_ result: Program.Result, at edge: String, reports: Int) {
        let rows = result.lines.filter { $0.hasPrefix("player-live-news-\(edge) ") && $0.contains(" pictures ") }
        #expect(rows.count == reports, "\(result.output)")
        for row in rows {
            // Columns: player, stream, edge, unit, got, lost, twice, unordered.
            let columns = row.split(separator: " ")
            #expect(columns.count > 7 && Int(columns[4]) ?? 0 > 50, "\(result.output)")
            #expect(columns.count > 7 && columns[5...7].allSatisfy { $0 == "0" }, "\(result.output)")
        }
    }
}
