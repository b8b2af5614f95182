import ReflectorModel
import RelayWire

/// The feeds on the LAN: those from which this node takes streams, by their tokens, the groups that its shell has joined
/// for them, and the streams that this node sends to groups. There are no more feeds than paths, no more groups than
/// `LanGroups.countMax`, and no more outlets than streams.
struct LanFeeds {
    private var paths: [UInt64: StreamPath] = [:]
    /// How many feeds use each group.
    private var groups: [Endpoint: Int] = [:]

    /// The path whose feed has this token.
    @inline(__always) func path(token: UInt64) -> StreamPath? { paths.isEmpty ? nil : paths[token] }

    func isFree(token: UInt64) -> Bool { paths[token] == nil }

    /// A path may take its stream from a feed. True if the group must be joined.
    mutating func add(_ place: LanFeed.Place, _ path: StreamPath) -> Bool {
        paths[place.token] = path
        groups[place.group, default: 0] += 1
        return groups[place.group] == 1
    }

    /// True if the group must be left.
    mutating func remove(_ place: LanFeed.Place) -> Bool {
        guard paths.removeValue(forKey: place.token) != nil, let count = groups[place.group] else { return false }
        groups[place.group] = count > 1 ? count - 1 : nil
        return count == 1
    }

    /// How many groups are received.
    var groupCount: Int { groups.count }

    // MARK: Feeds that this node sends

    /// Slots of the streams that go to a group.
    private(set) var outlets: [Int] = []
    private var tendedAt = MonotonicInstant.zero

    mutating func noteOutlet(of slot: Int) { if !outlets.contains(slot) { outlets.append(slot) } }
    mutating func forgetOutlet(of slot: Int) { outlets.removeAll { $0 == slot } }

    /// Whether the feeds should be looked after now. If so, false for the next `interval`.
    mutating func isTendingDue(interval: TimeSpan, at now: MonotonicInstant) -> Bool {
        guard !outlets.isEmpty, now - tendedAt >= interval else { return false }
        tendedAt = now
        return true
    }
}
