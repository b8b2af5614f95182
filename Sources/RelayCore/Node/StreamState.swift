import ReflectorModel
import RelayWire

/// One stream at a node: what the node holds of it, where it comes from, and who gets it.
final class StreamState {
    let slot: Int
    let name: StreamName
    /// Unique over all streams that this node ever had.
    let number: UInt64
    /// Known from the zone, or a hint from children. Set by `learn` and `takePortsetHint`.
    private(set) var portset: PortsetID?
    /// Largest payload that all paths behind this node carry.
    var payloadLimit = PayloadLimit()
    /// The zone has not confirmed the portset: it is a claim of children, and the name servers do not answer.
    private(set) var isPortsetHint = false
    var wakeup = Wakeup()

    /// The packets held; nil until a parent or an encoder provides the stream. Set by `begin` and `endIncarnation`.
    private(set) var incarnation: IncarnationState?
    /// The receiver's state for the stream.
    var arrivals = Arrivals()
    var deliveries = Deliveries()
    private(set) var children: [ChildSubscription] = []
    /// What the packet path needs to know of each child, in the same order.
    private(set) var fanOut: [FanOutEntry] = []
    var paths = PathSet()
    /// The fetcher's state for the stream.
    var candidates = CandidateMemory()
    var quality = PathQuality()
    var times = FetchTimes()
    /// Present at the stream's entrypoint.
    var origin: StreamSource?
    /// Viewers of this region want it. Set by `want` and `release`.
    private(set) var isWanted = false
    /// How often the source changes, and to which earlier one the stream returns.
    var sourceChanges = SourceChanges()

    var departures = Departures()
    /// Present while this node sends the stream to a group of the LAN. Set by `beginLAN` and `endLAN`.
    private(set) var lanOutlet: LanOutlet?
    func beginLAN(_ outlet: LanOutlet) { lanOutlet = outlet }
    func endLAN() { lanOutlet = nil }
    /// Present if this node merges several feeds of the stream. Set by `beginMerging` and `endMerging`.
    private(set) var hot: HotStream?

    /// The entrypoint that leads the stream, as this node sees it as a witness. Set by `follow`.
    private(set) var leader: NodeID?
    func follow(_ leader: NodeID?) { self.leader = leader }
    /// The members of the region from which to fetch the stream, the leader first; empty if this node leads it. Set by
    /// `follow(neighbours:)`.
    private(set) var neighbours: [ParentCandidate] = []

    /// Another member of the region leads the stream, or this one (empty). False if that is known.
    func follow(neighbours: [ParentCandidate]) -> Bool {
        guard neighbours != self.neighbours else { return false }
        self.neighbours = neighbours
        return true
    }

    /// Since when no parent outside the region has carried the stream or accepted a request for it; nil if one does. A
    /// stream that no parent has is not meant.
    var starvedSince: MonotonicInstant? {
        let outside = paths.all.filter { !$0.candidate.isMember }
        guard let since = times.starvedSince, !outside.contains(where: { $0.state == .live || $0.isAnswered }) else {
            return nil
        }
        if outside.isEmpty, let problem = candidates.problem, problem.isElsewhere { return nil }
        return since
    }

    init(slot: Int, name: StreamName, number: UInt64 = 0) {
        self.slot = slot
        self.name = name
        self.number = number
    }

    /// Viewers want the stream.
    func want() { isWanted = true }
    /// The last viewer has left.
    func release() { isWanted = false }

    func beginMerging() { hot = hot ?? HotStream() }
    func endMerging() { hot = nil }

    func begin(_ incarnation: IncarnationState) { self.incarnation = incarnation }
    func endIncarnation() { incarnation = nil }

    /// The zone has named the portset.
    func learn(_ portset: PortsetID) {
        self.portset = portset
        isPortsetHint = false
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

    /// Removes the children for which `isOver` is true. Returns them in order.
    func removeChildren(where isOver: (ChildSubscription) -> Bool) -> [ChildSubscription] {
        let removed = children.filter(isOver)
        children.removeAll(where: isOver)
        for (place, child) in children.enumerated() { child.move(to: place) }
        fanOut = children.map(FanOutEntry.init)
        return removed
    }

    /// The child's state of service has changed.
    func noteService(of child: ChildSubscription) {
        guard children.indices.contains(child.place), children[child.place] === child else { return }
        fanOut[child.place] = FanOutEntry(child)
    }

    var hasDemand: Bool { isWanted || !children.isEmpty }
    /// Packets that arrived after they had been given up. At most as many as were lost, because a packet that the log
    /// has overwritten may come again, too.
    var late: UInt64 { min(arrivals.late, deliveries.lost) }

    /// Packets arrived here recently, or this node is the stream's entrypoint. The answers on which such a stream
    /// depends are kept when there is no room for all.
    func isCarrying(at now: MonotonicInstant) -> Bool {
        origin != nil || incarnation != nil && now - arrivals.lastArrival < Self.carryingSpan
    }

    private static let carryingSpan: TimeSpan = .seconds(30)

    /// Sets the portset to the one that more children claim than any other; in a tie, to the one that the earliest
    /// child claims.
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

    /// Maximum number of children whose claims are counted.
    private static let votersMax = 64
}

/// Packets per second, measured over half a second: independent of what the log still holds.
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

    /// True once a window has been measured.
    var isMeasured: Bool { last > 0 }

    func perSecond(at now: MonotonicInstant) -> Double {
        let span = now - since
        if last > 0, span < .seconds(2) { return last }
        return count == 0 ? 0 : Double(count) / max(span.seconds, 0.05)
    }
}
