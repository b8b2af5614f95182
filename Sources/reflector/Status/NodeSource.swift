import ArgumentParser
import DNSService
import LocalNetwork
import OpsEndpoint
import ReflectorModel

/// The running nodes that `status` and `trace` query: those in the options, otherwise those of a zones folder.
struct NodeSource: ParsableArguments {
    @Option(help: ArgumentHelp("Folder of the zone files; its nodes are queried at port 4980.", valueName: "dir"))
    var zones = "zones"

    @Option(
        name: .customLong("node"),
        help: ArgumentHelp(
            "Query this node, instead of those of --zones; may be given several times.", valueName: "addr:port"),
        transform: Self.endpoint)
    var nodes: [Endpoint] = []

    @Flag(help: "JSON on standard output, for programs.")
    var json = false

    /// A node's status, or why there is none.
    struct Answer: Sendable {
        var name: String
        var endpoint: Endpoint
        var result: Result<NodeStatus, OpsClient.Failure>
        /// The status of a name server; `result` is then a failure.
        var nameServer: NameServer.Status?

        var status: NodeStatus? { try? result.get() }

        /// Why there is no status, as a line for people; nil if there is one.
        var problem: String? {
            guard case .failure(let failure) = result, nameServer == nil else { return nil }
            return name == "\(endpoint)" ? "\(failure)" : "\(name): \(failure)"
        }
    }

    /// Queries all nodes at once. Ends the command if none answers: there is nothing to show.
    ///
    /// - Parameter nameServers: also query the name servers of the folder's zones.
    func ask(nameServers: Bool = false) async throws -> [Answer] {
        let answers = await Self.ask(try targets(nameServers: nameServers))
        guard !json, !answers.contains(where: { $0.problem == nil }) else { return answers }
        if nodes.isEmpty {
            let first = answers.first?.problem.map { " (\($0))" } ?? ""
            StandardError.print(
                "reflector: none of the \(answers.count) nodes of \(zones) answers\(first): is the network running? "
                    + "start with 'reflector up'")
        } else {
            for answer in answers { StandardError.print("reflector: \(answer.problem ?? "")") }
        }
        throw ExitCode(1)
    }

    private static func endpoint(_ text: String) throws -> Endpoint {
        try Endpoint.argument(text, example: "127.0.3.1:4980")
    }

    static func ask(_ targets: [(name: String, endpoint: Endpoint)]) async -> [Answer] {
        let client = OpsClient()
        return await withTaskGroup(of: (Int, Answer).self) { group in
            for (index, target) in targets.enumerated() {
                group.addTask {
                    let result: Result<NodeStatus, OpsClient.Failure>
                    do throws(OpsClient.Failure) {
                        result = .success(try await client.nodeStatus(of: target.endpoint))
                    } catch {
                        result = .failure(error)
                    }
                    var answer = Answer(name: target.name, endpoint: target.endpoint, result: result)
                    if case .failure(.unusable) = result {
                        answer.nameServer = try? await client.status(NameServer.Status.self, of: target.endpoint)
                    }
                    return (index, answer)
                }
            }
            var answers: [(Int, Answer)] = []
            for await answer in group { answers.append(answer) }
            return answers.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    private func targets(nameServers: Bool) throws -> [(name: String, endpoint: Endpoint)] {
        guard nodes.isEmpty else { return nodes.map { ("\($0)", $0) } }
        return try ZoneFolder.contents(zones).flatMap { content in
            do throws(NetworkPlan.Unusable) {
                return try NetworkPlan(content).nodes.filter { nameServers || $0.role != .nameServer }
                    .map { ($0.name, $0.ops) }
            } catch {
                StandardError.print("reflector: \(error)")
                throw ExitCode(2)
            }
        }
    }
}
