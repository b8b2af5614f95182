import DNSAnswers
import ZoneCompiler

/// The overrides in force, and the rules for adding and removing them. Times are in seconds since 1970.
struct OverrideTable: Sendable, Equatable {
    /// Maximum number of overrides at a time.
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
            }
        }
    }

    /// In order of arrival.
    private(set) var entries: [HostOverride] = []

    init(entries: [HostOverride] = []) { self.entries = Array(entries.prefix(Self.countMax)) }

    /// Removes expired overrides. True if there were any.
    mutating func expire(at now: Int64) -> Bool {
        let before = entries.count
        entries.removeAll { $0.override.until <= now }
        return entries.count != before
    }

    /// Sets an override; an existing override of the same subject ends.
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
        guard (1...Self.spanMax).contains(seconds) else { throw .span }
        guard HostOverride.isReason(reason) else { throw .reason }
        guard let subject = Self.subject(subject.lowercased(), in: files) else {
            throw .unknownSubject(subject, zone: files.zone)
        }
        let entry = HostOverride(
            zone: files.zone, subject: subject,
            override: .init(action: action, reason: reason, until: now + seconds, by: name))
        var after = self
        after.entries.removeAll { $0.zone == entry.zone && $0.subject == entry.subject }
        guard after.entries.count < Self.countMax else { throw .tableFull }
        after.entries.append(entry)
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
        guard let index = entries.firstIndex(where: { $0.zone == zone && $0.subject.description == name }) else {
            throw .noSuchOverride(subject)
        }
        return entries.remove(at: index)
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
