import NodeIdentity
import ReflectorModel
import RelayWire

/// This node's end of a link that it opened: to a parent from which it fetches, or to a set reflector to which it
/// announces.
///
/// ```
/// closed ──open──▶ greeting (Hello) ──Cookie──▶ opening (Open) ──Opened──▶ alive ──silence, Close──▶ dead
///                     └────────── retries used up, Refused ────────────────────────────────────────▶ dead
/// ```
final class ParentLink {
    enum State: Equatable {
        case greeting
        case opening
        case alive
        case dead
    }

    let slot: Int
    /// The address that identifies the host: the link is registered under it.
    let endpoint: Endpoint
    /// True for an entrypoint's link to a set reflector: it carries announcements, not streams.
    let isForAnnouncing: Bool
    /// True for a link to another member of the node's region: it stays open, and carries reports as well as streams.
    let isMember: Bool
    /// The host's name in the DNS. Only a node with this name can open the link.
    let peerName: String

    // MARK: The handshake

    /// Changed by `takeCookie`, `open` and `die`.
    private(set) var state: State = .greeting
    /// The host's address in use: the one that answered, or the one to try first while none has answered. Changed by
    /// `use`.
    private(set) var remote: Endpoint
    /// The host's other addresses. While the link opens, they are tried too if the first one stays silent. Changed by
    /// `use`.
    private(set) var others: [Endpoint]
    /// Number of our own address on which the parent's first answer arrived (`RelayNode.receive`): everything is sent
    /// from there, since the parent identifies the link by it. Set by `use`.
    private(set) var local: UInt8 = 0
    /// The handshake under way: that of a new link, or one that gives new keys to the link. Changed by `open`,
    /// `beginRenewal`, `renew`, `abandonRenewal` and `die`.
    private(set) var opening: (any LinkOpening)?
    /// What the parent's certificate says; nil until the link is open. Set by `open` and `renew`.
    private(set) var peer: CertificateContent? { didSet { peerNotAfter = peer?.notAfter } }
    /// When the parent's certificate expires, in seconds since 1970.
    private(set) var peerNotAfter: UInt64?
    private var renewal = LinkRenewal()
    /// Changed by `noteTry` and `takeCookie`.
    private(set) var nextTry: MonotonicInstant
    private(set) var tries = 0
    private var greetedAt: MonotonicInstant = .zero
    /// In the session, the own token is the child's (this node's), and the peer token is the parent's.
    var session: LinkSession
    var childToken: UInt64 { session.ownToken }
    var parentToken: UInt64 { session.peerToken }

    // MARK: Measurements, each with state of its own

    var wakeup = Wakeup()
    var window = LinkNumberWindow()
    var reordering = ReorderTolerance()
    var recentLoss = RecentLoss()
    var breaker = CircuitBreaker()
    var roundTrip = RoundTrip()
    var echo = TimestampEcho()
    var delayVariation = DelayVariation()
    var measurements: (any LinkMeasurements)?
    /// Limits the parent's messages; the depth allows for the replies to all subscriptions at once.
    private var messages = TokenBucket(rate: 2_000, depth: 20_000)
    /// When a datagram last arrived, or when this node last began to wait for one.
    private(set) var lastReceived: MonotonicInstant = .zero
    /// When an authentic datagram last arrived.
    private(set) var lastHeard: MonotonicInstant = .zero
    /// When the link opened. A process that has started since does not have its keys.
    private(set) var openedAt: MonotonicInstant = .distantFuture
    var death = DeathEvidence()
    /// The parent's process is dead by all evidence, and not by silence alone. Set by `noteDeath`.
    private(set) var isProvedDead = false
    private(set) var retransmitsAsked: UInt64 = 0

    // MARK: The lease and what is fetched

    /// The last nonce from the parent. Set by `takeNonce`.
    private(set) var leaseNonce: UInt64 = 0
    /// Set by `noteRenew` and `open`.
    private(set) var lastRenew: MonotonicInstant = .zero
    /// Stream table slots by subscription id on this link, and a checksum of the ids. Changed by `addSubscription` and
    /// `removeSubscription`.
    private(set) var subscriptions: [UInt32: Int] = [:]
    private(set) var digest: UInt64 = 0
    /// Until this instant, the link is kept open without streams, as a standby in case the current parent dies. Set by
    /// `keepWarm`.
    private(set) var warmUntil: MonotonicInstant = .zero
    /// The parent has announced that it is about to stop. Set by `noteShutdown`.
    private(set) var isLeavingSoon = false
    private var lastResync: MonotonicInstant = .zero
    /// When the parent's entries about single streams were last read.
    private var lastEntries = MonotonicInstant(nanoseconds: .min / 2)

    // MARK: Announcing

    /// Changed by `takeHeartbeat`.
    private var lastHeartbeatSent: MonotonicInstant = .zero
    private var isHeartbeatAnswered = true
    /// What the parent, as a witness, has told this entrypoint.
    var witness = WitnessView()
    /// The version of the list of announcements that was last sent. Set by `noteAnnounced`.
    private(set) var versionAnnounced: UInt64 = 0
    /// When the parent's last request for the list of announcements was granted.
    private var lastPulled = MonotonicInstant(nanoseconds: .min / 2)

    init(
        slot: Int, endpoint: Endpoint, remote: Endpoint, others: [Endpoint], peerName: String,
        isForAnnouncing: Bool, isMember: Bool = false, opening: any LinkOpening, childToken: UInt64,
        now: MonotonicInstant
    ) {
        self.slot = slot
        self.endpoint = endpoint
        self.remote = remote
        self.others = others
        self.peerName = peerName
        self.isForAnnouncing = isForAnnouncing
        self.isMember = isMember
        self.opening = opening
        session = LinkSession(ownToken: childToken)
        nextTry = now
    }

    var isAlive: Bool { state == .alive }

    /// Streams with a path on the link, in a fixed order: a dictionary's order differs between processes.
    var streamSlots: [Int] { subscriptions.values.sorted() }

    var lossPercent: Double { window.lossPercent }

    // MARK: The handshake

    /// The parent has answered from this address. True if the link used another one before.
    func use(_ address: Endpoint, local: UInt8) -> Bool {
        self.local = local
        guard address != remote else { return false }
        others = [remote] + others.filter { $0 != address }
        remote = address
        return true
    }

    /// The parent's Cookie has come.
    func takeCookie(at now: MonotonicInstant) {
        if state == .greeting {
            state = .opening
            // The answer to Open says less about the path: the parent may let it wait.
            if tries == 1 { roundTrip.sample(now - greetedAt) }
        }
        tries = 0
        nextTry = now
    }

    /// A handshake step is being sent.
    ///
    /// - Parameter interval: time until the second try. It doubles with each further try.
    func noteTry(interval: TimeSpan, at now: MonotonicInstant) {
        if state == .greeting { greetedAt = now }
        let wait = TimeSpan(nanoseconds: interval.nanoseconds << Int64(tries))
        nextTry = now + (isForAnnouncing || isMember ? min(wait, Self.announcingRetryMax) : wait)
        tries += 1
    }

    /// Maximum time between two tries to reach a witness, or a member of the region: it must hear this node soon after a
    /// cut has healed.
    private static let announcingRetryMax: TimeSpan = .milliseconds(400)

    /// The host has reached this node: it can probably be reached now, so the handshake begins its tries again.
    /// False if there is no handshake.
    func tryAgain(at now: MonotonicInstant) -> Bool {
        guard !isAlive, state != .dead else { return false }
        tries = 0
        nextTry = now
        return true
    }

    func open(_ answer: OpenedLink, at now: MonotonicInstant) {
        state = .alive
        opening = nil
        peer = answer.peer
        session.open(peerToken: answer.grant.parentToken, keys: answer.keys)
        renewal.noteKeys(packets: window.highest, at: now)
        noteHeard(at: now)
        openedAt = now
        lastRenew = now
    }

    func die() {
        state = .dead
        opening = nil
    }

    // MARK: New keys

    /// Whether the link should get new keys now.
    ///
    /// - Parameter secondsLeft: until this node's certificate or the parent's expires, whichever is sooner.
    func isRenewalDue(secondsLeft: UInt64, at now: MonotonicInstant) -> Bool {
        isAlive && opening == nil && renewal.isDue(packets: window.highest, secondsLeft: secondsLeft, at: now)
    }

    /// This node has a new certificate: the link should present it soon.
    func wantRenewal(after span: TimeSpan, at now: MonotonicInstant) { renewal.want(at: now + span) }

    func beginRenewal(_ opening: any LinkOpening, childToken: UInt64, at now: MonotonicInstant) {
        self.opening = opening
        renewal.begin(childToken: childToken)
        tries = 0
        nextTry = now
    }

    /// The parent has agreed to new keys. Returns an older set of keys, which the caller must release.
    func renew(_ answer: OpenedLink, at now: MonotonicInstant) -> LinkSession.Dropped? {
        guard let token = renewal.childToken else { return LinkSession.Dropped(ownToken: 0, keys: answer.keys) }
        opening = nil
        peer = answer.peer
        renewal.noteKeys(packets: window.highest, at: now)
        return session.renew(ownToken: token, peerToken: answer.grant.parentToken, keys: answer.keys)
    }

    /// The handshake for new keys has failed: the link keeps the old ones for now. Returns the token that is free again.
    func abandonRenewal(at now: MonotonicInstant) -> UInt64? {
        if isAlive { opening = nil }
        return renewal.abandon(at: now)
    }

    /// The keys before the last change, once nothing under them can be in transit any more.
    func takeOldKeys(at now: MonotonicInstant) -> LinkSession.Dropped? {
        renewal.isOldOver(at: now) ? session.dropOther() : nil
    }

    /// Whether the peer's certificate should be checked again now.
    func takeStandingCheck(at now: MonotonicInstant) -> Bool { renewal.takeStandingCheck(at: now) }

    // MARK: What arrives

    /// An authentic datagram has arrived.
    @inline(__always) func noteHeard(at now: MonotonicInstant) {
        lastReceived = now
        lastHeard = now
    }

    /// Silence before this instant does not count.
    func excuseSilence(until now: MonotonicInstant) { lastReceived = now }

    /// An authentic control message has arrived. False if the parent has exceeded its rate limit.
    func takeMessage(at now: MonotonicInstant) -> Bool {
        guard messages.take(at: now) else { return false }
        noteHeard(at: now)
        return true
    }
    func noteRetransmitAsked() { retransmitsAsked += 1 }
    func noteDeath() { isProvedDead = true }

    /// True if the nonce has changed: the lease must be renewed with it.
    func takeNonce(_ nonce: UInt64) -> Bool {
        defer { leaseNonce = nonce }
        return nonce != leaseNonce
    }

    /// True if the entries in a heartbeat should be read. If entries were read too recently, this heartbeat is only a
    /// sign of life.
    func takeEntries(spacing: TimeSpan, at now: MonotonicInstant) -> Bool {
        guard now - lastEntries >= spacing else { return false }
        lastEntries = now
        return true
    }

    /// True if all subscriptions may be sent again.
    func takeResync(spacing: TimeSpan, at now: MonotonicInstant) -> Bool {
        guard now - lastResync >= spacing else { return false }
        lastResync = now
        return true
    }

    /// Notes that the parent is about to stop. True the first time.
    func noteShutdown() -> Bool {
        defer { isLeavingSoon = true }
        return !isLeavingSoon
    }

    // MARK: What is sent

    func noteRenew(at now: MonotonicInstant) { lastRenew = now }

    /// When an entrypoint's next heartbeat is due: after `interval`, or sooner if the last one is unanswered. So a burst
    /// of lost datagrams does not look like the entrypoint's death to a witness.
    func heartbeatDue(interval: TimeSpan) -> MonotonicInstant {
        guard !isHeartbeatAnswered else { return lastHeartbeatSent + interval }
        return lastHeartbeatSent + min(interval, max(roundTrip.retransmitTimeout, Self.heartbeatRetryMin))
    }

    /// Minimum time before an unanswered heartbeat is repeated.
    private static let heartbeatRetryMin: TimeSpan = .milliseconds(50)

    /// True if an entrypoint's heartbeat is due. Records it as sent.
    func takeHeartbeat(interval: TimeSpan, at now: MonotonicInstant) -> Bool {
        guard now >= heartbeatDue(interval: interval) else { return false }
        lastHeartbeatSent = now
        isHeartbeatAnswered = false
        return true
    }

    func noteHeartbeatReply() { isHeartbeatAnswered = true }

    /// The list of announcements was sent up to this version.
    func noteAnnounced(_ version: UInt64) { versionAnnounced = version }

    /// True if the parent may have the list of announcements now. Records that the request was granted.
    func takePull(spacing: TimeSpan, at now: MonotonicInstant) -> Bool {
        guard now - lastPulled >= spacing else { return false }
        lastPulled = now
        return true
    }

    // MARK: Subscriptions

    func keepWarm(until: MonotonicInstant) { warmUntil = until }

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

/// Loss ratio of a link's recent packets.
struct RecentLoss {
    /// 0 to 1.
    private(set) var share = 0.0
    private var expected: UInt32 = 0
    private var received: UInt32 = 0
    /// Fewer packets than this are not significant.
    private static let packetsMin: UInt32 = 50

    /// - Parameters:
    ///   - expected: the highest link number so far.
    ///   - received: how many have arrived so far.
    mutating func note(expected: UInt32, received: UInt32) {
        let more = expected &- self.expected
        guard more >= Self.packetsMin else { return }
        let came = min(received &- self.received, more)
        share = share * 0.75 + 0.25 * (1 - Double(came) / Double(more))
        self.expected = expected
        self.received = received
    }
}
