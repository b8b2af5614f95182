import ReflectorModel

/// The regions of several members, as each member sees its own: for `status --region`.
enum RegionLines {
    /// Whether a node is of an edge region, such as `r1283`, or of a set region, by its name or id.
    static func isOf(_ node: NodeStatus, _ region: String) -> Bool {
        node.setRegion == region || node.region == region
    }

    /// All regions of these nodes: edge regions by number, then set regions by name.
    static func regions(_ nodes: [NodeStatus]) -> [String] {
        let edges = Set(nodes.filter { $0.role == "edge" }.compactMap(\.region))
        let sets = Set(nodes.filter { $0.role == "set" }.compactMap { $0.setRegion ?? $0.region })
        return edges.sorted { ($0.count, $0) < ($1.count, $1) } + sets.sorted()
    }

    /// - Parameter region: only this region, such as `r1283` or `nyc`.
    static func lines(_ nodes: [NodeStatus], of region: String) -> [String] {
        nodes.filter { isOf($0, region) }.flatMap { node -> [String] in
            guard let view = node.members else { return ["\(node.name): \(region) has no other member here"] }
            return [""] + heading(node, view) + members(view) + slots(view)
        }
    }

    private static func heading(_ node: NodeStatus, _ view: RegionStatus) -> [String] {
        let up = view.members.count { $0.state != "down" }
        let sentence =
            "\(node.name) sees \(up) of \(Figures.count(view.members.count, "member", "members")), "
            + Figures.count(view.slotsTotal, "stream", "streams")
        guard let seconds = view.aloneSeconds else { return [sentence] }
        return [
            sentence,
            "\(node.name) has heard no other member for \(Int(seconds)) s: it fetches every stream for itself",
        ]
    }

    private static func members(_ view: RegionStatus) -> [String] {
        var table = TextTable(
            ("MEMBER", .left), ("ADDRESS", .left), ("STATE", .left), ("HEARD", .right), ("LEADS", .right))
        for member in view.members {
            let heard = member.heardSecondsAgo.map { "\(Int($0 * 1_000)) ms" } ?? ""
            table.add(member.name, member.endpoint ?? "", member.state, heard, "\(member.leads)")
        }
        return table.lines
    }

    private static func slots(_ view: RegionStatus) -> [String] {
        guard !view.slots.isEmpty else { return [] }
        var table = TextTable(
            ("STREAM", .left), ("SLOT", .right), ("LEADER", .left), ("SINCE", .right), ("WANTED BY", .left),
            ("WHY", .left))
        for slot in view.slots {
            table.add(
                slot.stream, "\(slot.slot)", slot.leader, "\(Int(slot.secondsAgo)) s",
                slot.wantedBy.joined(separator: ","), slot.cause)
        }
        let more = view.slotsTotal - view.slots.count
        return table.lines + (more > 0 ? ["and \(Figures.count(more, "more stream", "more streams"))"] : [])
    }
}
