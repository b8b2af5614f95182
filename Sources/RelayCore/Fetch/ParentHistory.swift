import ReflectorModel

/// What a node remembers about parents across all streams: which of them failed.
struct ParentHistory {
    private var penalties = PenaltyTable()
    private let first: TimeSpan
    private let most: TimeSpan

    /// - Parameters:
    ///   - first: how long to avoid a parent after its first failure.
    ///   - most: the maximum, after several failures.
    init(first: TimeSpan, most: TimeSpan) {
        self.first = first
        self.most = most
    }

    mutating func fail(_ endpoint: Endpoint, at now: MonotonicInstant) {
        penalties.fail(endpoint, first: first, most: most, at: now)
    }

    mutating func wellNow(_ endpoint: Endpoint, at now: MonotonicInstant) {
        penalties.wellNow(endpoint, at: now)
    }
    /// The parent has shown in another way that it can be reached: it may be tried at once.
    mutating func forgive(_ endpoint: Endpoint, at now: MonotonicInstant) { penalties.forgive(endpoint, at: now) }
    func isAvoided(_ endpoint: Endpoint, at now: MonotonicInstant) -> Bool {
        penalties.isAvoided(endpoint, at: now)
    }

    /// Until when to avoid the endpoint; `now` if it is not avoided.
    func avoidedUntil(_ endpoint: Endpoint, at now: MonotonicInstant) -> MonotonicInstant {
        penalties.avoidedUntil(endpoint, at: now)
    }

    /// Whether it is avoided because it failed more than once without being well in between. A single dead link may be
    /// this node's own fault: it slept until the parent dropped the link, or lost datagrams in a burst.
    func hasFailedAgain(_ endpoint: Endpoint, at now: MonotonicInstant) -> Bool {
        penalties.hasFailedAgain(endpoint, at: now)
    }

    /// True if it never failed, or has been healthy for `span` since: good enough to return to.
    func isSteady(_ endpoint: Endpoint, for span: TimeSpan, at now: MonotonicInstant) -> Bool {
        penalties.isSteady(endpoint, for: span, at: now)
    }
}

/// Endpoints that failed as parents, and until when to avoid them. The penalty doubles with every failure, up to a
/// maximum, and starts over after the endpoint has been healthy for a long time.
struct PenaltyTable {
    private struct Entry {
        var until: MonotonicInstant
        var failures: Int
        /// Failures since it was last well.
        var inARow: Int
        /// Since when it has been healthy again; nil if it is not.
        var wellSince: MonotonicInstant?
    }
    private var entries: [Endpoint: Entry] = [:]
    static let countMax = 1_024
    /// After an endpoint has been healthy for this long, its next penalty is the first one again.
    static let forgottenAfter: TimeSpan = .seconds(60)

    mutating func fail(
        _ endpoint: Endpoint, first: TimeSpan, most: TimeSpan, at now: MonotonicInstant
    ) {
        if entries.count >= Self.countMax, entries[endpoint] == nil { entries.removeAll() }
        var before = entries[endpoint]?.failures ?? 0
        if let wellSince = entries[endpoint]?.wellSince, now - wellSince >= Self.forgottenAfter {
            before = 0
        }
        let failures = min(before + 1, 16)
        let inARow = entries[endpoint].map { $0.wellSince == nil ? min($0.inARow + 1, 16) : 1 } ?? 1
        let span = min(TimeSpan(nanoseconds: first.nanoseconds << Int64(failures - 1)), most)
        entries[endpoint] = Entry(until: now + span, failures: failures, inARow: inARow, wellSince: nil)
    }

    /// It need not be avoided now. Its next penalty is as long as if nothing had happened.
    mutating func forgive(_ endpoint: Endpoint, at now: MonotonicInstant) {
        if let entry = entries[endpoint], entry.until > now { entries[endpoint]?.until = now }
    }

    /// The link to it is alive (again).
    mutating func wellNow(_ endpoint: Endpoint, at now: MonotonicInstant) {
        if let entry = entries[endpoint], entry.wellSince == nil { entries[endpoint]?.wellSince = now }
    }

    func isAvoided(_ endpoint: Endpoint, at now: MonotonicInstant) -> Bool {
        avoidedUntil(endpoint, at: now) > now
    }

    func hasFailedAgain(_ endpoint: Endpoint, at now: MonotonicInstant) -> Bool {
        isAvoided(endpoint, at: now) && entries[endpoint]?.inARow ?? 0 >= 2
    }

    /// Until when to avoid the endpoint; `now` if it is not avoided.
    func avoidedUntil(_ endpoint: Endpoint, at now: MonotonicInstant) -> MonotonicInstant {
        guard let entry = entries[endpoint], entry.wellSince == nil else { return now }
        return max(entry.until, now)
    }

    /// True if it never failed, or has been healthy for `span` since: good enough to return to.
    func isSteady(_ endpoint: Endpoint, for span: TimeSpan, at now: MonotonicInstant) -> Bool {
        guard let entry = entries[endpoint] else { return true }
        guard let since = entry.wellSince else { return false }
        return now - since >= span
    }
}
