import ReflectorModel
import RelayWire

/// This node's end of a link that a child opened. It exists only after the handshake has proved that the child receives
/// at its address, and lives as long as the child renews its lease by echoing fresh nonces.
///
/// The class is only a record. Each group of properties belongs to the part of the node that its heading names, and
/// the type of each property guards its own state.
final class ChildLink {
    let slot: Int
    let endpoint: Endpoint
    /// Number of our own address on which the link was opened (`RelayNode.receive`).
    let local: UInt8
    let node: NodeID
    let name: String
    let role: NodeRole
    let region: RegionID?
    let nonce: HandshakeNonce
    /// Our clock when we made the cookie with which this link was opened.
    let cookieMilliseconds: UInt64
    let parentNonce: HandshakeNonce
    let keyPhase: UInt8

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

    init(
        slot: Int, endpoint: Endpoint, local: UInt8 = 0, open: Open, parentToken: UInt64, parentNonce: HandshakeNonce,
        keys: LinkKeys, leaseNonce: UInt64, lease: TimeSpan, now: MonotonicInstant
    ) {
        self.slot = slot
        self.endpoint = endpoint
        self.local = local
        node = open.node
        name = open.name
        role = open.role
        region = open.region
        nonce = open.nonce
        cookieMilliseconds = open.cookie.milliseconds
        keyPhase = open.keyPhase
        self.parentNonce = parentNonce
        session = LinkSession(ownToken: parentToken)
        session.open(peerToken: open.childToken, keys: keys)
        self.lease = ChildLease(nonce: leaseNonce, expires: now + lease, now: now)
        lastSent = now
        lastReceived = now
        responder = NakResponder(now: now)
    }

    var childToken: UInt64 { session.peerToken }
    var parentToken: UInt64 { session.ownToken }
    /// Its subscriptions, in the order in which they began.
    var ordered: [ChildSubscription] { subscriptions.ordered }
    var announces: Bool { announcements != nil }

    /// An authentic control message has arrived. False if the child has exceeded its rate limit.
    func noteReceived(isNak: Bool, at now: MonotonicInstant) -> Bool {
        hasSpoken = true
        guard isNak ? nakMessages.take(at: now) : messages.take(at: now) else { return false }
        lastReceived = now
        return true
    }

    @inline(__always) func noteSent(at now: MonotonicInstant) { lastSent = now }

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
