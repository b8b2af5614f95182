import ArgumentParser
import DNSService
import IdentityKeys
import NodeIdentity
import ReflectorModel

/// `reflector status`: every node, and each stream at it.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the running nodes and the streams that they carry.",
        discussion: """
            RTT, LOSS and VARIATION belong to the first path of a stream. VARIATION is the delay of packets on their \
            way to this node above the minimum: median and 99th percentile of the last minute. RESIDENCE is how long \
            they stay in the node, measured since the stream began, to within a factor of √2; at an edge, how long \
            they wait for earlier packets.

            Exit status: 0 every node answered, 1 one did not, 2 wrong usage.

            With --stream, a line for each entrypoint and set reflector says who leads the stream, as that node sees it.

            With --region, only the edges of that edge region, or the set reflectors of that set region, and for each of \
            them: which members it sees, and who leads which stream, since when and why.

            A line for each stream that an edge hands out over UDP says where it goes and which servers requested it.

            Name servers are shown with the serials of their zones. The last line shows totals.

            Examples:
              reflector status
              reflector status --role edge --stream live/news
              reflector status --region 1283
              reflector status --region nyc
              reflector status --node 127.0.3.1:4980 --json
            """)

    @OptionGroup var source: NodeSource

    @Option(help: "Only nodes of this role: nameserver, entrypoint, set or edge.")
    var role: String?

    @Option(help: "Only this stream, e.g. live/news, and the nodes that carry it.")
    var stream: String?

    @Option(help: "Show the members of this edge region or set region, and who leads which stream in it: 1283, nyc.")
    var region: String?

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
            throw ValidationError("--role: '\(role)' is not one of \(Self.roles.joined(separator: ", "))")
        }
        if let stream, StreamName(stream) == nil {
            throw ValidationError("--stream: '\(stream)' is not a stream name, e.g. live/news")
        }
    }

    /// The region as nodes report it: `r1283`, or the name of a set region.
    private var regionName: String? { region.map { (try? NodeOptions.region($0).description) ?? $0.lowercased() } }

    /// Ends the command if no node is of the region that was requested.
    private func checkRegion(_ answers: [NodeSource.Answer]) throws {
        guard let region, let regionName else { return }
        let nodes = answers.compactMap(\.status)
        guard !nodes.isEmpty, !nodes.contains(where: { RegionLines.isOf($0, regionName) }) else { return }
        let known = RegionLines.regions(nodes)
        StandardError.print(
            "reflector: no node that answers is of region \(region); "
                + (known.isEmpty ? "none of them is of any region" : "there are \(known.joined(separator: ", "))"))
        throw ExitCode(1)
    }

    func run() async throws {
        let answers = try await source.ask(nameServers: true).map(narrowed)
        try checkRegion(answers)
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
            for line in elections(nodes) { print(line) }
            if let regionName { for line in RegionLines.lines(nodes, of: regionName) { print(line) } }
            for line in OutputLines.lines(nodes, of: stream) { print(line) }
            print(totals.sentence)
            for line in nodes.compactMap(Self.expiry) { StandardError.print(line) }
            for problem in answers.compactMap(\.problem) { StandardError.print(problem) }
        }
        if !unanswered.isEmpty { throw ExitCode(1) }
    }

    /// With `--stream`: who leads the stream, as each node sees it.
    private func elections(_ nodes: [NodeStatus]) -> [String] {
        guard let stream else { return [] }
        return ElectionLines.lines(of: stream, nodes)
    }

    /// A warning about a node whose certificate expires within a week, or has expired.
    private static func expiry(_ status: NodeStatus) -> String? {
        guard let left = status.certificateExpiresSeconds, left <= Int64(ExpiryWarning.week.secondsBefore) else {
            return nil
        }
        let when = left > 0 ? "expires in \(TimeText.about(UInt64(left)))" : "has expired"
        return "\(status.name): its certificate \(when); renew it (reflector keys --help)"
    }

    /// Removes the streams that were not requested.
    private func narrowed(_ answer: NodeSource.Answer) -> NodeSource.Answer {
        guard let stream, var status = answer.status else { return answer }
        status.streams.removeAll { $0.name != stream }
        status.standbys = status.standbys?.filter { $0.key == stream }
        var answer = answer
        answer.result = .success(status)
        return answer
    }

    private func isShown(_ answer: NodeSource.Answer) -> Bool {
        if answer.nameServer != nil { return stream == nil && region == nil && (role ?? "nameserver") == "nameserver" }
        // The role of a node that does not answer is unknown.
        guard let status = answer.status else { return true }
        if let regionName, !RegionLines.isOf(status, regionName) { return false }
        return (role ?? status.role) == status.role
            && (stream == nil || !status.streams.isEmpty || status.standbys?.isEmpty == false)
    }
}
