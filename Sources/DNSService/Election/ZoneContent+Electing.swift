import DNSAnswers
import ReflectorModel

extension ZoneContent {
    /// The content with the state of its election: the leads that witnesses report and the overrides of operators, as far
    /// as the files know their streams and candidates. A lead of the candidate that is the first after overrides is left
    /// out: it is what every answer says anyway.
    func electing(_ report: LeadReport, _ overrides: [EntrypointOverride]) -> ZoneContent {
        let leads = report.zone == zone ? report.leads : []
        let own = overrides.filter { $0.zone == zone }
        // Most zones need no index of their lines most of the time.
        guard !leads.isEmpty || !own.isEmpty else { return self }
        let lines = StreamLines(self)
        var content = self
        content.election.overrides = own.compactMap { entry in
            guard let line = lines.line(named: entry.stream),
                let host = lines.candidates(ofLine: line).first(where: { lines.hosts[$0] == entry.host })
            else { return nil }
            return Election.Choice(
                stream: entry.stream, host: host, action: entry.action, reason: entry.reason, until: entry.until,
                by: entry.by)
        }.sorted { ($0.stream, $0.host) < ($1.stream, $1.host) }
        content.election.leads = leads.compactMap { lead in
            guard let line = lines.line(of: lead.stream) else { return nil }
            guard let name = lead.host else { return Election.Lead(stream: lead.stream.text, host: nil) }
            let first = content.candidates(of: streams[line], stream: lead.stream.text).hosts.first
            guard let host = lines.candidates(ofLine: line).first(where: { lines.hosts[$0] == name }), host != first
            else { return nil }
            return Election.Lead(stream: lead.stream.text, host: host)
        }
        return content
    }
}
