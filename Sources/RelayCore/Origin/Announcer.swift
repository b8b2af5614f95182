import ReflectorModel
import RelayWire

/// What an entrypoint sends to the set reflectors: the list of streams that it can provide, and then whatever changes in
/// it; and heartbeats with the version and digest of the list, by which a set reflector detects a missed change.
struct Announcer {
    /// What to do about a changed list.
    enum Due: Equatable {
        case nothing
        /// A change was sent recently: this one waits until the given instant. So a thousand streams that begin together
        /// are announced together.
        case later(MonotonicInstant)
        case now
    }

    /// The set reflectors to announce to, as named in the zone. Set by `follow`.
    private(set) var targets: [HostAddresses] = []
    private var list = VersionedList<Announce.Entry>()
    /// The digest of this version of the list.
    private var digest: UInt64 = 0
    /// Streams that may have changed since the list was last updated; a stream may be there more than once.
    private var touched: [StreamName] = []
    private var lastSent: MonotonicInstant = .zero
    /// When the names that the streams need were last marked as used.
    private var namesUsedAt: MonotonicInstant?

    /// Minimum time between two lists.
    private static let spacing: TimeSpan = .milliseconds(50)
    private static let namesInterval: TimeSpan = .seconds(10)

    mutating func follow(_ hosts: [HostAddresses]) { targets = hosts }

    /// True if the zone names set reflectors, but none with this address.
    func isUnlisted(_ endpoint: Endpoint) -> Bool {
        !targets.isEmpty
            && !targets.contains { $0.host.endpoint == endpoint || $0.others.contains(endpoint) }
    }

    // MARK: The list

    /// The version that is announced.
    var version: UInt64 { list.version }

    mutating func noteChange(of stream: StreamName) { touched.append(stream) }

    /// Brings the list up to date.
    ///
    /// - Parameter entry: what the node has of a stream now; nil if it is not to be announced.
    mutating func update(source: NodeID, _ entry: (StreamName) -> Announce.Entry?) {
        for stream in touched {
            let (old, new) = (list[stream], entry(stream))
            guard list.set(new, of: stream) else { continue }
            if let old { digest = digest &- AnnouncementList.digest(of: old, source: source) }
            if let new { digest = digest &+ AnnouncementList.digest(of: new, source: source) }
        }
        touched = []
        list.commit()
    }

    /// What a set reflector needs that holds this version of the list: the changes or, if these are not known, the whole
    /// list.
    ///
    /// - Parameter held: 0 for none.
    func pages(since held: UInt64) -> [Announce] {
        guard held != list.version else { return [] }
        let contents = list.contents(since: held, withdrawn: Announce.Entry.withdrawn)
        return Announce.pages(version: list.version, base: contents.base, of: contents.entries)
    }

    // MARK: When to send

    /// Whether to send changes now.
    func due(at now: MonotonicInstant) -> Due {
        guard !touched.isEmpty else { return .nothing }
        let due = lastSent + Self.spacing
        return now >= due || lastSent == .zero ? .now : .later(due)
    }

    mutating func noteSent(at now: MonotonicInstant) { lastSent = now }

    /// True once every ten seconds, when the streams' candidate lists should be marked as used so that they are not
    /// evicted.
    mutating func takeNamesDue(at now: MonotonicInstant) -> Bool {
        if let namesUsedAt, now - namesUsedAt < Self.namesInterval { return false }
        namesUsedAt = now
        return true
    }

    func heartbeat(at now: MonotonicInstant) -> Heartbeat {
        Heartbeat(version: list.version, digest: digest, timestamp: TimestampEcho.stamp(now))
    }
}
