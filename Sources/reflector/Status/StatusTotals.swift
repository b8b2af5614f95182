import DNSService
import ReflectorModel

/// Totals of all nodes shown.
struct StatusTotals: Encodable {
    var nodes = 0
    var nameServers = 0
    var unanswered = 0
    /// Distinct streams.
    var streams = 0
    var viewers = 0
    /// Packets that edges delivered, and those that they lost.
    var delivered: UInt64 = 0
    var lost: UInt64 = 0

    init(_ statuses: [NodeStatus], nameServers: Int, unanswered: Int) {
        nodes = statuses.count
        self.nameServers = nameServers
        self.unanswered = unanswered
        streams = Set(statuses.flatMap(\.streams).map(\.name)).count
        for stream in statuses.filter({ $0.role == "edge" }).flatMap(\.streams) {
            viewers += stream.viewers
            delivered &+= UInt64(stream.delivered)
            lost &+= UInt64(stream.lost)
        }
    }

    var sentence: String {
        var parts = [Figures.count(nodes, "node", "nodes")]
        if nameServers > 0 { parts.append(Figures.count(nameServers, "name server", "name servers")) }
        if unanswered > 0 { parts.append("\(unanswered) without an answer") }
        parts += [Figures.count(streams, "stream", "streams"), Figures.count(viewers, "viewer", "viewers")]
        return "total: " + parts.joined(separator: ", ") + "; edges delivered \(delivered) packets and lost \(lost)"
    }
}

extension NameServer.Status {
    /// For the table of nodes: `serves reflector.net (serial 1795242000), 2 of 9 hosts dead`.
    var sentence: String {
        let zones = zones.map { "\($0.name) (serial \($0.serial))" }.joined(separator: ", ")
        let dead = hosts.count { $0.health == "dead" }
        var text = "name server: serves " + (zones.isEmpty ? "nothing" : zones)
        if dead > 0 { text += ", \(dead) of \(hosts.count) hosts dead" }
        let decided = overrides.count + entrypointOverrides.count
        if decided > 0 { text += ", " + Figures.count(decided, "override", "overrides") }
        let orphaned = leads.count { $0.host == nil }
        if leads.count > orphaned {
            text += ", " + Figures.count(leads.count - orphaned, "stream", "streams") + " led by a backup"
        }
        if orphaned > 0 { text += ", " + Figures.count(orphaned, "stream", "streams") + " led by nobody" }
        if !problems.isEmpty { text += ", refused the files: " + Figures.count(problems.count, "problem", "problems") }
        return text
    }
}
