import ArgumentParser
import ZoneCompiler

/// `reflector zone diff OLD NEW`.
struct ZoneDiffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Show what an edit moves, before it does.",
        discussion: """
            One line for each block of portsets × regions whose parents or TTL change, with the streams in it:

              s4096 × r1283: sjc nyc lon → lon nyc sjc, TTL 5 → 20, 1 stream

            then one for each other change: records, set regions, streams. Never a list of names.

            Exit status: 0 nothing moves, 1 something does, 2 wrong usage or a directory with errors.

            Example:
              git worktree add /tmp/before HEAD
              reflector zone diff /tmp/before/zones zones
            """)

    @Argument(help: "The directory as it is.")
    var old: String

    @Argument(help: "The directory as it would be.")
    var new: String

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() async throws {
        let diff = ZoneDiff(from: try ZoneFolder.contents(old), to: try ZoneFolder.contents(new))
        if json {
            try JSONOutput.print(diff)
        } else {
            let zones = Set(diff.moves.map(\.zone) + diff.changes.map(\.zone))
            func prefix(_ zone: String) -> String { zones.count > 1 ? "\(zone): " : "" }
            for move in diff.moves { print(prefix(move.zone) + "\(move)") }
            for change in diff.changes { print(prefix(change.zone) + "\(change.kind) \(change.text)") }
            if diff.isCutShort { StandardError.print("reflector: more moves than are shown") }
        }
        if !diff.isEmpty { throw ExitCode(1) }
    }
}
