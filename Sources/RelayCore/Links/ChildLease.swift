import ReflectorModel

/// The lease of a child's link. The child renews it by echoing a nonce that heartbeats carry and that changes now and then,
/// so a Renew recorded by somebody else renews nothing for long.
struct ChildLease {
    /// What the next heartbeat carries.
    private(set) var nonce: UInt64
    /// The nonce before, which the child may still echo.
    private var nonceBefore: UInt64 = 0
    private var nonceSince: MonotonicInstant
    /// Without a Renew the link is closed then. Read by the link's timer.
    private(set) var expires: MonotonicInstant
    /// The child's subscriptions differ from those known here. Heartbeats report it.
    private(set) var isMismatched = false
    /// When a Renew was last carried out.
    private var renewedAt: MonotonicInstant?
    /// When the last heartbeat was sent. Read by the link's timer.
    private(set) var lastHeartbeat: MonotonicInstant

    /// Renews that follow each other more closely only prolong the lease.
    private static let spacing: TimeSpan = .milliseconds(20)

    init(nonce: UInt64, expires: MonotonicInstant, now: MonotonicInstant) {
        self.nonce = nonce
        self.expires = expires
        nonceSince = now
        lastHeartbeat = now
    }

    /// Prolongs the lease. False if the nonce is not one of the last two.
    mutating func renew(by nonce: UInt64, until expires: MonotonicInstant) -> Bool {
        guard nonce == self.nonce || nonce == nonceBefore else { return false }
        self.expires = expires
        return true
    }

    /// True if what a Renew says of subscriptions is to be looked at: however often a child renews, that is done only now
    /// and then.
    mutating func takeTurn(at now: MonotonicInstant) -> Bool {
        if let renewedAt, now - renewedAt < Self.spacing { return false }
        renewedAt = now
        return true
    }

    mutating func noteSubscriptions(match: Bool) { isMismatched = !match }

    /// A heartbeat is about to be sent: it carries a new nonce if the last one is older than `interval`.
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
