import ReflectorModel

/// The lease of a child's link. The child renews it by echoing a nonce from the heartbeats. The nonce changes
/// regularly, so that a replayed Renew does not renew the lease for long.
struct ChildLease {
    /// The current nonce, which the heartbeats carry.
    private(set) var nonce: UInt64
    /// The previous nonce, which the child may still echo.
    private var nonceBefore: UInt64?
    private var nonceSince: MonotonicInstant
    /// The link is closed at this time if no Renew arrives. Read by the link's timer.
    private(set) var expires: MonotonicInstant
    /// The child's subscriptions differ from those known here. The heartbeats tell the child so.
    private(set) var isMismatched = false
    /// The nonce in the last Renew that was processed in full.
    private var echoed: UInt64?
    /// When a Renew was last processed in full.
    private var renewedAt: MonotonicInstant?
    /// When the last heartbeat was sent. Read by the link's timer.
    private(set) var lastHeartbeat: MonotonicInstant

    /// Renews that arrive closer together than this only extend the lease.
    private static let spacing: TimeSpan = .milliseconds(20)

    init(nonce: UInt64, expires: MonotonicInstant, now: MonotonicInstant) {
        self.nonce = nonce
        self.expires = expires
        nonceSince = now
        lastHeartbeat = now
    }

    /// Extends the lease. False if the nonce is not one of the last two.
    mutating func renew(by nonce: UInt64, until expires: MonotonicInstant) -> Bool {
        guard nonce == self.nonce || nonce == nonceBefore else { return false }
        self.expires = expires
        return true
    }

    /// True if the subscriptions in a Renew should be checked now: at most once per `spacing`, however often the child
    /// renews.
    mutating func takeTurn(at now: MonotonicInstant) -> Bool {
        if let renewedAt, now - renewedAt < Self.spacing { return false }
        renewedAt = now
        return true
    }

    /// A Renew is processed in full. True if the child repeats a nonce: it wants a sign of life.
    mutating func noteEcho(of nonce: UInt64) -> Bool {
        defer { echoed = nonce }
        return nonce == echoed
    }

    mutating func noteSubscriptions(match: Bool) { isMismatched = !match }

    /// A heartbeat is about to be sent. It carries a new nonce if the current one has been in use for at least
    /// `interval`.
    mutating func beginHeartbeat(
        nonceInterval interval: TimeSpan, at now: MonotonicInstant, newNonce: () -> UInt64
    ) {
        lastHeartbeat = now
        guard now - nonceSince >= interval else { return }
        nonceBefore = nonce
        nonce = newNonce()
        nonceSince = now
    }
}
