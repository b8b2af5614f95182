import DNSAnswers
import LDNSKit

/// Checks every zone that is below another zone of the same directory. The child zone answers all names at and below
/// its apex, regardless of the parent zone's records.
enum ZoneNesting {
    static func problems(_ zones: [ZoneContent]) -> [ZoneProblem] {
        zones.flatMap { child in
            zones.filter { $0.zone != child.zone && WireName.isWithin(child.wireName, $0.wireName) }
                .flatMap { problems(child, below: $0) }
        }
    }

    private static func problems(_ child: ZoneContent, below parent: ZoneContent) -> [ZoneProblem] {
        let file = Self.file(child)
        let above = Self.file(parent)
        if let label = WireName.firstLabelBelow(parent.wireName, in: child.wireName),
            let name = WireName.reserved(label)
        {
            let message =
                "a zone below '\(name)' would hide names that \(parent.zone) makes itself; rename or remove this file"
            return [ZoneProblem(severity: .error, file: file, line: 1, column: 1, message: message)]
        }
        let apex = child.wireName
        let inside = parent.records.filter { WireName.isWithin($0.owner, apex) }
        let isDelegated = inside.contains { $0.owner == apex && $0.type == LDNSType.ns }
        let hosts = Set(parent.hosts.map { WireName.joined($0.name, below: parent.wireName) })
        var list = ProblemList(file: above)
        for record in inside {
            let isOfCut = record.owner == apex && (record.type == LDNSType.ns || record.type == RecordSchema.ds)
            let isAddress = record.type == LDNSType.a || record.type == LDNSType.aaaa
            let isHost = isAddress && hosts.contains(record.owner)
            let isGlue = isDelegated && isAddress && !isHost
            if isOfCut || isGlue { continue }
            let owner = LDNSName.text(record.owner) ?? ""
            list.warning(
                record.source.line, 1,
                "\(isHost ? "host" : "record of") \(owner) is hidden by the zone in \(file), which answers for it; "
                    + "move the record there, or remove that file")
        }
        var problems = list.finished()
        if !isDelegated {
            let message =
                "\(parent.zone) does not delegate \(child.zone): servers that have only \(above) deny its names; add "
                + "'\(child.zone). NS …' to \(above)"
            problems.append(ZoneProblem(severity: .warning, file: file, line: 1, column: 1, message: message))
        }
        return problems
    }

    private static func file(_ content: ZoneContent) -> String {
        content.records.first?.source.file ?? content.zone + ".zone"
    }
}
