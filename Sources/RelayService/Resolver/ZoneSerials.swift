import LDNSKit
import ReflectorModel

/// Queries the zone's serial in parallel with look-ups. Look-ups that start at about the same time share one query.
actor ZoneSerials {
    /// How long a serial is reused for later look-ups: long enough for look-ups that start together, but so short that
    /// the zone almost never changes in between.
    private static let shared = TimeSpan.milliseconds(100)
    private static let timeout = TimeSpan.seconds(1)

    private let zone: String
    private let queries: ServerQueries
    private let clock: @Sendable () -> MonotonicInstant
    private var asked: (at: MonotonicInstant, task: Task<UInt32?, Never>)?

    init(zone: String, queries: ServerQueries, clock: @escaping @Sendable () -> MonotonicInstant) {
        self.zone = zone
        self.queries = queries
        self.clock = clock
    }

    /// The zone's serial; nil if no server answers.
    func serial() async -> UInt32? {
        let now = clock()
        if let asked, now - asked.at < Self.shared { return await asked.task.value }
        let (zone, queries) = (zone, queries)
        let task = Task { () -> UInt32? in
            guard case .success(let outcome) = await queries.ask(zone, LDNSType.soa, until: now + Self.timeout),
                case .records(let records, _) = outcome.reading
            else { return nil }
            return records.lazy.compactMap(AnswerReading.serial).first
        }
        asked = (now, task)
        return await task.value
    }

    func shutDown() { asked?.task.cancel() }
}
