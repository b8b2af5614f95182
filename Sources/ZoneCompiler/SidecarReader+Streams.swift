import DNSAnswers
import ReflectorModel

/// The `.streams` sidecar: each stream's name, portset and candidate entrypoints, and how these share the work (design
/// §3).
extension SidecarReader {
    /// Maximum number of `stream` lines.
    static let streamsMax = 200_000
    /// Maximum number of candidate entrypoints of a stream.
    static let entrypointsMax = 16

    mutating func readStreams(_ bytes: [UInt8], file: String, _ problems: inout ProblemList) {
        var seen: [String: Int] = [:]
        var checkedFamilies: Set<Int> = []
        for line in SidecarLine.read(bytes, &problems) {
            guard line.keyword.text == "stream" else {
                problems.error(
                    line.keyword, "unknown line '\(line.keyword.text.prefix(40))'; every line begins with stream")
                continue
            }
            guard content.streams.count < Self.streamsMax else {
                problems.error(line.keyword, "more than \(Self.streamsMax) stream lines; use patterns")
                return
            }
            let source = ZoneContent.SourceLine(file: file, line: line.keyword.line)
            if let word = line.words.first, let first = seen.updateValue(line.keyword.line, forKey: word.text) {
                problems.error(word, "stream '\(word.text.prefix(170))' is already on line \(first); keep one")
            }
            if let rule = readStream(line, source, &problems) {
                content.streams.append(rule)
                let unchecked = rule.entrypoints.filter { checkedFamilies.insert($0).inserted }
                FamilyChecks.run(entrypoints: unchecked, of: line.keyword, content, &problems)
            }
        }
    }

    private mutating func readStream(
        _ line: SidecarLine, _ source: ZoneContent.SourceLine, _ problems: inout ProblemList
    ) -> ZoneContent.StreamRule? {
        let options = OptionTable(line, known: ["entrypoints"] + StreamOptions.keys, &problems)
        let entrypoints = readEntrypoints(line, options["entrypoints"], source, &problems)
        let policy = StreamOptions.read(line, options, entrypoints: entrypoints.count, &problems)
        guard line.words.count >= 2 else {
            problems.error(
                line.end, "stream line cut short; write 'stream live/news s4096 entrypoints=HOST,HOST push'")
            return nil
        }
        let name = readName(line.words[0], &problems)
        let portset = readPortset(line.words[1], &problems)
        guard let name, let portset, let policy, let ingest = policy.ingest, !entrypoints.isEmpty else { return nil }
        return ZoneContent.StreamRule(
            segments: name.segments, isPattern: name.isPattern, portset: portset, entrypoints: entrypoints,
            ingest: ingest, standby: policy.standby, pullers: policy.pullers, secondEncoder: policy.secondEncoder,
            redirects: policy.redirects, source: source)
    }

    private func readName(
        _ word: Word, _ problems: inout ProblemList
    ) -> (segments: [String], isPattern: Bool)? {
        let isPattern = word.text == "*" || word.text.hasSuffix("/*")
        let plain = isPattern ? String(word.text.dropLast(2)) : word.text
        var segments: [String] = []
        if !plain.isEmpty || !isPattern {
            guard let name = StreamName(plain) else {
                problems.error(
                    word,
                    "'\(word.text.prefix(170))' is not a stream name; write segments of a-z, 0-9 and - joined by "
                        + "'/', at most \(StreamName.lengthMax) bytes, the last may be *")
                return nil
            }
            segments = name.segments.map(String.init)
        }
        if let word = word.split("/").first(where: { $0.text == StreamName.ingestLabel }) {
            problems.error(
                word,
                "'ingest' can't be a segment of a stream's name: ingest.NAME.streams is where the encoder of NAME "
                    + "pushes; choose another word, such as 'in'")
            return nil
        }
        // A label takes its own bytes and one length byte. "ingest", "streams" and the root together take 7 + 8 + 1 =
        // 16 ("*" is shorter than "ingest"; `apex` counts the root again).
        let length = segments.reduce(16) { $0 + $1.utf8.count + 1 } + zoneFile.apex.count
        guard length <= 255 else {
            problems.error(word, "stream name makes a DNS name over 255 bytes in this zone; shorten it")
            return nil
        }
        return (segments, isPattern)
    }

    private func readPortset(_ word: Word, _ problems: inout ProblemList) -> ZoneContent.StreamPortset? {
        guard word.text.hasPrefix("hash(") else {
            guard let id = PortsetID(label: word.text) else {
                problems.error(word, "'\(word.text.prefix(40))' is not a portset; write s0 to s65535, or hash(0-4095)")
                return nil
            }
            return .fixed(id)
        }
        let ends = word.text.dropFirst(5).dropLast().split(separator: "-", omittingEmptySubsequences: false)
        guard word.text.hasSuffix(")"), ends.count == 2, let low = SidecarValues.plainInteger(ends[0]),
            let high = SidecarValues.plainInteger(ends[1]), low <= high, high <= 65_535
        else {
            problems.error(word, "'\(word.text.prefix(40))' is not a hash range; write hash(LOW-HIGH) within 0-65535")
            return nil
        }
        return .hashed(UInt16(low)...UInt16(high))
    }

    private mutating func readEntrypoints(
        _ line: SidecarLine, _ list: Word?, _ source: ZoneContent.SourceLine, _ problems: inout ProblemList
    ) -> [Int] {
        guard let list else {
            if line.words.count >= 2 {
                problems.error(line.end, "stream without entrypoints; add entrypoints=HOST,HOST, best first")
            }
            return []
        }
        var result: [Int] = []
        for part in list.split(",") {
            guard result.count < Self.entrypointsMax else {
                problems.error(part, "more than \(Self.entrypointsMax) entrypoints; remove some")
                break
            }
            guard let (name, _) = SidecarValues.host(part, port: false, &problems),
                let number = host(name, &problems)
            else { continue }
            if result.contains(number) {
                problems.error(name, "entrypoint '\(name.text)' twice in one list; keep one")
                continue
            }
            claim(number, as: "the entrypoints", port: content.defaults.port, source, at: name, &problems)
            result.append(number)
        }
        return result
    }
}
