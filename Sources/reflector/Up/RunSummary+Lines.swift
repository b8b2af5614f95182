import LocalNetwork
import ReflectorModel

/// The summary as `up` prints it.
extension RunSummary {
    /// All problems; empty after a good run. A process killed from outside is not a problem as long as nothing was
    /// lost.
    var problems: [String] {
        rows.flatMap { row -> [String] in
            let label = "\(row.edge): \(row.stream)"
            guard let status = row.status else { return ["\(label): unknown; the edge reports no status of it"] }
            var problems: [String] = []
            if status.delivered == 0 { problems.append("\(label): nothing was delivered") }
            if status.lost > 0 { problems.append("\(label): \(Figures.count(status.lost, "packet", "packets")) lost") }
            if row.viewers > 0, row.viewerBytes == 0 { problems.append("\(label): no byte reached a viewer") }
            if row.viewerErrors > 0 {
                problems.append(
                    "\(label): viewers saw \(Figures.count(row.viewerErrors, "error", "errors")) in the transport stream"
                )
            }
            if row.interruptions > 0 {
                problems.append("\(label): viewers were cut off \(Figures.count(row.interruptions, "time", "times"))")
            }
            return problems
        } + deaths.filter { !$0.isFromOutside }.map(\.description)
    }

    /// Processes that were killed from outside, which is not their fault.
    var notes: [String] { deaths.filter(\.isFromOutside).map { "\($0), and was restarted" } }

    var lines: [String] {
        var table = TextTable(
            ("EDGE", .left), ("STREAM", .left), ("DELIVERED", .right), ("LOST", .right), ("REPAIRED", .right),
            ("DUPLICATES", .right), ("ENCODER'S GAP", .right), ("ADDED", .right), ("TO VIEWERS", .right),
            ("TS ERRORS", .right))
        for row in rows {
            let status = row.status
            table.add(
                row.edge, row.stream.text, status.map { "\($0.delivered)" } ?? "", status.map { "\($0.lost)" } ?? "",
                status.map { "\($0.repaired)" } ?? "", status.map { "\($0.duplicates)" } ?? "",
                row.encoderGapMilliseconds.map { Figures.decimal($0, digits: 0) + " ms" } ?? "",
                row.addedMilliseconds.map { Figures.decimal($0, digits: 0) + " ms" } ?? "",
                row.viewers == 0 ? "" : Figures.megabytes(row.viewerBytes),
                row.viewers == 0 ? "" : "\(row.viewerErrors)")
        }
        return table.lines
    }
}
