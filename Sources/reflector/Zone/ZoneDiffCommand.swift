import ArgumentParser
import ZoneCompiler

/// `reflector zone diff OLD NEW`.
struct ZoneDiffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Show what an edit will move; or how running name servers differ from the files.",
        discussion: """
            One line for each block of portsets × regions whose parents or TTL change, with the streams in it:

              s4096 × r1283: sjc nyc lon → lon nyc sjc, TTL 5 → 20, 1 stream

            then one line for each other change: records, set regions, streams. Never a list of names.

            With --running, one line for each host for which the zone's name servers differ from the directory \
            because of an override or because probes find it dead or lossy, and one for each override in force:

              127.0.1.1:4980: nyc: nyc-1 left out: health dead

            Exit status: 0 nothing moves or differs, 1 something does, 2 wrong usage or a directory with errors.

            Examples:
              git worktree add /tmp/before HEAD
              reflector zone diff /tmp/before/zones zones
              reflector zone diff --running zones
            """)

    @Argument(help: "The directory before the edit.")
    var old: String

    @Argument(help: "The directory after the edit; not with --running.")
    var new: String?

    @Flag(help: "Compare the directory with what running name servers answer.")
    var running = false

    @Option(
        name: .customLong("server"),
        help: ArgumentHelp(
            "With --running: the --ops address of a name server; repeatable. Default: the zone's name "
                + "servers at port 4980.", valueName: "addr:port"))
    var servers: [String] = []

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard running == (new == nil) else {
            throw ValidationError("give the directory before and after the edit, or --running and one directory")
        }
    }

    func run() async throws {
        guard let new else {
            return try await RunningDifference.print(old, servers: servers, json: json)
        }
        let diff = ZoneDiff(from: try ZoneFolder.contents(old), to: try ZoneFolder.contents(new))
        if json {
            try JSONOutput.print(diff)
        } else {
            let zones = Set(diff.moves.map(\.zone) + diff.changes.map(\.zone))
            func prefix(_ zone: String) -> String { zones.count > 1 ? "\(zone): " : "" }
            for move in diff.moves { print(prefix(move.zone) + "\(move)") }
            for change in diff.changes { print(prefix(change.zone) + "\(change.kind) \(change.text)") }
            if diff.isCutShort { StandardError.print("reflector: there are more moves than shown") }
        }
        if !diff.isEmpty { throw ExitCode(1) }
    }
}
