import ReflectorModel
import RelayWire

/// One path by which this node fetches a stream: a subscription at one parent. The fetcher changes its state; the
/// receiver records what arrives on it.
final class StreamPath {
    enum State: Equatable {
        /// Subscribed, but nothing usable has arrived yet.
        case joining
        case live
        /// To be unsubscribed as soon as another path is live (make before break).
        case leaving
    }

    let link: ParentLink
    let subscription: UInt32
    /// Identifies this path in the state of a gap; unique among the stream's paths.
    let bit: UInt8
    /// From the zone's last answer; the endpoint does not change. Set by `update`.
    private(set) var candidate: ParentCandidate
    /// The path was added to back up another path, not to replace it. Cleared by `becomeFirst`.
    private(set) var isExtra: Bool

    // MARK: The subscription, as the fetcher changes it

    private(set) var state = State.joining
    private(set) var since: MonotonicInstant
    /// Where the Subscribe asked the stream to start. Set by `beginRequest`.
    private(set) var start: Subscribe.Start
    private(set) var lastAsked: MonotonicInstant
    /// When to ask again. Set by `noteRequest`, `noteAnswer` and `postpone`.
    private(set) var nextTry: MonotonicInstant
    /// Number of requests since the last answer.
    private(set) var tries = 0
    /// The incarnation that the parent says it sends; nil until the parent accepts the request. Set by `accept`.
    private(set) var tag: IncarnationTag?
    /// The parent sends another incarnation, which this node does not take yet: another path still carries the current
    /// one, or the source has changed too often. Set by `postpone`.
    private(set) var isDeferred = false
    /// Where the parent's backlog ends. Set by `accept`.
    private(set) var backlogEnd: UInt64 = 0
    /// The parent's own upstream is silent. Set by `noteUpstream`.
    private(set) var upstreamSilent = false
    /// Present if the path brings another feed of a hot stream. Changed by the methods of the extension below.
    private(set) var twin: TwinFeed?

    /// Present if the parent sends the stream to a group of the LAN, too. Changed by the methods of the extension below.
    private(set) var lan: LanIntake?
    private var lanChangedAt: MonotonicInstant?

    // MARK: What arrived on it, as the receiver records it

    private(set) var lastArrival: MonotonicInstant
    /// Newest stream packet that arrived on this path, and its link packet number. Numbers skipped between it and the
    /// next packet are a gap on this path.
    private(set) var lastSequence: UInt64 = 0
    private(set) var lastLinkNumber: UInt32
    /// One above the highest number that the parent's heartbeats have promised, so that a repeated promise is not taken
    /// for a new one.
    private(set) var promised: UInt64 = 0
    private(set) var lag = PathLag()
    private(set) var packets: UInt64 = 0
    private(set) var retransmitsAsked: UInt64 = 0

    init(
        link: ParentLink, candidate: ParentCandidate, subscription: UInt32, bit: UInt8, isExtra: Bool,
        start: Subscribe.Start, now: MonotonicInstant
    ) {
        self.link = link
        self.candidate = candidate
        self.subscription = subscription
        self.isExtra = isExtra
        self.bit = bit
        self.start = start
        since = now
        lastAsked = now
        nextTry = now
        lastArrival = now
        lastLinkNumber = link.window.highest
    }

    /// The parent is alive and has answered the last request.
    var isAnswered: Bool { link.isAlive && tries == 0 }

    // MARK: Called by the fetcher

    func update(_ candidate: ParentCandidate) { self.candidate = candidate }
    func becomeLive() { state = .live }
    func becomeJoining() { state = .joining }

    func beginLeaving(at now: MonotonicInstant) {
        state = .leaving
        since = now
    }

    /// The other paths are gone: this one is no longer extra.
    func becomeFirst() { isExtra = false }

    /// The link has opened: packets that arrived on it before do not count.
    func linkOpened(at now: MonotonicInstant) {
        lastLinkNumber = link.window.highest
        lastArrival = now
    }

    /// The parent is about to be asked. Until it accepts, each request may ask for another start.
    func beginRequest(from start: Subscribe.Start) { self.start = start }

    /// - Parameter interval: time to the second request if there is no answer. The time doubles with each further
    ///   request, to at most 16 intervals.
    func noteRequest(interval: TimeSpan, at now: MonotonicInstant) {
        lastAsked = now
        tries += 1
        nextTry = now + interval * Int64(1 << min(tries - 1, 4))
    }

    func noteAnswer(nextTry: MonotonicInstant) {
        tries = 0
        self.nextTry = nextTry
    }

    /// The parent says what it sends, and where its backlog ends.
    func accept(_ tag: IncarnationTag, backlogEnd: UInt64) {
        if let old = self.tag, old != tag { forgetPlace() }
        self.tag = tag
        self.backlogEnd = backlogEnd
    }

    /// The parent sends another incarnation than the current one: it is asked again at that time.
    func postpone(until: MonotonicInstant) {
        isDeferred = true
        nextTry = until
    }

    func noteUpstream(silentMilliseconds: UInt16) { upstreamSilent = silentMilliseconds > 1_500 }

    // MARK: Called by the receiver

    @inline(__always) func noteArrival(at now: MonotonicInstant) {
        packets += 1
        lastArrival = now
    }

    /// Records the newest packet on this path.
    @inline(__always) func notePlace(_ sequence: UInt64, linkNumber: UInt32) {
        lastSequence = sequence
        lastLinkNumber = linkNumber
    }

    func notePromise(below end: UInt64) { promised = end }

    /// The sequence numbers start over: earlier packets and promises on this path say nothing about the next ones.
    func forgetPlace() { (lastSequence, promised) = (0, 0) }

    /// A packet arrived on this path this much later than on the first path that carried it.
    @inline(__always) func noteLag(_ span: TimeSpan) { lag.note(span) }

    func noteRetransmitAsked() { retransmitsAsked += 1 }
}

/// Twin feeds. Everything else in this node uses the numbers of the stream's own incarnation; only messages of and to the
/// parent of a twin have the twin's numbers.
extension StreamPath {
    /// Whether the path brings packets of this incarnation: under their own numbers, or as a merged twin.
    func carries(_ incarnation: IncarnationTag) -> Bool { tag == incarnation || twin?.isMerged == true }

    /// The number in the stream's own incarnation for a number in a message of the parent. Nil if there is none.
    func ownNumber(_ number: UInt64) -> UInt64? { twin == nil ? number : twin?.ownNumber(number) }

    /// The number by which the parent knows a packet. Nil if it has none.
    func parentNumber(_ number: UInt64) -> UInt64? { twin == nil ? number : twin?.feedNumber(number) }

    func begin(_ twin: TwinFeed) { self.twin = twin }

    /// Returns the twin that ends, whose key the caller releases.
    func endTwin() -> TwinFeed? {
        defer { twin = nil }
        return twin
    }

    /// See `TwinFeed.note`.
    func noteFeed(_ number: UInt64, _ hash: UInt64, against own: PayloadRing) -> Bool {
        twin?.note(number, hash, against: own, mark: bit) ?? false
    }

    /// See `TwinFeed.noteOwn`.
    func noteOwn(_ number: UInt64, _ hash: UInt64) -> Bool { twin?.noteOwn(number, hash) ?? false }

    func noteFilled() { twin?.noteFilled() }

    /// The twin must learn its numbers again, because of a mismatch or because the stream's own numbers are others now.
    func unmerge(isMismatch: Bool, at now: MonotonicInstant) {
        if isMismatch { twin?.noteMismatch(at: now) } else { twin?.learn(at: now) }
        if state == .live { becomeJoining() }
        forgetPlace()
    }
}

/// The stream's feed on the LAN. While it is used, places and gaps on the path are counted in the feed's numbers.
extension StreamPath {
    @inline(__always) var isOnLAN: Bool { lan?.isUsed == true }

    /// The newest number of what carries the stream: of the feed, or of the link.
    var newestLinkNumber: UInt32 { isOnLAN ? lan?.window.highest ?? 0 : link.window.highest }

    /// True if any number between the path's newest packet and this one has not arrived.
    @inline(__always) func hasMissing(before number: UInt32) -> Bool {
        isOnLAN
            ? lan?.window.hasMissing(after: lastLinkNumber, before: number) ?? false
            : link.window.hasMissing(after: lastLinkNumber, before: number)
    }

    /// How far packets of what carries the stream are reordered.
    var reordering: ReorderTolerance { isOnLAN ? lan?.reordering ?? link.reordering : link.reordering }

    /// A packet arrived out of order; see `ReorderTolerance.note`.
    func noteReordering(behind: UInt32, late: TimeSpan, at now: MonotonicInstant) {
        if isOnLAN {
            lan?.noteReordering(behind: behind, late: late, at: now)
        } else {
            link.reordering.note(behind: behind, late: late, at: now)
        }
    }

    /// Whether another feed may take the place of this one now: once a second, however often the parent names one.
    func takeLANChange(at now: MonotonicInstant) -> Bool {
        if let lanChangedAt, now - lanChangedAt < .seconds(1) { return false }
        lanChangedAt = now
        return true
    }

    func offerLAN(_ place: LanFeed.Place) { lan = LanIntake(place) }

    /// Returns where the feed was.
    func endLAN() -> LanFeed.Place? {
        defer { lan = nil }
        return lan?.place
    }

    /// Notes the number of a verified packet of the feed. Nil for a duplicate.
    func noteFed(_ number: UInt32, at now: MonotonicInstant) -> UInt32? { lan?.note(number, at: now) }

    /// Whether the feed can take the link's place: it brings what follows the newest packet of the link or, if the LAN is
    /// slower, a packet shortly before. While the link still brings the past, the feed is far ahead.
    func isReadyForLAN(_ sequence: UInt64, at now: MonotonicInstant) -> Bool {
        state == .live && twin == nil && tag != nil && lastSequence >= backlogEnd && sequence <= lastSequence + 1
            && sequence + Self.lanLagMax >= lastSequence && lan?.isReady(at: now) == true
    }

    /// How many packets a feed may be behind the link when it takes its place.
    private static let lanLagMax: UInt64 = 64

    func useLAN(at now: MonotonicInstant) {
        lan?.use(at: now)
        lastLinkNumber = lan?.window.highest ?? 0
    }

    func leaveLAN(hasFailed: Bool, at now: MonotonicInstant) {
        if hasFailed { lan?.fail(at: now) } else { lan?.rest() }
        lastLinkNumber = link.window.highest
    }

    /// - Parameter highest: what the parent says it holds.
    func hasLANFailed(_ highest: UInt64, at now: MonotonicInstant) -> Bool {
        lan?.isSilent(at: now) == true && highest > lastSequence || lan?.isLossy(at: now) == true
    }
}

/// How much later than the stream's fastest path a path carries packets: the longest recent lag, which decays slowly.
struct PathLag {
    private(set) var span: TimeSpan = .zero

    mutating func note(_ sample: TimeSpan) {
        span = sample > span ? sample : span - (span - sample) / 64
    }
}
