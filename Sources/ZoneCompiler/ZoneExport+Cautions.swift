import DNSAnswers

extension ZoneExport {
    /// What other name servers answer differently from ours, for people who export a zone; nil if nothing.
    ///
    /// A DNS wildcard answers the name of a stream and its ingest name alike, so the SRV records of a pattern's ingest
    /// names have the port of the relay protocol there.
    public static func caution(_ content: ZoneContent) -> String? {
        let (relay, ingest) = (content.defaults.port, content.defaults.ingestPort)
        let patterns = content.streams.filter { $0.isPattern && $0.ingest == .push }
        guard relay != ingest, !patterns.isEmpty else { return nil }
        let shown = patterns.prefix(3).map { ($0.segments + ["*"]).joined(separator: "/") }.joined(separator: ", ")
        return "other name servers give port \(relay), not \(ingest), in SRV records of ingest names under "
            + shown + (patterns.count > 3 ? " and \(patterns.count - 3) more" : "")
            + "; encoders that use SRV need a stream line of their own, A and AAAA are right"
    }
}
