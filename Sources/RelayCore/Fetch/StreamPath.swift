import ReflectorModel
import RelayWire

/// One way by which this node fetches a stream: a subscription at one parent. The fetcher changes its state, the receiver
/// notes what comes by it.
final class StreamPath {
    enum State: Equatable {
        /// Subscribed; nothing usable has come yet.
        case joining
        case live
        /// Unsubscribed as soon as another path is live (make before break).
        case leaving
    }

    let link: ParentLink
    let subscription: UInt32
    /// Stands for this path in what is known of a gap; no other path of the stream has it.
    let bit: UInt8
    /// As the zone last said; the endpoint stays. Set by `update`.
    private(set) var candidate: ParentCandidate
    /// It was joined while another path brought the stream. Ended by `becomeFirst`.
    private(set) var isExtra: Bool

    // MARK: The subscription, as the fetcher changes it

    private(set) var state = State.joining
    private(set) var since: MonotonicInstant
    /// From where the stream was asked for. Set by `noteRequest`.
    private(set) var start: Subscribe.Start
    private(set) var lastAsked: MonotonicInstant
    /// When to ask again. Set by `noteRequest`, `noteAnswer` and `postpone`.
    private(set) var nextTry: MonotonicInstant
    /// Requests without an answer.
    private(set) var tries = 0
    /// The incarnation that the parent said it sends; nil until it accepted. Set by `accept`.
    private(set) var tag: IncarnationTag?
    /// It brings another incarnation than the one in use, which another path still brings. Set by `postpone`.
    private(set) var isDeferred = false
    /// What its backlog reaches to. Set by `accept`.
    private(set) var backlogEnd: UInt64 = 0
    /// The parent itself gets nothing. Set by `noteUpstream`.
    private(set) var upstreamSilent = false

    // MARK: What came by it, as the receiver notes it

    private(set) var lastArrival: MonotonicInstant
    /// Newest stream packet that came by this path, and its link packet number: a gap on this path lies between.
    private(set) var lastSequence: UInt64 = 0
    private(set) var lastLinkNumber: UInt32
    /// The end of what the parent's heartbeats have promised: a repeated promise is not new.
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

    // MARK: The fetcher's

    func update(_ candidate: ParentCandidate) { self.candidate = candidate }
    func becomeLive() { state = .live }

    func beginLeaving(at now: MonotonicInstant) {
        state = .leaving
        since = now
    }

    /// The other paths are gone: it is no extra path any more.
    func becomeFirst() { isExtra = false }

    /// The link has opened: what came by it before does not count.
    func linkOpened(at now: MonotonicInstant) {
        lastLinkNumber = link.window.highest
        lastArrival = now
    }

    /// The parent is asked now. Until it has accepted, each request may begin elsewhere.
    func beginRequest(from start: Subscribe.Start) { self.start = start }

    /// - Parameter interval: the time to the second request, if no answer comes; then it doubles.
    func noteRequest(interval: TimeSpan, at now: MonotonicInstant) {
        lastAsked = now
        tries += 1
        nextTry = now + interval * Int64(1 << min(tries - 1, 4))
    }

    func noteAnswer(nextTry: MonotonicInstant) {
        tries = 0
        self.nextTry = nextTry
    }

    /// The parent says what it sends, and up to which number its backlog reaches.
    func accept(_ tag: IncarnationTag, backlogEnd: UInt64) {
        if let old = self.tag, old != tag { forgetPlace() }
        self.tag = tag
        self.backlogEnd = backlogEnd
    }

    /// It brings another incarnation than the one in use: the parent is asked again then.
    func postpone(until: MonotonicInstant) {
        isDeferred = true
        nextTry = until
    }

    func noteUpstream(silentMilliseconds: UInt16) { upstreamSilent = silentMilliseconds > 1_500 }

    // MARK: The receiver's

    @inline(__always) func noteArrival(at now: MonotonicInstant) {
        packets += 1
        lastArrival = now
    }

    /// This is the newest packet that came.
    @inline(__always) func notePlace(_ sequence: UInt64, linkNumber: UInt32) {
        lastSequence = sequence
        lastLinkNumber = linkNumber
    }

    func notePromise(below end: UInt64) { promised = end }

    /// The numbers begin again: what came or was promised by this path says nothing about those that follow.
    func forgetPlace() { (lastSequence, promised) = (0, 0) }

    /// A packet came this much later than by the first path that brought it.
    @inline(__always) func noteLag(_ span: TimeSpan) { lag.note(span) }

    func noteRetransmitAsked() { retransmitsAsked += 1 }
}

/// How much later a path brings packets than the first of the stream's paths: the longest recent lag, slowly forgotten.
struct PathLag {
    private(set) var span: TimeSpan = .zero

    mutating func note(_ sample: TimeSpan) {
        span = sample > span ? sample : span - (span - sample) / 64
    }
}
