import ArgumentParser
import DNSService
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

            Name servers are shown with the serial of what they serve. The last line counts what is shown.

            Examples:
              reflector status
              reflector status --role edge --stream live/news
              reflector status --node 127.0.3.1:4980 --json
            """)

    @OptionGroup var source: NodeSource

    @Option(help: "Only nodes of this role: nameserver, entrypoint, set or edge.")
    var role: String?

    @Option(help: "Only this stream, as live/news, and the nodes that carry it.")
    var stream: String?

    private static let roles = ["nameserver", "entrypoint", "set", "edge"]

    private struct Unanswered: Encodable {
        var name: String
        var endpoint: String
        var reason: String
    }

    private struct NamedServer: Encodable {
        var name: String
        var endpoint: String
        var status: NameServer.Status
    }

    private struct Report: Encodable {
        var nodes: [NodeStatus]
        var nameServers: [NamedServer]
        var unanswered: [Unanswered]
        var totals: StatusTotals
    }

    func validate() throws {
        if let role, !Self.roles.contains(role) {
            throw ValidationError("--role: '\(role)' is none of \(Self.roles.joined(separator: ", "))")
        }
        if let stream, StreamName(stream) == nil {
            throw ValidationError("--stream: '\(stream)' is no stream name, as live/news")
        }
    }

    func run() async throws {
        let answers = try await source.ask(nameServers: true).map(narrowed)
        let unanswered = answers.compactMap { answer -> Unanswered? in
            guard case .failure(let failure) = answer.result, answer.nameServer == nil else { return nil }
            return Unanswered(name: answer.name, endpoint: "\(answer.endpoint)", reason: "\(failure)")
        }
        let shown = answers.filter(isShown)
        let nodes = shown.compactMap(\.status)
        let servers = shown.compactMap { answer in
            answer.nameServer.map { NamedServer(name: answer.name, endpoint: "\(answer.endpoint)", status: $0) }
        }
        let totals = StatusTotals(nodes, nameServers: servers.count, unanswered: unanswered.count)
        if source.json {
            try JSONOutput.print(Report(nodes: nodes, nameServers: servers, unanswered: unanswered, totals: totals))
        } else {
            let rows = shown.map {
                (name: $0.status?.name ?? $0.name, note: $0.nameServer?.sentence, status: $0.status)
            }
            for line in NodeTable.lines(rows, rates: [:], showsDelays: true) { print(line) }
            print(totals.sentence)
            for problem in answers.compactMap(\.problem) { StandardError.print(problem) }
        }
        if !unanswered.isEmpty { throw ExitCode(1) }
    }

    /// Without the streams that were not asked for.
    private func narrowed(_ answer: NodeSource.Answer) -> NodeSource.Answer {
        guard let stream, var status = answer.status else { return answer }
        status.streams.removeAll { $0.name != stream }
        var answer = answer
        answer.result = .success(status)
        return answer
    }

    private func isShown(_ answer: NodeSource.Answer) -> Bool {
        if answer.nameServer != nil { return stream == nil && (role ?? "nameserver") == "nameserver" }
        // Nobody knows what a node is that does not answer.
        guard let status = answer.status else { return true }
        return (role ?? status.role) == status.role && (stream == nil || !status.streams.isEmpty)
    }
}
