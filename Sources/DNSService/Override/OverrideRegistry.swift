import DNSAnswers
import Logging

/// The overrides of a running name server: adds and expires them, writes them to the state directory, and reports every
/// change. Times are in seconds since 1970.
actor OverrideRegistry {
    private var table: OverrideTable
    private let store: OverrideStore?
    private let logger: Logger
    private let changed: @Sendable ([HostOverride]) -> Void

    /// - Parameter changed: called with all overrides in force after every change.
    init(
        store: OverrideStore?, logger: Logger, at now: Int64, changed: @escaping @Sendable ([HostOverride]) -> Void
    ) {
        self.store = store
        self.logger = logger
        self.changed = changed
        table = OverrideTable(entries: store?.load() ?? [])
        _ = table.expire(at: now)
    }

    var entries: [HostOverride] { table.entries }

    func put(
        _ action: ZoneContent.Override.Action, _ subject: String, zone: ZoneContent, seconds: Int64, reason: String,
        by name: String, isForced: Bool, hostStates: HostStates, at now: Int64
    ) throws(OverrideTable.Refusal) -> HostOverride {
        let entry = try table.put(
            action, subject, zone: zone, seconds: seconds, reason: reason, by: name, isForced: isForced,
            hostStates: hostStates, at: now)
        logger.notice("override", metadata: ["operator": "\(name)", "line": "\(entry.line)"])
        publish()
        return entry
    }

    func clear(_ subject: String, zone: String, by name: String) throws(OverrideTable.Refusal) -> HostOverride {
        let entry = try table.clear(subject, zone: zone)
        logger.notice("override cleared", metadata: ["operator": "\(name)", "line": "\(entry.line)"])
        publish()
        return entry
    }

    /// Removes expired overrides.
    func expire(at now: Int64) {
        guard table.expire(at: now) else { return }
        logger.notice("overrides ended", metadata: ["left": "\(table.entries.count)"])
        publish()
    }

    private func publish() {
        do {
            try store?.save(table.entries)
        } catch {
            logger.error("overrides not stored: \(error)")
        }
        changed(table.entries)
    }
}
