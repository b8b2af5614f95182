import DNSAnswers
import ReflectorModel

extension NetworkPlan {
    /// The arguments with which `reflector` runs a node of this network.
    func arguments(for node: Node, zones: String, folder: RunFolder) -> [String] {
        switch node.role {
        case .nameServer:
            [
                "nameserver", "--zones", zones, "--listen", "\(node.dns)", "--state", folder.state(of: node.name),
                "--ops", "\(node.ops)",
            ]
        case .entrypoint, .set, .edge:
            [node.role.rawValue, node.name]
                + (node.region.map { ["--region", "\($0.rawValue)"] } ?? [])
                + (node.port == ZoneContent.Defaults().port ? [] : ["--port", "\(node.port)"])
                + (node.capacity == 0 ? [] : ["--capacity", "\(node.capacity)"])
                + ["--zone", zone] + nameServers.flatMap { ["--server", "\($0.dns)"] }
                + ["--keys", folder.keys, "--state", folder.state(of: node.name)]
        }
    }
}
