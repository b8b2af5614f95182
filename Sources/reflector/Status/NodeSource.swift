import ArgumentParser
import OpsEndpoint
import ReflectorModel

/// Which running nodes `status` and `trace` ask: those named, else those of a zones folder.
struct NodeSource: ParsableArguments {
    @Option(help: ArgumentHelp("Folder of the zone files; its nodes are asked at port 4980.", valueName: "dir"))
    var zones = "zones"

    @Option(
        name: .customLong("node"),
        help: ArgumentHelp("Ask this node instead; may be given several times.", valueName: "addr:port"))
    var nodes: [String] = []

    @Flag(help: "JSON on standard output, for programs.")
    var json = false

    /// What a node said, or why it said nothing.
    struct Answer: Sendable {
        var name: String
        var endpoint: Endpoint
        var result: Result<NodeStatus, OpsClient.Failure>

        var status: NodeStatus? { try? result.get() }
    }

    /// Asks all nodes at once.
    func ask() async throws -> [Answer] { await Self.ask(try targets()) }

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
                    return (index, Answer(name: target.name, endpoint: target.endpoint, result: result))
                }
            }
            var answers: [(Int, Answer)] = []
            for await answer in group { answers.append(answer) }
            return answers.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    private func targets() throws -> [(name: String, endpoint: Endpoint)] {
        guard nodes.isEmpty else {
            return try nodes.map { text in
                guard let endpoint = Endpoint(text) else {
                    throw ValidationError("--node: '\(text)' is not ADDRESS:PORT, as 127.0.3.1:4980")
                }
                return (text, endpoint)
            }
        }
        return try ZoneFolder.contents(zones).flatMap { content in
            do throws(NetworkPlan.Unusable) {
                return try NetworkPlan(content).nodes.filter { $0.role != .nameServer }.map { ($0.name, $0.ops) }
            } catch {
                StandardError.print("reflector: \(error)")
                throw ExitCode(2)
            }
        }
    }
}
