import ReflectorModel

/// The path of one stream to one edge, hop by hop from the edge up. Each node reports the path by which it fetches.
struct TraceTree: Encodable {
    struct Hop: Encodable {
        var node: String
        /// Nil if the node does not answer.
        var role: String?
        var endpoint: String?
        /// Newest zone serial that the node follows.
        var serial: UInt32?
        /// The incarnation of the entrypoint's packets.
        var incarnation: String?
        var highestSequence: UInt64?
        /// How long the stream's packets stay in this node.
        var residence: DelayBuckets?
        /// The path by which this node's child fetches from it; nil at the edge.
        var path: PathStatus?
        /// Why the tree ends here although there may be more.
        var note: String?
        var parents: [Hop]
    }

    /// Maximum number of nodes on the path of a subscription (design §7).
    static let depthMax = 8

    var stream: String
    var region: String
    var portset: String?
    var edges: [Hop]
    /// Who leads the stream, by node: its candidates and the set reflectors that observe them.
    var elections: [String: ElectionStatus]

    /// - Parameter statuses: the status of all nodes that answered.
    init(stream: StreamName, region: RegionID, statuses: [NodeStatus]) {
        self.stream = stream.text
        self.region = "\(region)"
        let edges = statuses.filter { $0.role == "edge" && $0.region == "\(region)" }
        var elections: [String: ElectionStatus] = [:]
        for status in statuses {
            let carried = status.streams.first { $0.name == stream.text }?.election
            elections[status.name] = carried ?? status.standbys?[stream.text]
        }
        self.elections = elections
        portset = edges.lazy.flatMap(\.streams).first { $0.name == stream.text }?.portset
        self.edges = edges.map { edge in
            Self.hop(edge.name, path: nil, stream: stream.text, statuses: statuses, above: [])
        }
    }

    /// True if there are edges, and a path leads from each of them to an entrypoint.
    var isComplete: Bool { !edges.isEmpty && edges.allSatisfy(Self.reachesEntrypoint) }

    var lines: [String] {
        var table = TextTable(
            ("HOP", .left), ("ROLE", .left), ("PATH", .left), ("RTT", .right), ("VARIATION", .right), ("LOSS", .right),
            ("RETRANSMITS", .right), ("PACKETS", .right), ("RESIDENCE", .right), ("ZONE SERIAL", .right),
            ("ANSWER SINCE", .right),
            ("BECAUSE OF", .left))
        for edge in edges { Self.add(edge, depth: 0, to: &table) }
        let title = "\(stream)\(portset.map { " (\($0))" } ?? "") to \(region)"
        return [title] + table.lines + elections.sorted { $0.key < $1.key }.map { $0.value.sentence(of: $0.key) }
    }

    private static func hop(
        _ name: String, path: PathStatus?, stream: String, statuses: [NodeStatus], above: [String]
    ) -> Hop {
        guard let status = statuses.first(where: { $0.name == name }) else {
            return Hop(node: name, path: path, note: "does not answer", parents: [])
        }
        var hop = Hop(
            node: name, role: status.role, endpoint: status.endpoint, serial: status.serial, path: path, parents: [])
        guard let carried = status.streams.first(where: { $0.name == stream }) else {
            let problem = status.unavailable?.first { $0.name == stream }
            hop.note =
                problem.map { "cannot get the stream: \($0.reason) (\(Int($0.secondsAgo)) s ago)" }
                ?? "does not carry the stream"
            return hop
        }
        hop.incarnation = carried.incarnation
        hop.highestSequence = carried.highestSequence
        hop.residence = carried.residence
        guard above.count < depthMax, !above.contains(name) else {
            hop.note = above.contains(name) ? "a loop" : "more than \(depthMax) hops"
            return hop
        }
        hop.parents = carried.paths.map { path in
            Self.hop(path.parent, path: path, stream: stream, statuses: statuses, above: above + [name])
        }
        if hop.parents.isEmpty, status.role != "entrypoint" {
            hop.note = "has no parent for the stream" + (carried.problem.map { ": \($0)" } ?? "")
        }
        return hop
    }

    private static func reachesEntrypoint(_ hop: Hop) -> Bool {
        hop.note == nil && (hop.role == "entrypoint" || hop.parents.contains(where: reachesEntrypoint))
    }

    private static func add(_ hop: Hop, depth: Int, to table: inout TextTable) {
        let branch = depth == 0 ? "" : String(repeating: "   ", count: depth - 1) + "└─ "
        let path = hop.path
        let rank = path.map(NodeTable.path) ?? ""
        let because = [path?.cause, path?.answer].compactMap { $0 }.joined(separator: "  ")
        table.add(
            branch + hop.node, hop.note ?? hop.role ?? "", rank, Figures.milliseconds(path?.roundTripMilliseconds),
            Figures.spread(path?.delayVariation),
            path.map { Figures.percent($0.lossPercent) } ?? "", path.map { "\($0.retransmitsAsked)" } ?? "",
            path.map { "\($0.packets)" } ?? "",
            Figures.spread(hop.residence),
            hop.serial.map { "\($0)" } ?? "", path?.serial.map { "\($0)" } ?? "", because)
        for parent in hop.parents { add(parent, depth: depth + 1, to: &table) }
    }
}
