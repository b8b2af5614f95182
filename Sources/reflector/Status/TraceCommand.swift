import ArgumentParser
import ReflectorModel

/// `reflector trace STREAM --region R`: the path of a stream to the edges of a region, hop by hop, with the DNS answer
/// that each hop follows.
struct TraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Show a stream's path to a region, hop by hop, and the DNS answers that it follows.",
        discussion: """
            Each line is a node; the parents from which it fetches the stream are indented below it. PATH, RTT, \
            VARIATION, LOSS, RETRANSMITS and PACKETS belong to the path to the line above, as the node above sees it. \
            VARIATION is the delay of packets on that path above the minimum (median and 99th percentile of the last \
            minute), and RESIDENCE is how long they stay in the node. ZONE SERIAL is the newest serial that the node \
            has seen. ANSWER SINCE is the serial at which the answer that the path follows last changed.

            Exit status: 0 the stream's path is complete, 1 it is not, 2 wrong usage.

            Example:
              reflector trace live/news --region 1283
            """)

    @Argument(help: "The stream, e.g. live/news.", transform: Self.stream)
    var stream: StreamName

    @Option(help: "The edge region, e.g. 1283 or r1283.", transform: NodeOptions.region)
    var region: RegionID

    @OptionGroup var source: NodeSource

    func run() async throws {
        let answers = try await source.ask()
        let tree = TraceTree(stream: stream, region: region, statuses: answers.compactMap(\.status))
        if source.json {
            try JSONOutput.print(tree)
        } else if !tree.edges.isEmpty {
            for line in tree.lines { print(line) }
        }
        for problem in answers.compactMap(\.problem) { StandardError.print(problem) }
        if tree.edges.isEmpty { StandardError.print("reflector: no edge of \(region) answers") }
        guard tree.isComplete else { throw ExitCode(1) }
    }

    private static func stream(_ text: String) throws -> StreamName {
        guard let stream = StreamName(text) else {
            throw ValidationError("'\(text)' is not a stream name, e.g. live/news")
        }
        return stream
    }
}
