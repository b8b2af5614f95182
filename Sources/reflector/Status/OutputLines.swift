import ReflectorModel

/// The streams that edges hand out over UDP, one line each.
enum OutputLines {
    /// - Parameter stream: only this stream; nil for all.
    static func lines(_ nodes: [NodeStatus], of stream: String?) -> [String] {
        nodes.flatMap { node in
            (node.outputs ?? []).filter { stream == nil || $0.stream == stream }.map { line($0, of: node.name) }
        }
    }

    private static func line(_ output: OutputStatus, of node: String) -> String {
        let servers = output.servers.joined(separator: ", ")
        let requests = Figures.count(output.requests, "request", "requests")
        var text = "\(node) sends \(output.stream) to \(output.address): \(output.state), \(requests) of \(servers)"
        text += ", \(output.datagrams) datagrams"
        if let missing = output.missing { text += ", \(missing) packets missing" }
        if let late = output.late { text += " (\(late) late)" }
        if let repaired = output.repaired { text += ", \(repaired) repaired" }
        if output.skips > 0 { text += ", \(output.skips) skips" }
        if output.sendFailures > 0 { text += ", \(output.sendFailures) not sent" }
        return text
    }
}
