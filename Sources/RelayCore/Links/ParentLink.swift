import ReflectorModel
import RelayWire

/// Our end of a link that we opened: to a parent that we fetch from, or to a set reflector that we announce to.
///
/// ```
/// closed ──open──▶ greeting (Hello) ──Cookie──▶ opening (Open) ──Opened──▶ alive ──silence, Close──▶ dead
///                     └────────── retries used up, Refused ────────────────────────────────────────▶ dead
/// ```
final class ParentLink {
    enum State: Equatable {
        case greeting
        case opening(HandshakeCookie)
        case alive
        case dead
    }

    let slot: Int
    /// The address that stands for the host: by it the link is known here.
    let endpoint: Endpoint
    /// The address of the host that is used: that which answers first.
    var remote: Endpoint
    /// Its other ones. While the link opens they are tried too, if the first one stays silent.
    var others: [Endpoint]
    /// Number of our own address at which the parent's first answer came in (`RelayNode.receive`): all is sent from there,
    /// since the parent knows the link by it.
    var local: UInt8 = 0
    /// Host name as the DNS or the handshake told it.
    var peerName: String
    var peer: NodeID?
    /// True for an entrypoint's link to a set reflector: it carries announcements, no streams.
    let isForAnnouncing: Bool
    var state: State = .greeting
    var wakeup = Wakeup()

    var keyPhase: UInt8
    let nonce: HandshakeNonce
    /// Its own token is the child's, the peer's the parent's.
    var session: LinkSession
    var childToken: UInt64 { session.ownToken }
    var parentToken: UInt64 { session.peerToken }
    var nextTry: MonotonicInstant
    var tries = 0

    var window = LinkNumberWindow()
    var reordering = ReorderTolerance()
    var recentLoss = RecentLoss()
    var breaker = CircuitBreaker()
    var roundTrip = RoundTrip()
    var echo = TimestampEcho()
    var delayVariation = DelayVariation()
    var measurements: (any LinkMeasurements)?
    var leaseNonce: UInt64 = 0
    var openedAt: MonotonicInstant = .zero
    var lastReceived: MonotonicInstant = .zero
    var lastRenew: MonotonicInstant = .zero
    var lastResync: MonotonicInstant = .zero
    var lastHeartbeatSent: MonotonicInstant = .zero
    /// When the parent last asked for the list of announcements.
    private var lastPulled = MonotonicInstant(nanoseconds: .min / 2)
    /// When what it says of single streams was last read.
    var lastEntries = MonotonicInstant(nanoseconds: .min / 2)
    /// What the parent may send; as many replies as there are subscriptions come at once.
    var messages = TokenBucket(rate: 2_000, depth: 20_000)
    /// Stream table slots by subscription id on this link.
    var subscriptions: [UInt32: Int] = [:]
    var digest: UInt64 = 0
    /// Not fetched through, but kept validated for the moment the parent in use dies; until this instant.
    var warmUntil: MonotonicInstant = .zero
    /// The parent has said that it is about to stop.
    var isLeavingSoon = false
    var retransmitsAsked: UInt64 = 0

    init(
        slot: Int, endpoint: Endpoint, remote: Endpoint, others: [Endpoint], peerName: String,
        isForAnnouncing: Bool,
        keyPhase: UInt8,
        nonce: HandshakeNonce, childToken: UInt64, now: MonotonicInstant
    ) {
        self.slot = slot
        self.endpoint = endpoint
        self.remote = remote
        self.others = others
        self.peerName = peerName
        self.isForAnnouncing = isForAnnouncing
        self.keyPhase = keyPhase
        self.nonce = nonce
        session = LinkSession(ownToken: childToken)
        nextTry = now
    }

    var isAlive: Bool { state == .alive }

    /// Streams with a path on the link, in a fixed order: a dictionary's order differs between processes.
    var streamSlots: [Int] { subscriptions.values.sorted() }

    var lossPercent: Double {
        window.highest == 0 ? 0 : 100 * Double(window.missing) / Double(window.highest)
    }

    /// True if the parent may have the list of announcements now, which is noted.
    func takePull(spacing: TimeSpan, at now: MonotonicInstant) -> Bool {
        guard now - lastPulled >= spacing else { return false }
        lastPulled = now
        return true
    }

    func addSubscription(_ id: UInt32, stream: Int) {
        if subscriptions.updateValue(stream, forKey: id) == nil {
            digest = digest &+ FixedHash.mix(UInt64(id))
        }
    }

    func removeSubscription(_ id: UInt32) {
        if subscriptions.removeValue(forKey: id) != nil {
            digest = digest &- FixedHash.mix(UInt64(id))
        }
    }
}

/// Share of a link's packets that did not come, of late.
struct RecentLoss {
    /// 0 to 1.
    private(set) var share = 0.0
    private var expected: UInt32 = 0
    private var received: UInt32 = 0
    /// Fewer packets than this tell nothing.
    private static let packetsMin: UInt32 = 50

    /// - Parameters:
    ///   - expected: the highest link number so far.
    ///   - received: how many came so far.
    mutating func note(expected: UInt32, received: UInt32) {
        let more = expected &- self.expected
        guard more >= Self.packetsMin else { return }
        let came = min(received &- self.received, more)
        share = share * 0.75 + 0.25 * (1 - Double(came) / Double(more))
        self.expected = expected
        self.received = received
    }
}
