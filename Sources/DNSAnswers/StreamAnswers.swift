import ReflectorModel

/// One name of a stream and its records. The name server, the export and `explain` all take them from here.
package struct StreamAnswer {
    package enum Kind: Equatable {
        /// `news.live.streams`: SRV and TXT; and A and AAAA if a pattern answers the stream, as at the wildcard.
        case candidates
        /// `*.live.streams`: like `candidates`. The wildcard also answers for the ingest names of its streams, so it
        /// has their addresses.
        case pattern
        /// `ingest.news.live.streams`: A, AAAA and SRV; where an encoder pushes.
        case ingest
        /// `ingest.x.live.streams` of a stream that a pattern answers. Other name servers answer it from the wildcard,
        /// which has no other SRV than the candidates' (RFC 4592 has no wildcards for a label on the left). Our name
        /// server gives the ingest port.
        case ingestOfPattern
    }

    package var kind: Kind
    /// Labels below the zone; for `ingestOfPattern`, those of the wildcard.
    package var labels: [String]
    /// Index in `ZoneContent.streams`.
    package var rule: Int
    package var candidates: ZoneContent.Candidates
    package var lead: ZoneContent.Election.Lead?
    /// Indices in `hosts` in the order of the addresses, and of the SRV records of an ingest name.
    package var ingestOrder: [Int]

    /// True if the line is a pattern.
    package var isOfPattern: Bool

    package var hasAddresses: Bool { !ingestOrder.isEmpty }
    package var isIngest: Bool { kind == .ingest || kind == .ingestOfPattern }
    /// An ingest name has the TXT of its stream only if a pattern answers the stream: other name servers answer it from
    /// the wildcard, which has one.
    package var hasText: Bool { !isIngest || isOfPattern }
}

extension ZoneContent {
    /// TTL of ingest names in seconds, at most: an encoder that connects again must find the new leader.
    static let ingestTTLMax: UInt32 = 5

    /// TTL of A, AAAA and SRV at ingest names.
    package var ingestTTL: UInt32 { min(defaults.ttl, Self.ingestTTLMax) }

    /// Maximum number of names for streams that a pattern answers and that have a lead or a choice of their own.
    /// Further such streams are answered like the pattern.
    static let ownNamesMax = 16_384

    /// Calls `body` with every name of every stream, in the order of the lines. The names of single streams that a
    /// pattern answers, and that have a lead or a choice of their own, come last.
    package func forEachStreamAnswer(_ body: (StreamAnswer) -> Void) {
        let leads = Dictionary(election.leads.map { ($0.stream, $0) }, uniquingKeysWith: { first, _ in first })
        let choices = Dictionary(grouping: election.overrides, by: \.stream)
        func add(_ labels: [String], _ rule: Int, stream: String, isPattern: Bool) {
            let name = streams[rule].name
            let own = (choices[stream] ?? []) + (name == stream ? [] : choices[name] ?? [])
            streamAnswers(labels, rule, isPattern: isPattern, own, leads[stream]).forEach(body)
        }
        for (number, stream) in streams.enumerated() {
            let labels = (stream.isPattern ? ["*"] : []) + stream.segments.reversed() + ["streams"]
            add(labels, number, stream: stream.name, isPattern: stream.isPattern)
        }
        for own in ownNames() {
            let labels = own.segments.reversed() + ["streams"]
            add(labels, own.rule, stream: own.segments.joined(separator: "/"), isPattern: false)
            add(["*"] + labels, own.rule, stream: streams[own.rule].name, isPattern: true)
        }
    }

    /// The names of one stream, which the line `rule` answers, or of the pattern `rule` itself.
    package func streamAnswers(_ segments: [String], rule: Int, isPattern: Bool) -> [StreamAnswer] {
        let stream = isPattern ? streams[rule].name : segments.joined(separator: "/")
        let labels = (isPattern ? ["*"] : []) + segments.reversed() + ["streams"]
        return streamAnswers(
            labels, rule, isPattern: isPattern,
            election.overrides.filter { $0.stream == stream || $0.stream == streams[rule].name },
            election.leads.first { $0.stream == stream })
    }

    private func streamAnswers(
        _ labels: [String], _ rule: Int, isPattern: Bool, _ choices: [Election.Choice], _ lead: Election.Lead?
    ) -> [StreamAnswer] {
        let candidates = candidates(of: streams[rule], choices: choices)
        let isPush = streams[rule].ingest == .push
        let order = isPush ? ingestOrder(candidates, lead) : []
        let answer = StreamAnswer(
            kind: isPattern ? .pattern : .candidates, labels: labels, rule: rule, candidates: candidates, lead: lead,
            ingestOrder: isPush && streams[rule].isPattern ? candidates.hosts : [],
            isOfPattern: streams[rule].isPattern)
        guard !order.isEmpty else { return [answer] }
        var ingest = answer
        ingest.kind = isPattern ? .ingestOfPattern : .ingest
        ingest.ingestOrder = order
        if !isPattern { ingest.labels.insert(StreamName.ingestLabel, at: 0) }
        return [answer, ingest]
    }

    /// The streams that a pattern answers and that need names of their own, because an operator or the election chose
    /// another candidate for them. A new name hides the wildcard from the names below it (RFC 4592 §2.2.2, RFC 8020).
    /// So each name between the wildcard and the stream is on the list too, and each gets a wildcard below it: whatever
    /// the pattern answered before still has the same answer.
    private func ownNames() -> [(segments: [String], rule: Int)] {
        let named = election.overrides.map(\.stream) + election.leads.prefix(Election.leadsMax).map(\.stream)
        guard !named.isEmpty else { return [] }
        let index = StreamIndex(streams)
        var result: [(segments: [String], rule: Int)] = []
        var seen: Set<String> = []
        for text in named where !seen.contains(text) {
            guard let name = StreamName(text), !name.isReserved, case let segments = name.segments.map(String.init),
                let match = index.match(segments), let depth = match.patternDepth
            else { continue }
            // "streams", "ingest" and the root take 8 + 7 + 1 bytes.
            let length = segments.reduce(16 + zone.utf8.count + 1) { $0 + $1.utf8.count + 1 }
            guard length <= WireName.lengthMax, result.count + segments.count - depth <= Self.ownNamesMax else {
                continue
            }
            for length in (depth + 1)...segments.count {
                let own = Array(segments[..<length])
                if seen.insert(own.joined(separator: "/")).inserted { result.append((own, match.rule)) }
            }
        }
        return result
    }
}
