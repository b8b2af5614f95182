import DNSAnswers
import LDNSKit
import ReflectorModel

/// Which lines a name's answer comes from, and why. Supports every kind of name of design §4.
public struct ZoneExplanation: Sendable, Equatable, Codable {
    /// A line that matches the name.
    public struct Line: Sendable, Equatable, Codable {
        public var file: String
        public var line: Int
        /// The line in its shortest form.
        public var text: String
        /// True for the line, or lines, that win; the others are shadowed.
        public var wins: Bool
    }

    public enum Outcome: String, Sendable, Codable {
        case answer
        /// NOERROR without records: the name exists, or names below it do.
        case noData = "NODATA"
        case noSuchName = "NXDOMAIN"
        case outOfZone = "REFUSED"
    }

    /// Absolute, lower case, without the final dot.
    public var name: String
    public var outcome: Outcome
    /// Lines that match; `map` lines are in file order. The lines with `wins` determine the answer.
    public var lines: [Line] = []
    /// Remarks and the answer's records as type and data, or the reason why there is no answer.
    public var reasons: [String] = []

    /// Explains a name. If there is only one zone, the name may be relative to it. An `explain` label just below the
    /// zone is ignored. A stream may have its own name, as in the files: `live/news`.
    public static func explain(_ name: String, in contents: [ZoneContent]) -> ZoneExplanation {
        var name = name.lowercased()
        if name.contains("/") {
            name = (name.split(separator: "/").reversed() + ["streams"]).joined(separator: ".")
            // Of several zones, the one that has the stream.
            if contents.count > 1 {
                let all = contents.map { Explainer($0).explain(name) }
                if let found = all.first(where: { $0.outcome == .answer }) { return found }
            }
        }
        if name.hasSuffix(".") { name.removeLast() }
        let inside = contents.filter { name == $0.zone || name.hasSuffix("." + $0.zone) }
        if let content = inside.max(by: { $0.zone.utf8.count < $1.zone.utf8.count }) {
            return Explainer(content).explain(String(name.dropLast(content.zone.utf8.count + 1)))
        }
        if contents.count == 1, let content = contents.first { return Explainer(content).explain(name) }
        return ZoneExplanation(
            name: name, outcome: .outOfZone,
            reasons: ["in none of the zones " + contents.map(\.zone).joined(separator: ", ")])
    }
}

/// Explains names of one zone.
private struct Explainer {
    let content: ZoneContent

    init(_ content: ZoneContent) { self.content = content }

    func explain(_ relative: String) -> ZoneExplanation {
        var labels = relative.split(separator: ".", omittingEmptySubsequences: true).map(String.init)
        let wantsReason = labels.last == "explain" && labels.count > 1
        if wantsReason { labels.removeLast() }
        let name = (labels + [content.zone]).joined(separator: ".")
        var result = ZoneExplanation(name: name, outcome: .noSuchName)
        switch labels.last.map({ ($0, labels.count) }) {
        case ("_status", 1)?:
            result.outcome = .answer
            result.reasons = ["TXT serial, age, rules and problems: made by the running name server"]
        case ("explain", 1)?:
            result.outcome = .noData
            result.reasons = ["put a name before it: n1.r1283.s4096.explain"]
        case ("streams", _)?: stream(labels.dropLast().reversed(), &result)
        case ("sets", _)?: announceTargets(labels.dropLast().joined(separator: "."), &result)
        case ("nodes", _)?: node(labels.dropLast().joined(separator: "."), &result)
        case (let last, _)? where PortsetID(label: last) != nil || RegionID(label: last) != nil:
            mapped(labels, &result)
        default: written(labels, &result)
        }
        // `news.live.explain` is short for `news.live.streams.explain`.
        if wantsReason, result.outcome == .noSuchName, labels.last != "streams" {
            let stream = explain((labels + ["streams"]).joined(separator: "."))
            if stream.outcome == .answer { return stream }
        }
        return result
    }

    // MARK: The map

    private func mapped(_ labels: [String], _ result: inout ZoneExplanation) {
        var rest = labels[...]
        let portset = rest.last.flatMap { PortsetID(label: $0) }
        if portset != nil { rest = rest.dropLast() }
        let effective = portset ?? content.defaults.portset
        if portset != nil, rest.elementsEqual(["sets"]) { return rootSets(effective, &result) }
        guard let label = rest.popLast() else { return whole(effective, &result) }
        guard let region = RegionID(label: label) else {
            result.reasons = ["'\(label)' is not a region; r and a number without leading zeros"]
            return
        }
        let isEdge = content.edgeRegions.contains { $0.ids.contains(region.rawValue) }
        guard isEdge || content.setRegions.contains(where: { $0.id == region }) else {
            result.reasons = ["region \(region) is declared by no line"]
            return
        }
        let decides = map(of: effective).winner(portset: effective, region: region)
        result.lines = content.rulesMatching(portset: effective, region: region).map { line($0, wins: $0 == decides) }
        guard let winner = decides else {
            result.reasons = ["no map line matches \(effective) in \(region)"]
            return
        }
        let rule = content.rules[winner]
        let ranks = rule.takesParentsAway ? 3 : rule.parents.count
        guard ranks > 0 else {
            result.reasons = ["the line that wins says 'none': the set region goes to the entrypoint"]
            return
        }
        guard let rankLabel = rest.popLast() else {
            result.outcome = .noData
            result.reasons = ["names below it answer: n1 to n\(ranks)"]
            return
        }
        guard rest.isEmpty, let rank = ParentRank.allCases.first(where: { $0.description == rankLabel }),
            Int(rank.rawValue) <= ranks
        else {
            result.reasons = ["'\(rankLabel)' is none of n1 to n\(ranks), the parents of the line that wins"]
            return
        }
        if rule.takesParentsAway {
            result.outcome = .answer
            result.reasons =
                ["the line that wins takes the parents of \(region) for \(effective) away, TTL \(rule.ttl)"]
                + ExportedRecord.none.map(flat)
            return
        }
        let set = rule.parents[Int(rank.rawValue) - 1]
        let parent = content.setRegions[set]
        result.outcome = .answer
        result.lines.append(
            .init(file: parent.source.file, line: parent.source.line, text: "setregion \(parent.name)", wins: true))
        result.reasons =
            ["\(rank) of \(region) for \(effective) is set region \(parent.name), TTL \(rule.ttl)"]
            + ExportedRecord.hosts(content, sets: [set]).map(flat)
            + [ExportedRecord.setText(content, parent, serial: content.serial)].map(flat)
    }

    /// Explains `s{P}` itself.
    private func whole(_ portset: PortsetID, _ result: inout ZoneExplanation) {
        let rules = content.rules.indices.filter { content.rules[$0].portsets.contains(portset.rawValue) }
        result.lines = rules.map { line($0, wins: false) }
        let isMapped = map(of: portset).isMapped(portset)
        result.outcome = isMapped ? .noData : .noSuchName
        result.reasons = [
            isMapped
                ? "names below it answer: n1.r….\(portset), sets.\(portset)" : "no region is mapped for \(portset)"
        ]
    }

    /// The map of one portset.
    private func map(of portset: PortsetID) -> RuleMap {
        RuleMap(content, portsets: portset.rawValue...portset.rawValue)
    }

    private func rootSets(_ portset: PortsetID, _ result: inout ZoneExplanation) {
        let roots = map(of: portset).roots(of: portset.rawValue)
        guard !roots.isEmpty else {
            result.reasons = ["no edge region has parents for \(portset)"]
            return
        }
        result.outcome = .answer
        result.lines = roots.map(setLine)
        result.reasons =
            ["root set regions of \(portset): " + roots.map { content.setRegions[$0].name }.joined(separator: ", ")]
            + ExportedRecord.hosts(content, sets: roots).map(flat)
    }

    // MARK: Hosts

    private func node(_ host: String, _ result: inout ZoneExplanation) {
        let entries = content.nodeEntries
        if host.isEmpty {
            result.outcome = entries.isEmpty ? .noSuchName : .noData
            result.reasons = ["names below it answer, one for each host that a line gives a part to"]
            return
        }
        guard let entry = entries.first(where: { content.hosts[$0.host].name == host }) else {
            result.reasons = ["no setregion, region or stream line names '\(host)'"]
            return
        }
        result.outcome = .answer
        result.reasons =
            ["first named by \(entry.source)"] + ExportedRecord.node(content, entry).map(flat)
    }

    // MARK: Streams

    private func announceTargets(_ host: String, _ result: inout ZoneExplanation) {
        if host.isEmpty {
            result.outcome = content.streams.isEmpty ? .noSuchName : .noData
            result.reasons = ["names below it answer, one for each entrypoint"]
            return
        }
        guard let number = content.hosts.firstIndex(where: { $0.name == host }),
            case let streams = content.streams.filter({ $0.entrypoints.contains(number) }), !streams.isEmpty
        else {
            result.reasons = ["'\(host)' is an entrypoint of no stream"]
            return
        }
        result.lines = streams.map { streamLine($0, wins: true) }
        let roots = RuleMap(content).roots(of: streams.map(\.portset.range))
        guard !roots.isEmpty else {
            result.reasons = ["no edge region has parents for the portsets of its streams"]
            return
        }
        result.outcome = .answer
        result.lines += roots.map(setLine)
        result.reasons = ExportedRecord.services(content, sets: roots).map(flat)
    }

    /// Explains a stream's name: its exact line wins, or else the pattern at its closest encloser (RFC 4592 §3.3.1).
    private func stream(_ segments: [String], _ result: inout ZoneExplanation) {
        if segments.last == StreamName.ingestLabel { return ingest(Array(segments.dropLast()), &result) }
        let matching = content.streams.filter { $0.isPattern && segments.starts(with: $0.segments) }
            .sorted { $0.segments.count < $1.segments.count }
        let isOfPattern = segments.last == "*"
        let plain = isOfPattern ? Array(segments.dropLast()) : segments
        if let exact = content.streams.firstIndex(where: { $0.isPattern == isOfPattern && $0.segments == plain }) {
            let shadowed = matching.filter { $0 != content.streams[exact] }
            result.lines =
                shadowed.map { streamLine($0, wins: false) } + [streamLine(content.streams[exact], wins: true)]
            return answer(content.streamAnswers(plain, rule: exact, isPattern: isOfPattern).first, &result)
        }
        if content.streams.contains(where: { $0.segments.starts(with: segments) }) {
            result.outcome = .noData
            result.reasons = ["names below it answer"]
            return
        }
        guard let match = StreamIndex(content.streams).match(segments) else {
            let above = matching.last { $0.segments.count < segments.count }
            result.lines = (above.map { _ in matching } ?? []).map { streamLine($0, wins: false) }
            result.reasons = [above == nil ? "no stream line" : hidden(segments)]
            return
        }
        let pattern = content.streams[match.rule]
        result.lines = matching.map { streamLine($0, wins: $0 == pattern) }
        answer(content.streamAnswers(segments, rule: match.rule, isPattern: false).first, &result)
        if case .hashed(let range) = pattern.portset, let name = StreamName(segments.joined(separator: "/")) {
            result.reasons.append("the hash of its name puts it in \(name.portset(hashedInto: range))")
        }
    }

    /// Why no pattern answers a stream although its name matches one.
    private func hidden(_ segments: [String]) -> String {
        let prefixes = (0..<segments.count).reversed().map { Array(segments[..<$0]) }
        let closest = prefixes.first { prefix in content.streams.contains { $0.segments.starts(with: prefix) } } ?? []
        let at = closest.isEmpty ? "streams" : closest.joined(separator: "/")
        return "no line for it, and no pattern at '\(at)', the closest name that exists (RFC 4592)"
    }

    /// Explains the name where a stream's encoder pushes.
    private func ingest(_ segments: [String], _ result: inout ZoneExplanation) {
        guard let match = StreamIndex(content.streams).match(segments) else {
            result.reasons = ["no stream line for '\(segments.joined(separator: "/"))'"]
            return
        }
        let rule = content.streams[match.rule]
        result.lines = [streamLine(rule, wins: true)]
        let answers = content.streamAnswers(segments, rule: match.rule, isPattern: false)
        guard let ingest = answers.first(where: { $0.kind == .ingest }) else {
            guard match.patternDepth == nil else { return answer(answers.first, &result) }
            result.reasons = ["entrypoints pull this stream: no encoder pushes it"]
            return
        }
        answer(ingest, &result)
        if match.patternDepth != nil {
            result.reasons.append(
                "by a pattern: a secondary answers SRV like the pattern itself, A and AAAA as here, unless the stream "
                    + "has another leader than its first candidate or an override")
        }
    }

    private func answer(_ answer: StreamAnswer?, _ result: inout ZoneExplanation) {
        guard let answer else { return }
        result.outcome = .answer
        result.reasons = ExportedRecord.stream(content, answer).map { flat($0.record) }
        result.reasons += content.candidatesText(answer.candidates, answer.lead, serial: content.serial)
        if content.election == ZoneContent.Election() {
            result.reasons.append(
                "from the files alone: the running name server knows who leads (TXT \(explainName(answer)))")
        }
    }

    private func explainName(_ answer: StreamAnswer) -> String {
        (answer.labels + ["explain", content.zone]).joined(separator: ".")
    }

    // MARK: The zone file

    private func written(_ labels: [String], _ result: inout ZoneExplanation) {
        guard let name = try? LDNSName.wire(result.name) else {
            result.reasons = ["not a domain name"]
            return
        }
        let owner = WireName.lowercased(name)
        if take(content.records.filter { $0.owner == owner }, &result) { return }
        if content.records.contains(where: { WireName.isWithin($0.owner, owner) }) {
            result.outcome = .noData
            result.reasons = ["names below it answer"]
            return
        }
        for offset in (WireName.labelOffsets(owner) ?? []).dropFirst() {
            let encloser = Array(owner[offset...])
            guard content.records.contains(where: { WireName.isWithin($0.owner, encloser) }) else { continue }
            let wildcard = content.records.filter { $0.owner == [1, UInt8(ascii: "*")] + encloser }
            if take(wildcard, &result) { result.reasons.append("by the wildcard of the .zone file (RFC 4592)") }
            break
        }
        if result.outcome == .noSuchName { result.reasons = ["no record of the .zone file, and no name of the map"] }
    }

    private func take(_ records: [ZoneContent.Record], _ result: inout ZoneExplanation) -> Bool {
        guard !records.isEmpty else { return false }
        result.outcome = .answer
        for record in records {
            let text = RecordText.line(owner: record.owner, type: record.type, ttl: record.ttl, data: record.data)
            result.lines.append(
                .init(
                    file: record.source.file, line: record.source.line,
                    text: text.split(separator: "\t").joined(separator: " "), wins: true))
        }
        return true
    }

    // MARK: Lines

    private func line(_ index: Int, wins: Bool) -> ZoneExplanation.Line {
        let rule = content.rules[index]
        return .init(file: rule.source.file, line: rule.source.line, text: rule.text(in: content), wins: wins)
    }

    private func setLine(_ set: Int) -> ZoneExplanation.Line {
        let region = content.setRegions[set]
        return .init(
            file: region.source.file, line: region.source.line, text: "setregion \(region.name)", wins: true)
    }

    private func streamLine(_ stream: ZoneContent.StreamRule, wins: Bool) -> ZoneExplanation.Line {
        .init(file: stream.source.file, line: stream.source.line, text: "stream \(stream.name)", wins: wins)
    }

    private func flat(_ record: RecordData) -> String { record.text(zone: content.wireName) }
}

extension ZoneContent.Rule {
    /// The line in its shortest form: `map s4096 r1283 sjc nyc lon ttl=5`.
    public func text(in content: ZoneContent) -> String {
        let rows: String
        if portsets == 0...65_535 {
            rows = "s*"
        } else {
            rows =
                portsets.count == 1
                ? "s\(portsets.lowerBound)" : "s\(portsets.lowerBound)-s\(portsets.upperBound)"
        }
        let columns: String
        switch regions {
        case .allEdge: columns = "r*"
        case .edge(let ids): columns = ids.count == 1 ? "r\(ids.lowerBound)" : "r\(ids.lowerBound)-r\(ids.upperBound)"
        case .setRegion(let number): columns = content.setRegions[number].name
        }
        let sets = parents.isEmpty ? Self.none : parents.map { content.setRegions[$0].name }.joined(separator: " ")
        return "map \(rows) \(columns) \(sets)" + (ttl == content.defaults.ttl ? "" : " ttl=\(ttl)")
    }
}
