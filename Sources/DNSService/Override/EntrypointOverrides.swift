import DNSAnswers

/// The overrides of streams' entrypoints in force, and the rules for adding and removing them: the part of the
/// `OverrideTable` that is about streams. A stream has at most one pinned candidate, and a candidate at most one override.
struct EntrypointOverrides: Sendable, Equatable {
    /// In order of arrival.
    private(set) var entries: [EntrypointOverride]

    init(entries: [EntrypointOverride] = []) { self.entries = entries }

    /// Adds an override in place of those that it replaces.
    ///
    /// - Parameters:
    ///   - entry: its stream and host may be in upper case.
    ///   - lines: of the files of the entry's zone.
    ///   - isForced: adds it even if a stream would have no candidate left.
    mutating func put(
        _ entry: EntrypointOverride, lines: StreamLines, isForced: Bool
    ) throws(OverrideTable.Refusal) -> EntrypointOverride {
        var entry = entry
        (entry.stream, entry.host) = (entry.stream.lowercased(), entry.host.lowercased())
        guard let line = lines.line(named: entry.stream) else {
            throw .unknownStream(entry.stream, zone: entry.zone)
        }
        let candidates = lines.candidates(ofLine: line).map { lines.hosts[$0] }
        guard candidates.contains(entry.host) else {
            throw .noCandidate(entry.host, stream: entry.stream, candidates: candidates)
        }
        var after = self
        after.entries.removeAll { old in
            old.isAbout(entry.stream, in: entry.zone)
                && (old.host == entry.host || old.action == .pin && entry.action == .pin)
        }
        after.entries.append(entry)
        if !isForced, entry.action == .bar, let emptied = after.emptied(by: entry, line, candidates, lines) {
            throw .lastCandidate(entry.host, stream: emptied)
        }
        self = after
        return entry
    }

    /// Ends the overrides of a stream: of one candidate, or of all of them without `host`.
    mutating func clear(
        _ stream: String, host: String?, zone: String
    ) throws(OverrideTable.Refusal) -> [EntrypointOverride] {
        let (stream, host) = (stream.lowercased(), host?.lowercased())
        let isMeant = { (entry: EntrypointOverride) in
            entry.isAbout(stream, in: zone) && (host == nil || entry.host == host)
        }
        let cleared = entries.filter(isMeant)
        guard !cleared.isEmpty else { throw .noSuchOverride(host.map { "\($0) for \(stream)" } ?? stream) }
        entries.removeAll(where: isMeant)
        return cleared
    }

    /// Removes expired overrides.
    mutating func expire(at now: Int64) { entries.removeAll { $0.until <= now } }

    /// A stream that has no candidate left after `entry`: the entry's own, or if that is a pattern, another one on the
    /// same line. Nil if there is none.
    private func emptied(
        by entry: EntrypointOverride, _ line: Int, _ candidates: [String], _ lines: StreamLines
    ) -> String? {
        let bars = entries.filter { $0.zone == entry.zone && $0.action == .bar }
        let whole = lines.lines[line].name
        let others = bars.map(\.stream).filter { lines.line(named: $0) == line }
        let streams = entry.stream == whole ? [whole] + others : [entry.stream]
        return streams.first { stream in
            let barred = bars.filter { $0.stream == stream || $0.stream == whole }.map(\.host)
            return candidates.allSatisfy(barred.contains)
        }
    }
}

extension EntrypointOverride {
    fileprivate func isAbout(_ stream: String, in zone: String) -> Bool { self.zone == zone && self.stream == stream }
}
