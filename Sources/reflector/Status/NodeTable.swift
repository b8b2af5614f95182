import ReflectorModel

/// The table of nodes and streams that `status` prints once and `up` prints repeatedly.
enum NodeTable {
    /// The node and stream that a rate belongs to.
    struct RateKey: Hashable {
        var node: String
        var stream: String
    }

    /// - Parameters:
    ///   - nodes: name, a note for a node without status (nil: it does not answer), and status.
    ///   - rates: packets a second, if known.
    ///   - showsDelays: show the columns of delay variation and residence.
    static func lines(
        _ nodes: [(name: String, note: String?, status: NodeStatus?)], rates: [RateKey: Double],
        showsDelays: Bool = false
    ) -> [String] {
        var columns: [(title: String, alignment: TextTable.Alignment)] = [
            ("NODE", .left), ("ROLE", .left), ("STREAM", .left), ("FROM", .left), ("PATHS", .left), ("RTT", .right),
            ("LOSS", .right), ("PACKETS", .right), ("PKT/S", .right), ("REPAIRED", .right), ("LOST", .right),
            ("OUT TO", .right),
        ]
        if showsDelays { columns += [("VARIATION", .right), ("RESIDENCE", .right)] }
        var table = TextTable(columns)
        func add(_ cells: String..., delays: [String] = []) {
            let all = cells + (showsDelays ? delays : [])
            table.add(all + Array(repeating: "", count: columns.count - all.count))
        }
        for (name, note, status) in nodes {
            guard let status else {
                add(name, note ?? "does not answer")
                continue
            }
            let role = status.role == "edge" ? "edge \(status.region ?? "")" : status.role
            if status.streams.isEmpty { add(name, role) }
            for stream in status.streams {
                let first = stream.paths.first
                let isEdge = status.role == "edge"
                add(
                    name, role, stream.name,
                    stream.paths.isEmpty
                        ? (status.role == "entrypoint" ? "encoder" : "")
                        : stream.paths.map(\.parent).joined(separator: ","),
                    stream.paths.map(path).joined(separator: ","),
                    Figures.milliseconds(first?.roundTripMilliseconds),
                    first.map { Figures.percent($0.lossPercent) } ?? "",
                    "\(isEdge ? stream.delivered : stream.packetsIn)",
                    rates[RateKey(node: name, stream: stream.name)].map { Figures.decimal($0, digits: 0) } ?? "",
                    first == nil ? "" : "\(stream.repaired)", isEdge ? "\(stream.lost)" : "",
                    isEdge
                        ? Figures.count(stream.viewers, "viewer", "viewers")
                        : Figures.count(stream.children, "child", "children"),
                    delays: [Figures.spread(first?.delayVariation), Figures.spread(stream.residence)])
            }
        }
        return table.lines
    }

    static func path(_ path: PathStatus) -> String {
        (path.rank == 0 ? path.state : "n\(path.rank) \(path.state)") + (path.group == nil ? "" : " LAN")
    }
}
