import DNSAnswers
import ReflectorModel

/// The `.portsets` sidecar: `default`, `setregion`, `region` and `map` lines (design §3).
extension SidecarReader {
    /// Maximum number of `map` lines.
    static let rulesMax = 200_000
    /// Maximum number of set regions.
    static let setRegionsMax = 4_096
    /// Maximum number of hosts of one set region, so that its answer fits into a message.
    static let membersMax = 64
    /// Longest TTL of an answer in seconds: a week.
    private static let ttlMax = 604_800

    mutating func readPortsets(_ bytes: [UInt8], file: String, _ problems: inout ProblemList) {
        let lines = SidecarLine.read(bytes, &problems)
        let source = { (line: SidecarLine) in ZoneContent.SourceLine(file: file, line: line.keyword.line) }
        var hasDefault = false
        for line in lines where line.keyword.text == "default" {
            if hasDefault { problems.error(line.keyword, "second 'default' line; put everything on one") }
            hasDefault = true
            readDefault(line, &problems)
        }
        for line in lines {
            switch line.keyword.text {
            case "setregion": readSetRegion(line, source(line), &problems)
            case "region": readRegion(line, source(line), &problems)
            case "map", "default": continue
            default:
                problems.error(
                    line.keyword,
                    "unknown line '\(line.keyword.text.prefix(40))'; lines begin with default, setregion, region or map"
                )
            }
        }
        checkRegions(&problems)
        regions.close(content.edgeRegions)
        var words: [(line: Word, parents: [Word])] = []
        for line in lines where line.keyword.text == "map" {
            guard content.rules.count < Self.rulesMax else {
                problems.error(line.keyword, "more than \(Self.rulesMax) map lines; merge ranges")
                break
            }
            if let parents = readMap(line, source(line), &problems) { words.append((line.keyword, parents)) }
        }
        checkParents(words, &problems)
        RuleChecks.run(content, words.map(\.line), &problems)
    }

    private mutating func readDefault(_ line: SidecarLine, _ problems: inout ProblemList) {
        surplus(line, allowed: 0, &problems)
        let options = OptionTable(line, known: ["portset", "port", "ttl", "ingest"], &problems)
        if let word = options["portset"], let id = SidecarValues.portset(word, &problems) {
            content.defaults.portset = id
        }
        if let word = options["port"], let port = SidecarValues.integer(word, 1...65_535, "port", &problems) {
            content.defaults.port = UInt16(port)
        }
        if let word = options["ttl"], let ttl = SidecarValues.integer(word, 0...Self.ttlMax, "TTL", &problems) {
            content.defaults.ttl = UInt32(ttl)
        }
        if let word = options["ingest"], let port = SidecarValues.integer(word, 1...65_535, "port", &problems) {
            content.defaults.ingestPort = UInt16(port)
        }
    }

    private mutating func readSetRegion(
        _ line: SidecarLine, _ source: ZoneContent.SourceLine, _ problems: inout ProblemList
    ) {
        surplus(line, allowed: 1, &problems)
        let options = OptionTable(line, known: ["id", "hosts", "capacity", "site"], &problems)
        let id = options["id"].flatMap { SidecarValues.region($0, &problems) }
        let capacity = options["capacity"].flatMap { SidecarValues.capacity($0, &problems) } ?? 0
        let site = options["site"].flatMap { SidecarValues.label($0, "site", &problems) } ?? ""
        guard let word = line.words.first else {
            problems.error(line.end, "setregion without a name; write 'setregion nyc hosts=nyc-1,nyc-2'")
            return
        }
        guard let name = SidecarValues.label(word, "set region name", &problems) else { return }
        if name == "none" || SidecarValues.looksLikeRegion(name) || PortsetID(label: name) != nil {
            problems.error(
                word, "'\(name)' can't name a set region, since it means something else; choose another name")
            return
        }
        if let known = setRegionNumbers[name] {
            let first = content.setRegions[known].source.line
            problems.error(word, "set region '\(name)' is declared twice, first on line \(first); keep one")
            return
        }
        guard content.setRegions.count < Self.setRegionsMax else {
            problems.error(word, "more than \(Self.setRegionsMax) set regions; split the zone")
            return
        }
        var members: [ZoneContent.Member] = []
        if let hosts = options["hosts"] {
            members = readMembers(hosts, of: name, source, &problems)
        } else {
            problems.error(line.end, "set region '\(name)' without hosts; add hosts=HOST,HOST")
        }
        // A set region with an invalid line still counts as declared, so that its uses cause no second error.
        setRegionNumbers[name] = content.setRegions.count
        content.setRegions.append(
            ZoneContent.SetRegion(
                name: name, id: id, members: members, capacity: capacity, site: site, source: source))
        if let id, let word = options["id"] { setRegionIDs.append((id, word)) }
    }

    private mutating func readMembers(
        _ hosts: Word, of region: String, _ source: ZoneContent.SourceLine, _ problems: inout ProblemList
    ) -> [ZoneContent.Member] {
        var members: [ZoneContent.Member] = []
        for part in hosts.split(",") {
            guard members.count < Self.membersMax else {
                problems.error(part, "more than \(Self.membersMax) hosts in a set region; split it")
                break
            }
            guard let (name, port) = SidecarValues.host(part, port: true, &problems),
                let number = host(name, &problems)
            else { continue }
            if members.contains(where: { $0.host == number }) {
                problems.error(name, "host '\(name.text)' twice in one set region; keep one")
                continue
            }
            let listen = port ?? content.defaults.port
            claim(number, as: "set region '\(region)'", port: listen, source, at: name, &problems)
            members.append(ZoneContent.Member(host: number, port: listen))
        }
        return members
    }

    private mutating func readRegion(
        _ line: SidecarLine, _ source: ZoneContent.SourceLine, _ problems: inout ProblemList
    ) {
        surplus(line, allowed: 1, &problems)
        let options = OptionTable(line, known: ["name", "hosts"], &problems)
        guard let word = line.words.first else {
            problems.error(line.end, "region without a number; write 'region r1283 name=boston'")
            return
        }
        guard let ids = SidecarValues.regions(word, &problems) else { return }
        let name = options["name"].flatMap { SidecarValues.label($0, "region name", &problems) } ?? ""
        if !name.isEmpty, let first = regionNames.updateValue(line.keyword.line, forKey: name) {
            problems.error(options["name"] ?? word, "region name '\(name)' is taken by line \(first); choose another")
        }
        var hosts: [Int] = []
        if let list = options["hosts"] {
            if ids.count > 1 {
                problems.error(
                    list, "hosts= on a line of several regions; give the region with hosts a line of its own")
            } else {
                for part in list.split(",").prefix(Self.membersMax) {
                    guard let (name, _) = SidecarValues.host(part, port: false, &problems),
                        let number = host(name, &problems)
                    else { continue }
                    claim(
                        number, as: "region r\(ids.lowerBound)", port: content.defaults.port, source, at: name,
                        &problems)
                    hosts.append(number)
                }
            }
        }
        edgeRegionWords.append(word)
        content.edgeRegions.append(ZoneContent.EdgeRegions(ids: ids, name: name, hosts: hosts, source: source))
    }

    /// Checks that region declarations and ids of set regions do not overlap.
    private mutating func checkRegions(_ problems: inout ProblemList) {
        struct Claim {
            var ids: ClosedRange<UInt32>
            var word: Word
        }
        let claims =
            zip(content.edgeRegions, edgeRegionWords).map { Claim(ids: $0.ids, word: $1) }
            + setRegionIDs.map { Claim(ids: $0.id.rawValue...$0.id.rawValue, word: $0.word) }
        var reach: Claim?
        for claim in claims.sorted(by: { ($0.ids.lowerBound, $0.word.line) < ($1.ids.lowerBound, $1.word.line) }) {
            if let before = reach, claim.ids.lowerBound <= before.ids.upperBound {
                let (first, second) =
                    claim.word.line >= before.word.line ? (before.word, claim.word) : (claim.word, before.word)
                problems.error(
                    second, "'\(second.text)' overlaps '\(first.text)' of line \(first.line); a region is declared once"
                )
            }
            if claim.ids.upperBound >= reach?.ids.upperBound ?? 0 { reach = claim }
        }
    }

    /// Reads one `map` line. Returns the words of its parents, or nil if the line is invalid.
    private mutating func readMap(
        _ line: SidecarLine, _ source: ZoneContent.SourceLine, _ problems: inout ProblemList
    ) -> [Word]? {
        let options = OptionTable(line, known: ["ttl"], &problems)
        var ttl = content.defaults.ttl
        if let word = options["ttl"], let value = SidecarValues.integer(word, 0...Self.ttlMax, "TTL", &problems) {
            ttl = UInt32(value)
        }
        guard line.words.count >= 3 else {
            problems.error(
                line.end, "map line cut short; write 'map PORTSETS REGIONS SET [SET [SET]]', or 'none' instead of SETs")
            return nil
        }
        let portsets = SidecarValues.portsets(line.words[0], &problems)
        let selector = readSelector(line.words[1], &problems)
        var words = Array(line.words[2...])
        if words.contains(where: { $0.text == "none" }) {
            if words.count > 1 {
                problems.error(words[0], "'none' stands alone; remove it, or the set regions beside it")
            }
            words = []
        }
        if words.count > 3 {
            problems.error(words[3], "more than three set regions; there are only n1, n2 and n3")
            words.removeLast(words.count - 3)
        }
        var parents: [Int] = []
        var isWhole = true
        for word in words {
            if let number = setRegionNumbers[word.text.lowercased()] {
                parents.append(number)
            } else {
                problems.error(
                    word,
                    "unknown set region '\(word.text.prefix(64))'; declare it with 'setregion', or correct the name")
                isWhole = false
            }
        }
        guard let portsets, let selector, isWhole else { return nil }
        content.rules.append(
            ZoneContent.Rule(portsets: portsets, regions: selector, parents: parents, ttl: ttl, source: source))
        return words
    }

    private func readSelector(_ word: Word, _ problems: inout ProblemList) -> ZoneContent.RegionSelector? {
        if word.text == "r*" { return .allEdge }
        if let number = setRegionNumbers[word.text.lowercased()] { return .setRegion(number) }
        guard SidecarValues.looksLikeRegion(word.text) else {
            problems.error(
                word, "'\(word.text.prefix(64))' is not a region; write r*, r5, r5-r9 or the name of a set region"
            )
            return nil
        }
        guard let ids = SidecarValues.regions(word, &problems) else { return nil }
        guard regions.meets(ids) else {
            problems.error(word, undeclared(ids, word))
            return nil
        }
        return .edge(ids)
    }

    private func undeclared(_ ids: ClosedRange<UInt32>, _ word: Word) -> String {
        if let set = content.setRegions.first(where: { $0.id.map { ids.contains($0.rawValue) } ?? false }) {
            "'\(word.text)' is set region '\(set.name)'; write its name here"
        } else {
            "'\(word.text)' is not declared; add 'region \(word.text)', or correct the number"
        }
    }

    /// Warns if two parents of a line share a set region or site, since they fail together. Also warns of a set region
    /// that has parents but no id.
    private func checkParents(_ words: [(line: Word, parents: [Word])], _ problems: inout ProblemList) {
        var hasWarnedOfID = Set<Int>()
        for (rule, words) in zip(content.rules, words) {
            if case .setRegion(let number) = rule.regions, !rule.parents.isEmpty,
                content.setRegions[number].id == nil, hasWarnedOfID.insert(number).inserted
            {
                let name = content.setRegions[number].name
                problems.warning(
                    words.line,
                    "set region '\(name)' has no id, so its hosts can't look up these parents; add id=rN to it")
            }
            for second in rule.parents.indices {
                guard let first = rule.parents[..<second].first(where: { shares($0, rule.parents[second]) }) else {
                    continue
                }
                let (a, b) = (content.setRegions[first], content.setRegions[rule.parents[second]])
                let what = a.name == b.name ? "are the same set region" : "share site '\(a.site)'"
                let ranks = "n\((rule.parents.firstIndex(of: first) ?? 0) + 1) and n\(second + 1)"
                problems.warning(
                    words.parents[second], "\(ranks) \(what) and fail together; name another set region")
            }
        }
    }

    private func shares(_ a: Int, _ b: Int) -> Bool {
        a == b || (!content.setRegions[a].site.isEmpty && content.setRegions[a].site == content.setRegions[b].site)
    }

    /// Records a host's role. Reports an error if the host already has another role.
    mutating func claim(
        _ host: Int, as part: String, port: UInt16, _ source: ZoneContent.SourceLine, at word: Word,
        _ problems: inout ProblemList
    ) {
        if let known = hostRoles[host], known.part != part {
            problems.error(
                word,
                "host '\(word.text)' is already in \(known.part) (\(known.source.file) line \(known.source.line)); "
                    + "a host name is one node, so give this one a name of its own")
        } else {
            hostRoles[host] = HostRole(part: part, source: source, port: port)
        }
    }

    /// Reports positional words beyond the first `allowed`.
    func surplus(_ line: SidecarLine, allowed: Int, _ problems: inout ProblemList) {
        guard line.words.count > allowed else { return }
        let word = line.words[allowed]
        problems.error(
            word,
            "'\(word.text.prefix(40))' is an extra word on a '\(line.keyword.text)' line; options are KEY=VALUE "
                + "without spaces")
    }
}
