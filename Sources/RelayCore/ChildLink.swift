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
    let childToken: UInt64
    let parentToken: UInt64
    let parentNonce: HandshakeNonce
    let keyPhase: UInt8
    let keys: LinkKeys
    var scheduled: MonotonicInstant = .distantFuture

    var counter: UInt64 = 0
    var replay = ReplayWindow()
    var roundTrip = RoundTrip()
    var echo = TimestampEcho()
    var delayVariation = DelayVariation()
    var measurements: (any LinkMeasurements)?
    var leaseNonce: UInt64 = 0
    var leaseNonceBefore: UInt64 = 0
    var leaseNonceAge: MonotonicInstant
    var leaseExpires: MonotonicInstant
    var digestMismatch = false

    var nextLinkNumber: UInt32 = 1
    var lastHeartbeat: MonotonicInstant
    var lastSent: MonotonicInstant
    var lastReceived: MonotonicInstant
    var subscriptions: [UInt32: ChildSubscription] = [:]
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

    /// NAK bucket in packets, scaled by 1024.
    var nakTokens: Int64 = 0
    var nakRefilled: MonotonicInstant
    var answered = AnsweredTable()

    var packetsSent: UInt64 = 0
    var retransmitsSent: UInt64 = 0
    var reportedReceived: UInt32 = 0
    var reportedLost: UInt32 = 0
    /// What its path carries.
    var size = PathSize()
    /// By what the child reports.
    var breaker = CircuitBreaker()
    /// For an entrypoint that announces on this link.
    var announcements: AnnouncementList?
    var heartbeatReceived: MonotonicInstant?
    /// Streams that it may bring up which this node does not carry yet.
    var newNames: NameAllowance?
    /// When something wrong with it is told again.
    var alarms = AlarmPace()

    init(
        slot: Int, endpoint: Endpoint, local: UInt8 = 0, open: Open, parentToken: UInt64, parentNonce: HandshakeNonce,
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
        childToken = open.childToken
        keyPhase = open.keyPhase
        self.parentToken = parentToken
        self.parentNonce = parentNonce
        self.keys = keys
        self.leaseNonce = leaseNonce
        leaseNonceAge = now
        lastHeartbeat = now
        leaseExpires = now + lease
        lastSent = now
        lastReceived = now
        nakRefilled = now
    }

    func add(_ subscription: ChildSubscription) {
        if subscriptions.updateValue(subscription, forKey: subscription.id) == nil {
            ordered.append(subscription)
            digest = digest &+ FixedHash.mix(UInt64(subscription.id))
        }
    }

    func remove(_ id: UInt32) -> ChildSubscription? {
        guard let subscription = subscriptions.removeValue(forKey: id) else { return nil }
        ordered.removeAll { $0 === subscription }
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
    var rateSixteenths: UInt8
    var path: [NodeID]
    /// The child has the stream by another path too, and when it was last asked to end this one for that.
    var isExtra: Bool
    var askedToEndAt: MonotonicInstant?
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

    init(id: UInt32, link: ChildLink, stream: Int, request: Subscribe, expires: MonotonicInstant, now: MonotonicInstant)
    {
        self.id = id
        unmanagedLink = .passUnretained(link)
        self.stream = stream
        portset = request.portset
        start = request.start
        rateSixteenths = request.rateSixteenths
        path = request.path
        isExtra = request.isExtra
        self.expires = expires
        allowanceCounted = now
    }

    /// From now on the child is served like this.
    func serve(_ state: State, from: UInt64? = nil, of stream: StreamState) {
        self.state = state
        self.from = from ?? self.from
        stream.noteService(of: self)
    }

    /// A backlog begins, with a whole burst.
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
