import ArgumentParser
import ZoneCompiler

/// `reflector zone explain NAME DIR`.
struct ZoneExplain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Show which line answers a name, and why.",
        discussion: """
            Prints every line that matches the name and marks those that decide with ▶. The answer follows. A running \
            name server also shows health and overrides, in the TXT record of the name under .explain.

            Names, absolute or without the zone:
              n1.r1283.s4096      first parent of region 1283 for portset 4096
              n1.r1283            the same for the default portset
              sets.s4096          the root set reflectors of a portset
              ep-bos.sets         where an entrypoint announces
              live/news           a stream: its candidates (the name news.live.streams)
              ingest.news.live.streams   where its encoder pushes
              nyc-1               anything in the .zone file

            Exit status: 0 the name answers, 1 it does not (NXDOMAIN, NODATA), 2 wrong usage or errors.

            Example:
              reflector zone explain n1.r1283.s4096 zones
            """)

    @Argument(help: "The name to explain.")
    var name: String

    @Argument(help: "The directory with the .zone, .portsets and .streams files.")
    var directory: String

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() async throws {
        let explanation = ZoneExplanation.explain(name, in: try ZoneFolder.contents(directory))
        if json {
            try JSONOutput.print(explanation)
        } else {
            print("\(explanation.name): \(explanation.outcome.rawValue)")
            for line in explanation.lines {
                print("\(line.wins ? "▶" : " ") \(directory)/\(line.file):\(line.line): \(line.text)")
            }
            for reason in explanation.reasons { print("    \(reason)") }
        }
        if explanation.outcome != .answer { throw ExitCode(1) }
    }
}
