import ReflectorModel

/// Leadership 1 of one stream, as one member of the region sees it.
///
/// ```
/// vacant ──placed on this member──▶ led here ──another one leads that the hash prefers, or that takes it over──▶ led there
/// ```
struct RegionSlot: Equatable {
    /// Why the leader is what it is.
    enum Cause: String {
        /// It led already, and a live leader keeps its slot.
        case keeps = "a live leader keeps its slot"
        /// Nobody led.
        case placed = "nobody led; placed by hash within the bound of 1.25 times the mean"
        /// Another one was asked to lead, and does not get the stream yet.
        case handingOver = "it leads until another one, which it asked, gets the stream"
        /// Two led.
        case preferred = "two led it; this one is preferred by hash"
    }

    /// The member that leads, or that should.
    private(set) var leader: NodeID
    private(set) var cause: Cause
    /// The leader says so itself.
    private(set) var isClaimed: Bool
    private(set) var since: MonotonicInstant

    init(leader: NodeID, cause: Cause, isClaimed: Bool, at now: MonotonicInstant) {
        self.leader = leader
        self.cause = cause
        self.isClaimed = isClaimed
        since = now
    }

    /// Takes the result of an evaluation. True if the leader is another one.
    mutating func update(leader: NodeID, cause: Cause, isClaimed: Bool, at now: MonotonicInstant) -> Bool {
        self.isClaimed = isClaimed
        guard leader != self.leader else {
            if cause == .preferred || cause == .handingOver { self.cause = cause }
            return false
        }
        (self.leader, self.cause, since) = (leader, cause, now)
        return true
    }
}
