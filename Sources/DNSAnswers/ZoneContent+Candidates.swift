import ReflectorModel

/// The candidate entrypoints of streams, in the order that nodes and encoders get.
extension ZoneContent {
    /// The candidates of one stream after operators' choices.
    public struct Candidates: Sendable, Equatable {
        /// Indices in `hosts`, best first. Empty only if the line has no candidates.
        public var hosts: [Int] = []
        /// The candidate that an operator has put first.
        public var pinned: Choice?
        /// The candidates that operators have left out, in the order of the line. Empty if all are barred.
        public var barred: [Choice] = []
        /// True if operators have barred all candidates: the order of the line then stands.
        public var areAllBarred = false

        public typealias Choice = Election.Choice
    }

    /// The candidates of a stream, in effective order: a pinned candidate comes first, and barred ones are left out. A
    /// bar takes precedence over a pin of the same host; of several pinned candidates, the first one of the line wins.
    ///
    /// - Parameters:
    ///   - rule: the line that answers the stream.
    ///   - stream: text of the stream's `StreamName`, or the name of `rule` if it is a pattern. Choices for `stream` and
    ///     for the line as a whole apply.
    public func candidates(of rule: StreamRule, stream: String) -> Candidates {
        candidates(of: rule, choices: election.overrides.filter { $0.stream == stream || $0.stream == rule.name })
    }

    /// - Parameter choices: those for the stream.
    func candidates(of rule: StreamRule, choices: [Election.Choice]) -> Candidates {
        var result = Candidates()
        let line = rule.entrypoints.filter(hosts.indices.contains)
        result.hosts = line
        guard !choices.isEmpty else { return result }
        let barred = line.compactMap { host in choices.first { $0.host == host && $0.action == .bar } }
        result.areAllBarred = !line.isEmpty && barred.count == line.count
        if !result.areAllBarred {
            result.barred = barred
            result.hosts.removeAll { host in barred.contains { $0.host == host } }
        }
        let pins = result.hosts.compactMap { host in choices.first { $0.host == host && $0.action == .pin } }
        if let pin = pins.first, !result.areAllBarred {
            result.pinned = pin
            result.hosts.removeAll { $0 == pin.host }
            result.hosts.insert(pin.host, at: 0)
        }
        return result
    }

    /// The candidates in the order in which an encoder should try them: the leader first.
    func ingestOrder(_ candidates: Candidates, _ lead: Election.Lead?) -> [Int] {
        guard let leader = lead?.host, candidates.hosts.contains(leader) else { return candidates.hosts }
        return [leader] + candidates.hosts.filter { $0 != leader }
    }

    /// The strings of the TXT record at a stream's name: portset, policy, and operators' choices.
    package func streamText(_ rule: StreamRule, _ candidates: Candidates) -> [String] {
        var text = [rule.portset.text] + rule.policy.text
        if let pinned = candidates.pinned { text.append("pin=\(hosts[pinned.host].name)") }
        // A string has at most 255 bytes: more hosts than fit are continued in a further one with the same key.
        var line = ""
        for host in candidates.barred.map({ hosts[$0.host].name }) {
            if !line.isEmpty, line.utf8.count + 1 + host.utf8.count > 255 {
                text.append(line)
                line = ""
            }
            line += line.isEmpty ? "barred=\(host)" : ",\(host)"
        }
        return line.isEmpty ? text : text + [line]
    }

    /// What `explain` reports about a stream in addition to its line: the candidates in effective order with operators'
    /// choices, and who leads.
    package func candidatesText(_ candidates: Candidates, _ lead: Election.Lead?, serial: UInt32) -> [String] {
        func decision(_ choice: Election.Choice) -> String {
            "by \(choice.by) until \(UTCTime.text(choice.until)) (\(choice.reason))"
        }
        var text: [String] = []
        for (order, host) in candidates.hosts.enumerated() {
            let pin = candidates.pinned.flatMap { $0.host == host ? ", pinned \(decision($0))" : nil } ?? ""
            text.append("candidate=\(order + 1) \(hosts[host].name)\(pin)")
        }
        text += candidates.barred.map { "barred=\(hosts[$0.host].name) \(decision($0))" }
        if candidates.areAllBarred { text.append("answer=as the files have it: all candidates are barred") }
        return text + [leaderText(candidates, lead, serial: serial)]
    }

    private func leaderText(_ candidates: Candidates, _ lead: Election.Lead?, serial: UInt32) -> String {
        guard let lead else {
            let first = candidates.hosts.first.map { hosts[$0].name } ?? "nobody"
            return "leader=\(first), the first candidate: no witness reports another"
        }
        let name = lead.host.flatMap { hosts.indices.contains($0) ? hosts[$0].name : nil } ?? "nobody"
        return "leader=\(name) since serial \(lead.changedSerial == 0 ? serial : lead.changedSerial)"
    }
}

extension ZoneContent.StreamRule {
    /// The name as in the file: `live/news` or `live/*`.
    public var name: String { (segments + (isPattern ? ["*"] : [])).joined(separator: "/") }

    /// How the stream's entrypoints share the work.
    public var policy: StreamPolicy {
        StreamPolicy(
            isPull: ingest != .push, standby: standby, pullers: pullers, secondEncoder: secondEncoder,
            redirects: redirects)
    }
}

extension ZoneContent.StreamPortset {
    /// The text in TXT records: `portset=s4096` or `hash=0-4095`.
    var text: String {
        switch self {
        case .fixed(let portset): "portset=\(portset)"
        case .hashed(let range): "hash=\(range.lowerBound)-\(range.upperBound)"
        }
    }
}
