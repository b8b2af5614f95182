import ReflectorModel
import RelayWire

/// What an entrypoint sends to the set reflectors: the list of streams that it can provide, in pages, whenever it
/// changes; and heartbeats with the version and digest of the list, by which a set reflector detects a missed change.
struct Announcer {
    /// What to do about a changed list.
    enum Due: Equatable {
        case nothing
        /// A list was sent recently: this one waits until the given instant. So a thousand streams that begin together
        /// are announced together.
        case later(MonotonicInstant)
        case now
    }

    /// The set reflectors to announce to, as named in the zone. Set by `follow`.
    private(set) var targets: [HostAddresses] = []
    /// Increases with every change of the list.
    private var version: UInt64 = 1
    /// The digest of this version of the list; nil until it is needed.
    private var digest: UInt64?
    private var lastSent: MonotonicInstant = .zero
    /// The list has changed since it was last sent.
    private var isOwed = false
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

    mutating func noteChange() {
        version += 1
        digest = nil
        isOwed = true
    }

    /// Whether to send the list now. After `.now` it is no longer owed.
    mutating func takeDue(at now: MonotonicInstant) -> Due {
        guard isOwed else { return .nothing }
        let due = lastSent + Self.spacing
        guard now >= due || lastSent == .zero else { return .later(due) }
        isOwed = false
        return .now
    }

    mutating func noteSent(at now: MonotonicInstant) { lastSent = now }

    /// True once every ten seconds, when the streams' candidate lists should be marked as used so that they are not
    /// evicted.
    mutating func takeNamesDue(at now: MonotonicInstant) -> Bool {
        if let namesUsedAt, now - namesUsedAt < Self.namesInterval { return false }
        namesUsedAt = now
        return true
    }

    /// The whole list, in pages of one datagram each; one empty page if the list is empty.
    func pages(of entries: [Announce.Entry]) -> [Announce] {
        var pages: [ArraySlice<Announce.Entry>] = []
        var rest = entries[...]
        repeat {
            let count = ControlCodec.entriesInOnePage(rest)
            pages.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        } while !rest.isEmpty
        return pages.enumerated().map { number, page in
            Announce(
                version: version, page: UInt16(clamping: number), pages: UInt16(clamping: pages.count),
                entries: Array(page))
        }
    }

    /// - Parameter entries: returns the list; called only if the list has changed since its digest was last needed.
    mutating func heartbeat(source: NodeID, entries: () -> [Announce.Entry], at now: MonotonicInstant)
        -> Heartbeat
    {
        let digest =
            digest
            ?? entries().reduce(UInt64(0)) {
                $0 &+ AnnouncementList.digest(of: $1, source: source)
            }
        self.digest = digest
        return Heartbeat(version: version, digest: digest, timestamp: TimestampEcho.stamp(now))
    }
}
