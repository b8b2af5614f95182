import DNSAnswers
import ReflectorModel

extension ZoneContent.Election {
    /// The election's state in a zone: the leads that witnesses report and the overrides of operators, as far as the
    /// files know their streams and candidates. A lead of the candidate that is the first after overrides is left out:
    /// it is what every answer says anyway.
    init(leads report: LeadReport, overrides: [EntrypointOverride], in files: ZoneContent) {
        self.init()
        let leads = report.zone == files.zone ? report.leads : []
        let own = overrides.filter { $0.zone == files.zone }
        // Most zones need no index of their lines most of the time.
        guard !leads.isEmpty || !own.isEmpty else { return }
        let lines = StreamLines(files)
        self.overrides = own.compactMap { entry in
            guard let line = lines.line(named: entry.stream),
                let host = lines.candidates(ofLine: line).first(where: { lines.hosts[$0] == entry.host })
            else { return nil }
            return Choice(
                stream: entry.stream, host: host, action: entry.action, reason: entry.reason, until: entry.until,
                by: entry.by)
        }.sorted { ($0.stream, $0.host) < ($1.stream, $1.host) }
        self.leads = leads.compactMap { lead in
            guard let line = lines.line(of: lead.stream) else { return nil }
            guard let name = lead.host else { return Lead(stream: lead.stream.text, host: nil) }
            let candidates = lines.candidates(ofLine: line)
            guard let host = candidates.first(where: { lines.hosts[$0] == name }),
                host != first(of: lead.stream, lines.name(ofLine: line), candidates)
            else { return nil }
            return Lead(stream: lead.stream.text, host: host)
        }
    }

    /// The first of a stream's candidates after overrides of the stream itself and of its line.
    private func first(of stream: StreamName, _ line: String, _ candidates: [Int]) -> Int? {
        let choices = overrides.filter { $0.stream == stream.text } + overrides.filter { $0.stream == line }
        let pinned = choices.first { $0.action == .pin }?.host
        return pinned ?? candidates.first { candidate in !choices.contains { $0.host == candidate } }
            ?? candidates.first
    }
}
