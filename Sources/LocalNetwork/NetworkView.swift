import OpsEndpoint
import ReflectorModel

/// The status of all nodes of a network at one moment.
public struct NetworkView: Sendable {
    /// One node.
    public struct Entry: Sendable {
        /// What was polled.
        public var node: NetworkPlan.Node
        /// The answer of `/readyz`.
        public var isReady: Bool
        /// The status of a relay node that answers.
        public var status: NodeStatus?

        /// The text to show for a node without `NodeStatus`.
        public var note: String? {
            guard node.role == .nameServer else { return nil }
            return isReady ? "nameserver" : "nameserver, not ready"
        }
    }

    /// In the order of the plan.
    public private(set) var nodes: [Entry] = []

    /// Queries all nodes at once.
    public static func poll(_ plan: NetworkPlan) async -> NetworkView {
        let client = OpsClient()
        return await withTaskGroup(of: (Int, Entry).self) { group in
            for (index, node) in plan.nodes.enumerated() {
                group.addTask {
                    async let isReady = client.isReady(node.ops)
                    let status = node.role == .nameServer ? nil : try? await client.nodeStatus(of: node.ops)
                    return (index, Entry(node: node, isReady: await isReady, status: status))
                }
            }
            var entries: [(Int, Entry)] = []
            for await entry in group { entries.append(entry) }
            return NetworkView(nodes: entries.sorted { $0.0 < $1.0 }.map(\.1))
        }
    }

    /// Names of the nodes that are not ready.
    func unready(_ role: NetworkPlan.Role? = nil) -> [String] {
        nodes.filter { !$0.isReady && (role == nil || $0.node.role == role) }.map(\.node.name)
    }

    func stream(_ stream: StreamName, at node: String) -> StreamStatus? {
        nodes.first { $0.node.name == node }?.status?.streams.first { $0.name == stream.text }
    }
}
