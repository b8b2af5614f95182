import DNSAnswers
import ReflectorModel

extension NetworkPlan {
    /// The arguments with which `reflector` runs a node of this network.
    func arguments(for node: Node, zones: String, folder: RunFolder) -> [String] {
        let own = [
            "--identity", folder.identities.folder(of: node.name), "--state", folder.state(of: node.name), "--ops",
            "\(node.ops)",
        ]
        if node.role == .nameServer {
            return ["nameserver", "--zones", zones, "--listen", "\(node.dns)"] + own
        }
        var arguments = [node.role.rawValue, node.name, "--zone", zone]
        if node.role == .entrypoint { arguments += ["--keys", folder.keys] }
        for server in nameServers { arguments += ["--server", "\(server.dns)"] }
        if let region = node.region { arguments += ["--region", "\(region.rawValue)"] }
        if node.port != ZoneContent.Defaults().port { arguments += ["--port", "\(node.port)"] }
        if node.capacity != 0 { arguments += ["--capacity", "\(node.capacity)"] }
        return arguments + own
    }
}
