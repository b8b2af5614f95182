import DNSAnswers
import ReflectorModel

/// The part of a `stream` line that says how the encoder's data arrives and how the entrypoints share the work (design
/// §3): `push` or `pull=URL`, `standby=`, `pullers=`, and the words `takeover`, `refuse` and `redirect`.
struct StreamOptions {
    static let keys = ["pull", "standby", "pullers"]
    private static let words = ["push", "takeover", "refuse", "redirect"]

    private(set) var ingest: ZoneContent.Ingest?
    private(set) var standby: StreamPolicy.Standby?
    private(set) var pullers = StreamPolicy.Pullers.one
    private(set) var secondEncoder = StreamPolicy.SecondEncoder.refuse
    private(set) var redirects = false

    /// Reads the options and words of a line, and reports those that contradict each other.
    ///
    /// - Parameter entrypoints: number of the line's entrypoints.
    /// - Returns: nil if the line has an error.
    static func read(
        _ line: SidecarLine, _ options: OptionTable, entrypoints: Int, _ problems: inout ProblemList
    ) -> StreamOptions? {
        var result = StreamOptions()
        let before = problems.errorCount
        let words = readWords(line, &problems)
        result.redirects = words["redirect"] != nil
        if words["takeover"] != nil { result.secondEncoder = .takeover }
        result.standby = value(options["standby"], "standby", "standby=cold, standby=warm or standby=hot", &problems)
        result.pullers =
            value(
                options["pullers"], "pullers",
                "pullers=1 (one entrypoint at a time fetches the stream) or pullers=many", &problems) ?? .one
        result.readIngest(line, options, push: words["push"], &problems)
        result.check(options, words, entrypoints: entrypoints, &problems)
        return problems.errorCount == before ? result : nil
    }

    /// The known words behind the portset, each once.
    private static func readWords(_ line: SidecarLine, _ problems: inout ProblemList) -> [String: Word] {
        var result: [String: Word] = [:]
        for word in line.words.dropFirst(2) {
            if !words.contains(word.text) {
                problems.error(
                    word,
                    "'\(word.text.prefix(40))' is not known here; write push or pull=URL, and takeover, refuse or "
                        + "redirect")
            } else if result.updateValue(word, forKey: word.text) != nil {
                problems.error(word, "'\(word.text)' twice; keep one")
            }
        }
        if let takeover = result["takeover"], let refuse = result["refuse"] {
            let second = takeover.column > refuse.column ? takeover : refuse
            problems.error(second, "takeover and refuse on one line; keep one: what happens to a second encoder")
        }
        return result
    }

    private static func value<Value: RawRepresentable<String>>(
        _ word: Word?, _ key: String, _ allowed: String, _ problems: inout ProblemList
    ) -> Value? {
        guard let word else { return nil }
        if let value = Value(rawValue: word.text) { return value }
        problems.error(word, "'\(word.text.prefix(40))' is not a value of \(key)=; write \(allowed)")
        return nil
    }

    private mutating func readIngest(
        _ line: SidecarLine, _ options: OptionTable, push: Word?, _ problems: inout ProblemList
    ) {
        guard let url = options["pull"] else {
            if push != nil {
                ingest = .push
            } else if line.words.count >= 2, line.words.dropFirst(2).allSatisfy({ Self.words.contains($0.text) }) {
                problems.error(line.end, "stream has neither push nor pull; add push or pull=URL")
            }
            return
        }
        if let push { problems.error(push, "push and pull= on one line; keep one") }
        if Self.isPullable(url, &problems) { ingest = .pull(url: url.text) }
    }

    /// Reports options that contradict each other or have no effect.
    private func check(
        _ options: OptionTable, _ words: [String: Word], entrypoints: Int, _ problems: inout ProblemList
    ) {
        if options["pull"] == nil {
            if let pullers = options["pullers"] {
                problems.error(pullers, "pullers= goes with pull=URL only; remove it")
            }
        } else {
            for word in ["takeover", "refuse", "redirect"].compactMap({ words[$0] }) {
                problems.error(word, "'\(word.text)' goes with push only: nobody connects for a pull; remove it")
            }
            if let word = options["standby"], let standby, standby != .cold, pullers == .one {
                problems.error(
                    word,
                    "standby=\(standby.rawValue) needs several entrypoints that fetch the stream at a time; add "
                        + "pullers=many, or write standby=cold")
            }
        }
        guard entrypoints > 0 else { return }
        if let word = options["standby"], standby == .hot, entrypoints == 1 {
            problems.warning(
                word,
                "standby=hot has no effect with one entrypoint: there is no second copy to merge; add an entrypoint, or "
                    + "leave standby= out")
        }
        guard options["pull"] == nil, let word = words["redirect"] else { return }
        if standby == .hot {
            problems.error(
                word,
                "redirect would send the second feed of standby=hot to the leader, and only one copy would be left; "
                    + "remove one of them")
        } else if entrypoints == 1 {
            problems.warning(
                word, "redirect has no effect with one entrypoint; add an entrypoint, or remove redirect")
        } else if standby == .warm {
            problems.warning(
                word,
                "redirect sends every encoder to the leader, so a standby has no data and is not warm; write "
                    + "standby=cold, or remove redirect")
        }
    }

    private static func isPullable(_ url: Word, _ problems: inout ProblemList) -> Bool {
        let text = url.text.lowercased()
        guard let scheme = ["http://", "https://"].first(where: { text.hasPrefix($0) }) else {
            problems.error(url, "'\(url.text.prefix(80))' is not an http:// or https:// address")
            return false
        }
        let authority = text.dropFirst(scheme.utf8.count).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.isEmpty else {
            problems.error(url, "address without a host; write http://HOST/PATH")
            return false
        }
        if authority.contains("@") {
            problems.error(url, "a password in an address does not belong in these files; put it in the key file")
            return false
        }
        return true
    }
}

extension ZoneContent.StreamRule {
    /// The line's options and words as in the file, without those that are the default: `push standby=cold redirect`.
    var options: String {
        var parts: [String]
        switch ingest {
        case .push: parts = ["push"]
        case .pull(let url): parts = ["pull=\(url)"]
        }
        if policy.standby != StreamPolicy(isPull: policy.isPull).standby {
            parts.append("standby=\(policy.standby.rawValue)")
        }
        if pullers != .one { parts.append("pullers=\(pullers.rawValue)") }
        if secondEncoder != .refuse { parts.append(secondEncoder.rawValue) }
        if redirects { parts.append("redirect") }
        return parts.joined(separator: " ")
    }
}
