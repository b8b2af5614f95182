import DNSAnswers
import ZoneCompiler

/// The overrides in force, and the rules for adding and removing them. Times are in seconds since 1970.
struct OverrideTable: Sendable, Equatable {
    /// Maximum number of overrides at a time, of hosts, sites and entrypoints together.
    static let countMax = 256
    /// Maximum duration in seconds. For longer changes, operators edit the files.
    static let spanMax: Int64 = 30 * 86_400

    /// Why an override is refused.
    enum Refusal: Error, Equatable, CustomStringConvertible {
        case unknownZone(String)
        case unknownSubject(String, zone: String)
        case span
        case reason
        case tableFull
        /// The cells of these `map` lines would have no parent left.
        case emptiesCells([String])
        case noSuchOverride(String)
        case unknownStream(String, zone: String)
        case noCandidate(String, stream: String, candidates: [String])
        /// The stream would have no candidate left.
        case lastCandidate(String, stream: String)

        var description: String {
            switch self {
            case .unknownZone(let zone): "no zone \(zone) is served here"
            case .unknownSubject(let subject, let zone):
                "\(subject) is neither a host of a set region of \(zone) nor a site"
            case .span: "an override lasts from 1 s to \(OverrideTable.spanMax / 86_400) days"
            case .reason:
                "a reason is at most \(ZoneContent.Override.reasonMax) characters of printable ASCII"
            case .tableFull: "there are \(OverrideTable.countMax) overrides already; clear some"
            case .emptiesCells(let lines):
                "it would leave no parent at all to what these lines map: " + lines.joined(separator: ", ")
                    + "; use --force to do it anyway"
            case .noSuchOverride(let subject): "there is no override of \(subject)"
            case .unknownStream(let stream, let zone):
                "\(stream) is no stream of \(zone): no `stream` line answers it"
            case .noCandidate(let host, let stream, let candidates):
                "\(host) is not a candidate of \(stream); these are: \(candidates.joined(separator: ", "))"
            case .lastCandidate(let host, let stream):
                "without \(host), \(stream) would have no candidate left; use --force to do it anyway"
            }
        }
    }

    /// Of hosts and sites, in order of arrival.
    private(set) var hosts: [HostOverride] = []
    private var streams = EntrypointOverrides()

    /// The overrides in force.
    var entries: Overrides { Overrides(hosts: hosts, entrypoints: streams.entries) }

    init(entries: Overrides = Overrides()) {
        hosts = Array(entries.hosts.prefix(Self.countMax))
        streams = EntrypointOverrides(entries: Array(entries.entrypoints.prefix(Self.countMax - hosts.count)))
    }

    /// Removes expired overrides. True if there were any.
    mutating func expire(at now: Int64) -> Bool {
        let before = entries.count
        hosts.removeAll { $0.override.until <= now }
        streams.expire(at: now)
        return entries.count != before
    }

    /// Sets an override of a host or site; an existing override of the same subject ends.
    ///
    /// - Parameters:
    ///   - subject: a host name, or a site.
    ///   - seconds: how long it lasts.
    ///   - name: of the operator who sets it.
    ///   - hostStates: the current host states, including the overrides of this table.
    mutating func put(
        _ action: ZoneContent.Override.Action, _ subject: String, zone files: ZoneContent, seconds: Int64,
        reason: String, by name: String, isForced: Bool, hostStates: HostStates, at now: Int64
    ) throws(Refusal) -> HostOverride {
        try Self.check(seconds: seconds, reason: reason)
        guard let subject = Self.subject(subject.lowercased(), in: files) else {
            throw .unknownSubject(subject, zone: files.zone)
        }
        let entry = HostOverride(
            zone: files.zone, subject: subject,
            override: .init(action: action, reason: reason, until: now + seconds, by: name))
        var after = self
        after.hosts.removeAll { $0.zone == entry.zone && $0.subject == entry.subject }
        after.hosts.append(entry)
        guard after.entries.count <= Self.countMax else { throw .tableFull }
        if !isForced, action == .depool {
            var hostStates = hostStates
            let before = Set(EmptiedCells.rules(hostStates.applied(to: files)))
            hostStates.overrides = after.entries
            let emptied = EmptiedCells.rules(hostStates.applied(to: files)).filter { !before.contains($0) }
            guard emptied.isEmpty else { throw .emptiesCells(Self.lines(emptied, of: files)) }
        }
        self = after
        return entry
    }

    /// Ends the override of a host or site.
    mutating func clear(_ subject: String, zone: String) throws(Refusal) -> HostOverride {
        let name = subject.lowercased()
        guard let index = hosts.firstIndex(where: { $0.zone == zone && $0.subject.description == name }) else {
            throw .noSuchOverride(subject)
        }
        return hosts.remove(at: index)
    }

    /// Sets an override of one candidate of a stream; existing ones that contradict it end.
    ///
    /// - Parameters:
    ///   - stream: name of a stream, or a pattern as a `stream` line has it.
    ///   - host: name of the candidate.
    ///   - seconds: how long it lasts.
    ///   - name: of the operator who sets it.
    ///   - isForced: sets it even if a stream would have no candidate left.
    mutating func put(
        _ action: EntrypointOverride.Action, _ host: String, of stream: String, zone files: ZoneContent,
        seconds: Int64, reason: String, by name: String, isForced: Bool, at now: Int64
    ) throws(Refusal) -> EntrypointOverride {
        try Self.check(seconds: seconds, reason: reason)
        var after = self
        let entry = try after.streams.put(
            EntrypointOverride(
                zone: files.zone, stream: stream, host: host, action: action, reason: reason, until: now + seconds,
                by: name),
            lines: StreamLines(files), isForced: isForced)
        guard after.entries.count <= Self.countMax else { throw .tableFull }
        self = after
        return entry
    }

    /// Ends the overrides of a stream: of one candidate, or of all of them without `host`.
    mutating func clear(
        stream: String, host: String?, zone: String
    ) throws(Refusal) -> [EntrypointOverride] {
        try streams.clear(stream, host: host, zone: zone)
    }

    private static func check(seconds: Int64, reason: String) throws(Refusal) {
        guard (1...spanMax).contains(seconds) else { throw .span }
        guard HostOverride.isReason(reason) else { throw .reason }
    }

    private static func subject(_ name: String, in files: ZoneContent) -> HostOverride.Subject? {
        let hosts = files.setRegions.flatMap(\.members).filter { files.hosts.indices.contains($0.host) }
        if hosts.contains(where: { files.hosts[$0.host].name == name }) { return .host(name) }
        return !name.isEmpty && files.setRegions.contains { $0.site.lowercased() == name } ? .site(name) : nil
    }

    /// `FILE:LINE (map …)` of up to five rules, then the number of the others.
    private static func lines(_ rules: [Int], of files: ZoneContent) -> [String] {
        let named = rules.prefix(5).map { "\(files.rules[$0].source) (\(files.rules[$0].text(in: files)))" }
        return rules.count > 5 ? named + ["\(rules.count - 5) more"] : named
    }
}
