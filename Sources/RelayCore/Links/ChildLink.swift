import NodeIdentity
import ReflectorModel
import RelayWire

/// This node's end of a link that a child opened. It exists only after the handshake has proved that the child receives
/// at its address, and lives as long as the child renews its lease by echoing fresh nonces.
///
/// The class is only a record. Each group of properties belongs to the part of the node that its heading names, and
/// the type of each property guards its own state.
final class ChildLink: EgressLine {
    let slot: Int
    let endpoint: Endpoint
    /// Number of our own address on which the link was opened (`RelayNode.receive`).
    let local: UInt8
    let node: NodeID
    let name: String
    let role: NodeRole
    let region: RegionID?
    /// What the child's certificate says. Changed when the link gets new keys.
    private(set) var certificate: CertificateContent
    /// The nonce of the newest handshake of this link, and our clock when we made the cookie for it.
    private(set) var nonce: Nonce
    private(set) var cookieMilliseconds: UInt64
    /// The certificate of a handshake that is to give new keys to the link.
    private var offered: CertificateContent?
    private var renewal = LinkRenewal()

    // MARK: LinkKeeper

    /// In the session, the own token is the parent's (this node's), and the peer token is the child's.
    var session: LinkSession
    var lease: ChildLease
    var roundTrip = RoundTrip()
    var echo = TimestampEcho()
    var delayVariation = DelayVariation()
    /// Set by `LinkMeter`.
    var measurements: (any LinkMeasurements)?
    /// The packet size that the path to the child carries.
    var size = PathSize()
    var report = ChildReport()
    /// Fed by the child's reports.
    var breaker = CircuitBreaker()
    /// Rate limits: NAKs, of which a child on a lossy line sends many, and all other control messages.
    private var nakMessages = TokenBucket(rate: 20_000, depth: 20_000)
    private var messages = TokenBucket(rate: 2_000, depth: 10_000)
    /// A control message has arrived from the child, which proves that it has the link's keys. Read when a link must be
    /// evicted.
    private(set) var hasSpoken = false
    private(set) var lastReceived: MonotonicInstant
    /// Used on the links of entrypoints that this node observes as a witness.
    var death = DeathEvidence()
    /// When anything was last sent. Read by the link's timer.
    private(set) var lastSent: MonotonicInstant
    var wakeup = Wakeup()
    /// When the next alarm about this link may be raised.
    var alarms = AlarmSpacing()

    // MARK: Server

    var subscriptions = ChildSubscriptions()
    var queues = ChildQueues()
    /// Which of the child's NAKs are answered.
    var responder: NakResponder
    /// Requests that wait for their turn.
    var requests = WaitingRequests()
    /// Limits how often a backlog may start with a whole burst.
    private var bursts = TokenBucket(rate: 32, depth: 256)
    /// Limits how often the child may request the name of a stream that is unknown to this node.
    private var names: NameRateLimiter?

    // MARK: AnnouncementRegistry

    /// Present if the child is an entrypoint that announces on this link.
    var announcements: AnnouncementList?

    // MARK: Witness

    /// What this node, as a witness, has told the child about streams.
    var reporting = WitnessReporting()

    init(
        slot: Int, endpoint: Endpoint, local: UInt8 = 0, _ child: any LinkApplicant, parentToken: UInt64,
        keys: LinkKeys, leaseNonce: UInt64, lease: TimeSpan, now: MonotonicInstant
    ) {
        self.slot = slot
        self.endpoint = endpoint
        self.local = local
        node = child.node
        name = child.name
        role = child.role
        region = child.region
        certificate = child.certificate
        nonce = child.nonce
        cookieMilliseconds = child.cookieMilliseconds
        session = LinkSession(ownToken: parentToken)
        session.open(peerToken: child.request.childToken, keys: keys)
        renewal.noteKeys(packets: 0, at: now)
        self.lease = ChildLease(nonce: leaseNonce, expires: now + lease, now: now)
        lastSent = now
        lastReceived = now
        responder = NakResponder(now: now)
    }

    var token: UInt64 { session.peerToken }
    var parentToken: UInt64 { session.ownToken }
    /// Its subscriptions, in the order in which they began.
    var ordered: [ChildSubscription] { subscriptions.ordered }
    var announces: Bool { announcements != nil }

    // MARK: New keys

    /// The child may use new keys from now on. Returns an older set of keys, which the caller must release.
    func offer(
        _ child: any LinkApplicant, ownToken: UInt64, keys: LinkKeys, at now: MonotonicInstant
    ) -> LinkSession.Dropped? {
        offered = child.certificate
        nonce = child.nonce
        cookieMilliseconds = child.cookieMilliseconds
        return session.offer(ownToken: ownToken, peerToken: child.request.childToken, keys: keys)
    }

    /// An authentic message has arrived under this token. True if the link uses new keys from now on.
    func confirmKeys(_ token: UInt64, at now: MonotonicInstant) -> Bool {
        guard session.confirm(token) else { return false }
        certificate = offered ?? certificate
        offered = nil
        renewal.noteKeys(packets: queues.nextLinkNumber, at: now)
        return true
    }

    /// The keys before the last change, once nothing under them can be in transit any more. An offer that the child has
    /// not used stays until the next one.
    func takeOldKeys(at now: MonotonicInstant) -> LinkSession.Dropped? {
        offered == nil && renewal.isOldOver(at: now) ? session.dropOther() : nil
    }

    /// True if the child has not changed the link's keys although their time is over.
    func isOverdue(at now: MonotonicInstant) -> Bool { renewal.isOver(packets: queues.nextLinkNumber, at: now) }

    /// Whether the peer's certificate should be checked again now.
    func takeStandingCheck(at now: MonotonicInstant) -> Bool { renewal.takeStandingCheck(at: now) }

    /// An authentic control message has arrived. False if the child has exceeded its rate limit.
    func noteReceived(isNak: Bool, at now: MonotonicInstant) -> Bool {
        hasSpoken = true
        guard isNak ? nakMessages.take(at: now) : messages.take(at: now) else { return false }
        lastReceived = now
        return true
    }

    @inline(__always) func noteSent(at now: MonotonicInstant) { lastSent = now }

    func noteResidence(_ span: TimeSpan, count: Int, at now: MonotonicInstant) {
        measurements?.record(.residence, span, count: count, at: now)
    }

    /// True if a backlog may start with a whole burst now. Takes a token for it.
    func takeBurst(at now: MonotonicInstant) -> Bool { bursts.take(at: now) }

    /// True if the child may now request a stream that this node does not have. Takes a token for it.
    func mayBringUpName(_ configuration: RelayConfiguration, at now: MonotonicInstant) -> Bool {
        var limiter =
            names
            ?? NameRateLimiter(burst: configuration.newNamesBurst, perSecond: configuration.newNamesPerSecond, at: now)
        defer { names = limiter }
        return limiter.take(at: now)
    }
}
