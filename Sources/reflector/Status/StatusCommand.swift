import ArgumentParser
import ReflectorModel

/// `reflector status`: every node, and each stream at it.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Ask the running nodes what they carry.",
        discussion: """
            RTT, LOSS and VARIATION are of the first path of a stream. VARIATION is how much longer than at best \
            packets are on their way to this node: median and 99th percentile of the last minute. RESIDENCE is how long \
            they stay in it, since the stream began, to within a factor of √2; at an edge, how long they wait for those \
            before them.

            Exit status: 0 every node answered, 1 one did not, 2 wrong usage.

            Examples:
              reflector status
              reflector status --node 127.0.3.1:4980 --json
            """)

    @OptionGroup var source: NodeSource

    private struct Unanswered: Encodable {
        var name: String
        var endpoint: String
        var reason: String
    }

    private struct Report: Encodable {
        var nodes: [NodeStatus]
        var unanswered: [Unanswered]
    }

    func run() async throws {
        let answers = try await source.ask()
        let unanswered = answers.compactMap { answer -> Unanswered? in
            guard case .failure(let failure) = answer.result else { return nil }
            return Unanswered(name: answer.name, endpoint: "\(answer.endpoint)", reason: "\(failure)")
        }
        if source.json {
            try JSONOutput.print(Report(nodes: answers.compactMap(\.status), unanswered: unanswered))
        } else {
            let rows = answers.map { (name: $0.status?.name ?? $0.name, note: nil as String?, status: $0.status) }
            for line in NodeTable.lines(rows, rates: [:], showsDelays: true) { print(line) }
            for complaint in answers.compactMap(\.complaint) { StandardError.print(complaint) }
        }
        if !unanswered.isEmpty { throw ExitCode(1) }
    }
}
