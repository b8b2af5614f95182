import ReflectorModel

/// How a run went: what each edge delivered of each stream, and what was wrong.
struct RunSummary: Sendable {
    struct Row: Sendable {
        var edge: String
        var stream: StreamName
        /// Nil where the edge did not answer or does not know the stream.
        var status: StreamStatus?
        /// Longest time between two payloads of the encoder, in milliseconds; nil where no entrypoint tells.
        var encoderGapMilliseconds: Double?
        /// What our own viewers of this edge and stream saw.
        var viewers = 0
        var viewerBytes: UInt64 = 0
        var viewerErrors: UInt64 = 0
        var interruptions = 0

        /// How much longer the largest gap of the edge's output was than the largest of the encoder: what the network did
        /// to it. An encoder hands out a picture at a time, so it has gaps of its own.
        var addedMilliseconds: Double? {
            guard let status, let encoderGapMilliseconds else { return nil }
            return max(status.gapMillisecondsMax - encoderGapMilliseconds, 0)
        }
    }

    var rows: [Row] = []
    /// Processes that ended although nobody asked for it.
    var deaths: [ProcessSupervisor.Death] = []

    /// Everything that was not as it should be; empty after a good run. A process that somebody killed is no problem as
    /// long as nothing was lost by it.
    var problems: [String] {
        rows.flatMap { row -> [String] in
            let label = "\(row.edge): \(row.stream)"
            guard let status = row.status else { return ["\(label): nothing known; the edge does not answer for it"] }
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

    /// What somebody did to the processes meanwhile; no fault of theirs.
    var notes: [String] { deaths.filter(\.isFromOutside).map { "\($0), and was started again" } }

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
