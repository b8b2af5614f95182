import DNSAnswers
import Logging

/// The overrides of a running name server: adds and expires them, writes them to the state directory, and reports every
/// change. Times are in seconds since 1970.
actor OverrideRegistry {
    private var table: OverrideTable
    private let store: OverrideStore?
    private let logger: Logger
    private let changed: @Sendable (Overrides) -> Void

    /// - Parameter changed: called with all overrides in force after every change.
    init(
        store: OverrideStore?, logger: Logger, at now: Int64, changed: @escaping @Sendable (Overrides) -> Void
    ) {
        self.store = store
        self.logger = logger
        self.changed = changed
        table = OverrideTable(entries: store?.load() ?? Overrides())
        _ = table.expire(at: now)
    }

    var entries: Overrides { table.entries }

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

    func put(
        _ action: EntrypointOverride.Action, _ host: String, of stream: String, zone: ZoneContent, seconds: Int64,
        reason: String, by name: String, isForced: Bool, at now: Int64
    ) throws(OverrideTable.Refusal) -> EntrypointOverride {
        let entry = try table.put(
            action, host, of: stream, zone: zone, seconds: seconds, reason: reason, by: name, isForced: isForced,
            at: now)
        logger.notice("override", metadata: ["operator": "\(name)", "line": "\(entry.line)"])
        publish()
        return entry
    }

    func clear(
        stream: String, host: String?, zone: String, by name: String
    ) throws(OverrideTable.Refusal) -> [EntrypointOverride] {
        let entries = try table.clear(stream: stream, host: host, zone: zone)
        for entry in entries {
            logger.notice("override cleared", metadata: ["operator": "\(name)", "line": "\(entry.line)"])
        }
        publish()
        return entries
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
