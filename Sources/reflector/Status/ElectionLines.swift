import ReflectorModel

/// Who leads a stream, as each of its witnesses and candidates sees it: for `status` and `trace`.
enum ElectionLines {
    static func lines(of stream: String, _ nodes: [NodeStatus]) -> [String] {
        nodes.compactMap { node in
            let carried = node.streams.first { $0.name == stream }?.election
            return (carried ?? node.standbys?[stream])?.sentence(of: node.name)
        }
    }
}
