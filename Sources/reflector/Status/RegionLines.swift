import ReflectorModel

/// The regions of several members, as each member sees its own: for `status --region`.
enum RegionLines {
    /// - Parameter region: only this region, such as `r1283`.
    static func lines(_ nodes: [NodeStatus], of region: String) -> [String] {
        nodes.filter { $0.region == region }.flatMap { node -> [String] in
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
