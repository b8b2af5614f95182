import DequeModule
import ReflectorModel
import RelayWire

/// Our end of a link that a child opened to us. It exists only after the handshake proved that the child receives at its
/// address, and lives as long as the child renews its lease by echoing fresh nonces.
final class ChildLink {
    /// A packet on its way to this child. Checked against the log again when it is sent.
    struct Queued {
        var slot: Int32
        var sequence: SequenceNumber
        var tag: IncarnationTag
        var isRetransmit: Bool
    }

    let slot: Int
    let endpoint: Endpoint
    /// Number of our own address to which it was opened (`RelayNode.receive`).
    let local: UInt8
    let node: NodeID
    let name: String
    let role: NodeRole
    let region: RegionID?
    let nonce: HandshakeNonce
    /// Our clock when the cookie was made by which this link was opened.
    let cookieMilliseconds: UInt64
    /// Its own token is the parent's, the peer's the child's.
    var session: LinkSession
    var childToken: UInt64 { session.peerToken }
    var parentToken: UInt64 { session.ownToken }
    let parentNonce: HandshakeNonce
    let keyPhase: UInt8
    var scheduled: MonotonicInstant = .distantFuture

    var roundTrip = RoundTrip()
    var echo = TimestampEcho()
    var delayVariation = DelayVariation()
    var measurements: (any LinkMeasurements)?
    var leaseNonce: UInt64 = 0
    var leaseNonceBefore: UInt64 = 0
    var leaseNonceAge: MonotonicInstant
    var leaseExpires: MonotonicInstant
    var digestMismatch = false

    /// A control message of the child has come, which shows that it has the link's keys.
    var hasSpoken = false
    /// What the child may send: NAKs, which are many where a line loses, and all else.
    var nakMessages = TokenBucket(rate: 20_000, depth: 20_000)
    var messages = TokenBucket(rate: 2_000, depth: 10_000)
    /// Requests that wait for their turn.
    var requests = WaitingRequests()
    /// Backlogs that may begin with a whole burst.
    private var bursts = TokenBucket(rate: 32, depth: 256)
    /// Until then no Renew is answered or carried out again.
    var renewedAt: MonotonicInstant?
    var nextLinkNumber: UInt32 = 1
    var lastHeartbeat: MonotonicInstant
    var lastSent: MonotonicInstant
    var lastReceived: MonotonicInstant
    var subscriptions: [UInt32: ChildSubscription] = [:]
    /// Ids by slot of the stream: a link has one subscription of each.
    private var idOfStream: [Int: UInt32] = [:]
    /// The same in order of subscribing, for everything that walks them.
    var ordered: [ChildSubscription] = []
    var digest: UInt64 = 0
    /// Where the next page of heartbeat entries starts.
    var heartbeatPage = 0

    var live = Deque<Queued>()
    var repair = Deque<Queued>()
    var isDirty = false
    /// Live packets sent since their residence was last sampled, and when that was.
    var unsampled = 0
    var sampledAt: MonotonicInstant = .zero
    /// When a backlog last went over into the live queue: what arrived until then did not stay here for want of speed.
    var caughtUp: MonotonicInstant = .zero
    /// Retransmits and backlog packets sent since `burstStart`.
    var burst = 0
    var burstStart: MonotonicInstant = .zero

    /// What of the child's NAKs is answered.
    var responder: NakResponder

    var packetsSent: UInt64 = 0
    var retransmitsSent: UInt64 = 0
    /// What its path carries.
    var size = PathSize()
    var report = ChildReport()
    /// By what the child reports.
    var breaker = CircuitBreaker()
    /// For an entrypoint that announces on this link.
    var announcements: AnnouncementList?
    var announces: Bool { announcements != nil }
    var heartbeatReceived: MonotonicInstant?
    /// Streams that it may bring up which this node does not carry yet.
    private var names: NameRateLimiter?
    /// When something wrong with it is told again.
    var alarms = AlarmSpacing()

    init(
        slot: Int, endpoint: Endpoint, local: UInt8 = 0, open: Open, parentToken: UInt64,
        parentNonce: HandshakeNonce,
        keys: LinkKeys,
        leaseNonce: UInt64, lease: TimeSpan, now: MonotonicInstant
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
        self.leaseNonce = leaseNonce
        leaseNonceAge = now
        lastHeartbeat = now
        leaseExpires = now + lease
        lastSent = now
        lastReceived = now
        responder = NakResponder(now: now)
    }

    /// The residence of packets is sampled this often: a histogram costs as much as all else that we do for a packet and
    /// child. Each sample stands for all packets since the one before. A packet that stays as long as this is always one.
    private static var sampleInterval: TimeSpan { .milliseconds(10) }

    /// Live packets were sent, the oldest of which arrived then.
    @inline(__always) func noteSent(_ count: Int, arrived: MonotonicInstant, at now: MonotonicInstant) {
        unsampled += count
        guard now - sampledAt >= Self.sampleInterval, arrived > caughtUp else { return }
        measurements?.record(.residence, now - arrived, count: unsampled, at: now)
        unsampled = 0
        sampledAt = now
    }

    /// True if a backlog may begin with a whole burst now, which is noted.
    func takeBurst(at now: MonotonicInstant) -> Bool { bursts.take(at: now) }

    /// True if the child may bring up a stream that this node does not have, which is noted.
    func mayBringUpName(_ configuration: RelayConfiguration, at now: MonotonicInstant) -> Bool {
        var limiter =
            names
            ?? NameRateLimiter(burst: configuration.newNamesBurst, perSecond: configuration.newNamesPerSecond, at: now)
        defer { names = limiter }
        return limiter.take(at: now)
    }

    func add(_ subscription: ChildSubscription) {
        if subscriptions.updateValue(subscription, forKey: subscription.id) == nil {
            idOfStream[subscription.stream] = subscription.id
            ordered.append(subscription)
            digest = digest &+ FixedHash.mix(UInt64(subscription.id))
        }
    }

    /// The subscription of the stream in that slot.
    func subscription(ofStream slot: Int) -> ChildSubscription? {
        idOfStream[slot].flatMap { subscriptions[$0] }
    }

    func remove(_ id: UInt32) -> ChildSubscription? {
        guard let subscription = subscriptions.removeValue(forKey: id) else { return nil }
        // Mostly one of the newest or the oldest.
        if let index = ordered.lastIndex(where: { $0 === subscription }) { ordered.remove(at: index) }
        if idOfStream[subscription.stream] == id { idOfStream[subscription.stream] = nil }
        digest = digest &- FixedHash.mix(UInt64(id))
        return subscription
    }
}

/// One stream that a child fetches from us.
final class ChildSubscription {
    enum State: Equatable {
        /// Accepted, but our own upstream has not brought the stream yet.
        case pending
        /// Packets go out from the ring, faster than they arrive, until the cursor reaches the newest ([A] §IV-C).
        case backlog(cursor: UInt64)
        /// Packets go out as they arrive.
        case live
    }

    let id: UInt32
    /// The link holds its subscriptions, and whoever takes one from it takes it from its stream too (`drop`): no
    /// subscription is used after its link.
    let unmanagedLink: Unmanaged<ChildLink>
    var link: ChildLink { unmanagedLink.takeUnretainedValue() }
    let stream: Int
    /// As the child says.
    let portset: PortsetID
    var start: Subscribe.Start
    let rateSixteenths: UInt8
    let path: [NodeID]
    /// The child has the stream by another path too.
    var isExtra: Bool
    /// When the child was last asked to end the subscription, because it is extra.
    private var askedToEndAt: MonotonicInstant?
    /// What it reserved of the node's capacity.
    let grant: Admission.Grant
    private(set) var state: State = .pending
    /// First number the child is to get.
    private(set) var from: UInt64 = 0
    /// In the stream's list of children.
    var place = 0
    var expires: MonotonicInstant
    /// Largest payload that what lies behind the child carries, as it says, and until when that stands.
    var payloadLimit: (bytes: Int, until: MonotonicInstant)?
    /// Backlog allowance in packets, scaled by 1024; what of it the child would get if it were served live; and when both
    /// were last counted.
    private(set) var allowance: Int64 = 0
    private(set) var ownAllowance: Int64 = 0
    private var allowanceCounted: MonotonicInstant

    init(
        id: UInt32, link: ChildLink, stream: Int, request: Subscribe, grant: Admission.Grant,
        rateSixteenths: UInt8, expires: MonotonicInstant, now: MonotonicInstant
    ) {
        self.id = id
        unmanagedLink = .passUnretained(link)
        self.stream = stream
        portset = request.portset
        start = request.start
        self.rateSixteenths = rateSixteenths
        path = request.path
        isExtra = request.isExtra
        self.grant = grant
        self.expires = expires
        allowanceCounted = now
    }

    /// From now on the child is served like this.
    func serve(_ state: State, from: UInt64? = nil, of stream: StreamState) {
        self.state = state
        self.from = from ?? self.from
        stream.noteService(of: self)
    }

    /// A child that was asked to end an extra path, and has it still, is asked again after this.
    private static var askAgainAfter: TimeSpan { .seconds(2) }

    /// True if the child is to be asked now to end this extra path, which is noted.
    func takeAskToEnd(at now: MonotonicInstant) -> Bool {
        if let askedToEndAt, now - askedToEndAt < Self.askAgainAfter { return false }
        askedToEndAt = now
        return true
    }

    /// A backlog begins, with a burst.
    func beginBacklog(burst: Int, at now: MonotonicInstant) {
        allowance = Int64(burst) << 10
        ownAllowance = 0
        allowanceCounted = now
    }

    /// Counts the time since it was last called.
    ///
    /// - Parameters:
    ///   - rate: packets a second that the child is to get at most.
    ///   - own: packets a second of the stream.
    ///   - most: packets that can be saved up.
    func accrue(rate: Double, own: Double, most: Int, at now: MonotonicInstant) {
        let scaled = (now - allowanceCounted).seconds * 1_024
        allowanceCounted = now
        allowance = min(allowance + Int64(rate * scaled), Int64(most) << 10)
        ownAllowance = min(ownAllowance + Int64(own * scaled), Int64(most) << 10)
    }

    /// A packet of the backlog is sent.
    func takeOne() {
        allowance -= 1_024
        ownAllowance = max(ownAllowance - 1_024, 0)
    }

    /// How long until the next packet of what it would get live.
    func wait(own: Double) -> TimeSpan {
        guard own > 0 else { return .seconds(1) }
        return .nanoseconds(Int64(max(Double(1_024 - ownAllowance), 0) / 1_024 / own * 1e9))
    }
}
