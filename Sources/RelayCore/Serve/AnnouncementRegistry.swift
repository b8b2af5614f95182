import ReflectorModel

/// Which child links announce streams to a set reflector, in order of opening, and when lists of theirs that are
/// incomplete expire. The lists themselves are soft state of their links.
struct AnnouncementRegistry {
    /// Slots of child links. Changed by `add` and `remove`.
    private(set) var announcers: [Int] = []
    /// When incomplete lists are next looked for; nil if there is none. Read when the node's timer is set.
    private(set) var expiry: MonotonicInstant?

    mutating func add(_ slot: Int) { announcers.append(slot) }
    mutating func remove(_ slot: Int) { announcers.removeAll { $0 == slot } }

    /// A list is incomplete. Returns when to look whether it still is, if that is not settled already.
    mutating func noteIncomplete(patience: TimeSpan, at now: MonotonicInstant) -> MonotonicInstant? {
        guard expiry == nil else { return nil }
        expiry = now + patience
        return expiry
    }

    /// True if incomplete lists are to be looked for now; `noteIncomplete` for those that stay.
    mutating func takeExpiry(at now: MonotonicInstant) -> Bool {
        guard let expiry, now >= expiry else { return false }
        self.expiry = nil
        return true
    }
}
