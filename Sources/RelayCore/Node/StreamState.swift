import ReflectorModel
import RelayWire

/// One stream at a node: what it holds of it, where it comes from, and who gets it.
final class StreamState {
    let slot: Int
    let name: StreamName
    /// Of all streams that this node ever had.
    var number: UInt64 = 0
    /// Known from the zone, or a hint from children.
    var portset: PortsetID?
    /// Largest payload that all paths behind this node carry.
    var payloadLimit = PayloadLimit()
    /// The zone has not confirmed it: children said so, and the name servers say nothing.
    var isPortsetHint = false
    var wakeup = Wakeup()

    var incarnation: IncarnationState?
    /// What the receiver keeps of the stream.
    var arrivals = Arrivals()
    var deliveries = Deliveries()
    private(set) var children: [ChildSubscription] = []
    /// What a packet needs to know of each child, in the same order.
    private(set) var fanOut: [FanOutEntry] = []
    var paths = PathSet()
    /// Present at the stream's entrypoint.
    var origin: StreamSource?
    /// Viewers of this region want it.
    var isWanted = false
    /// When fetching stops because nobody wants it any more.
    var leaveAt: MonotonicInstant?
    /// When to try parents again after all of them refused.
    var retryAt: MonotonicInstant?
    /// Why it cannot be had now, as last reported; nil once a parent gives it.
    var problem: UnavailableReason?
    /// How the parents that refused it said so, since it was last reported.
    var refusedAs = RefusalKinds()
    /// Candidates that lately refused this stream, and when; or only an extra path of it.
    private(set) var refusals: [(endpoint: Endpoint, isOfExtra: Bool, at: MonotonicInstant)] = []
    /// When the parents are next compared with what the zone says.
    var reviewAt: MonotonicInstant = .zero
    /// An earlier incarnation that a parent brings again, and where to go on in it.
    var returnTo: (tag: IncarnationTag, sequence: UInt64)?
    /// More than one path is kept until then, because a parent cannot restore its own upstream.
    var extraPathsUntil: MonotonicInstant = .zero
    /// At an edge: how many paths the quality calls for, and what had been delivered, lost and repaired when it was last
    /// judged.
    var policy = PathPolicy()
    var judged = (
        delivered: UInt64(0), lost: UInt64(0), repaired: UInt64(0), at: MonotonicInstant.zero
    )
    /// A parent before the one in use that proved worse, and until when it is not returned to.
    var demoted: [(endpoint: Endpoint, until: MonotonicInstant)] = []
    var lastExtraPath: MonotonicInstant = .zero
    /// How often another source, or another incarnation of it, may follow.
    var sourceChanges = TokenBucket(rate: 2, depth: 4)
    /// When fetching began, however often the parent has changed since; nil before.
    var fetchedSince: MonotonicInstant?
    /// When the newest path was asked for: silence is not judged from before.
    var lastJoin: MonotonicInstant = .zero
    var resubscribed: MonotonicInstant = .zero

    var departures = Departures()

    init(slot: Int, name: StreamName) {
        self.slot = slot
        self.name = name
    }

    func add(_ child: ChildSubscription) {
        child.move(to: children.count)
        children.append(child)
        fanOut.append(FanOutEntry(child))
    }

    func remove(_ child: ChildSubscription) {
        guard children.indices.contains(child.place), children[child.place] === child else { return }
        children.remove(at: child.place)
        fanOut.remove(at: child.place)
        for place in child.place..<children.count { children[place].move(to: place) }
    }

    /// Returns the children removed, in their order.
    func removeChildren(where isOver: (ChildSubscription) -> Bool) -> [ChildSubscription] {
        let removed = children.filter(isOver)
        children.removeAll(where: isOver)
        for (place, child) in children.enumerated() { child.move(to: place) }
        fanOut = children.map(FanOutEntry.init)
        return removed
    }

    /// The child is served otherwise than before.
    func noteService(of child: ChildSubscription) {
        guard children.indices.contains(child.place), children[child.place] === child else { return }
        fanOut[child.place] = FanOutEntry(child)
    }

    var hasDemand: Bool { isWanted || !children.isEmpty }

    /// Data came or was made here lately: what it goes by is kept when there is no room for all.
    func isCarrying(at now: MonotonicInstant) -> Bool {
        origin != nil || incarnation != nil && now - arrivals.lastArrival < Self.carryingSpan
    }

    private static let carryingSpan: TimeSpan = .seconds(30)

    /// The portset that most children say, the one said first among equals.
    func takePortsetHint() {
        var votes: [(portset: PortsetID, count: Int)] = []
        for child in children.prefix(Self.votersMax) {
            if let index = votes.firstIndex(where: { $0.portset == child.portset }) {
                votes[index].count += 1
            } else {
                votes.append((child.portset, 1))
            }
        }
        guard var best = votes.first else { return }
        for vote in votes where vote.count > best.count { best = vote }
        portset = best.portset
        isPortsetHint = true
    }

    /// Children whose claims are counted.
    private static let votersMax = 64

    /// Most refusals and finished incarnations that are remembered.
    private static let memoryMax = 32

    func noteRefusal(by endpoint: Endpoint, ofExtra isOfExtra: Bool = false, at now: MonotonicInstant) {
        forgetRefusal(by: endpoint)
        if refusals.count >= Self.memoryMax { refusals.removeFirst() }
        refusals.append((endpoint, isOfExtra, now))
    }

    func forgetRefusal(by endpoint: Endpoint) { refusals.removeAll { $0.endpoint == endpoint } }
    func forgetRefusals() { refusals = [] }

    /// - Parameter isExtra: whether it is asked for the sake of an extra path: one that refused that may still take who
    ///   lacks the stream.
    func hasRefused(
        _ endpoint: Endpoint, isExtra: Bool, within span: TimeSpan, at now: MonotonicInstant
    ) -> Bool {
        refusals.contains {
            $0.endpoint == endpoint && now - $0.at < span && (isExtra || !$0.isOfExtra)
        }
    }

    func isDemoted(_ endpoint: Endpoint, at now: MonotonicInstant) -> Bool {
        demoted.contains { $0.endpoint == endpoint && now < $0.until }
    }

    func demote(_ endpoint: Endpoint, until: MonotonicInstant) {
        demoted.removeAll { $0.endpoint == endpoint }
        if demoted.count >= Self.memoryMax { demoted.removeFirst() }
        demoted.append((endpoint, until))
    }
}

/// One way by which this node fetches a stream: a subscription at one parent.
final class StreamPath {
    enum State: Equatable {
        /// Subscribed; nothing usable has come yet.
        case joining
        case live
        /// Unsubscribed as soon as another path is live (make before break).
        case leaving
    }

    let link: ParentLink
    /// As the zone last said; the endpoint stays.
    var candidate: ParentCandidate
    let subscription: UInt32
    /// Stands for this path in what is known of a gap; no other path of the stream has it.
    let bit: UInt8
    /// Asked for beside one that brought the stream.
    var isExtra: Bool
    var state: State = .joining
    var start: Subscribe.Start
    /// The incarnation that the parent said it sends; nil until it accepted.
    var tag: IncarnationTag?
    /// It brings another incarnation than the one in use, which another path still brings.
    var isDeferred = false
    var lastAsked: MonotonicInstant
    var since: MonotonicInstant
    var nextTry: MonotonicInstant
    var tries = 0
    var lastArrival: MonotonicInstant
    /// Newest stream packet that came by this path, and its link packet number: a gap on this path lies between.
    var lastSequence: UInt64 = 0
    var lastLinkNumber: UInt32
    /// Up to where the parent's heartbeats have said that there is something: what they say again is not new.
    var promised: UInt64 = 0
    /// What its backlog reaches to.
    var backlogEnd: UInt64 = 0
    var upstreamSilent = false
    var lag = PathLag()
    var packets: UInt64 = 0
    var retransmitsAsked: UInt64 = 0

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

    /// The numbers begin again: what came or was promised by this path says nothing about those that follow.
    func forgetPlace() { (lastSequence, promised) = (0, 0) }

    /// It brings another incarnation than the one in use: the parent is asked again then.
    func postpone(until: MonotonicInstant) {
        isDeferred = true
        nextTry = until
    }
}

/// How much later a path brings packets than the first of the stream's paths: the most of late, slowly forgotten.
struct PathLag {
    private(set) var span: TimeSpan = .zero

    mutating func note(_ sample: TimeSpan) {
        span = sample > span ? sample : span - (span - sample) / 64
    }
}

/// Packets a second, counted over half a second: independent of what the log still holds.
struct ArrivalRate {
    static let window = TimeSpan.milliseconds(500)
    private var since: MonotonicInstant = .zero
    private var count = 0
    private var last = 0.0

    mutating func note(at now: MonotonicInstant) {
        if count == 0, last == 0 { since = now }
        count += 1
        let span = now - since
        guard span >= Self.window else { return }
        last = Double(count) / span.seconds
        since = now
        count = 0
    }

    /// True once a window has been counted.
    var isMeasured: Bool { last > 0 }

    func perSecond(at now: MonotonicInstant) -> Double {
        let span = now - since
        if last > 0, span < .seconds(2) { return last }
        return count == 0 ? 0 : Double(count) / max(span.seconds, 0.05)
    }
}

/// A host that may be asked for a stream, and why.
struct ParentCandidate: Equatable {
    var name: String
    /// The address that stands for it, by which it is known here.
    var endpoint: Endpoint
    /// Its other addresses, in the order in which to try them.
    var others: [Endpoint] = []
    /// 1 to 3 for a parent by the DNS, 0 for an entrypoint.
    var rank: UInt8
    var cause: String
    var answer: String?
    var serial: UInt32?
}
