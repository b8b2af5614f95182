import ReflectorModel
import RelayWire

/// One stream that a child fetches from us. It belongs to `Server`; its backlog is moved on by `EgressScheduler`.
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
    /// The link holds its subscriptions. A subscription that is removed from its link is removed from its stream too,
    /// so it is never used after the link is gone.
    let unmanagedLink: Unmanaged<ChildLink>
    var link: ChildLink { unmanagedLink.takeUnretainedValue() }
    let stream: Int
    /// As claimed by the child.
    let portset: PortsetID
    /// Where the child wants to start; a preburst after a change of incarnation or a rewind. Read by `Fetcher`.
    private(set) var start: Subscribe.Start
    let rateSixteenths: UInt8
    /// Since when the child has been without packets of the incarnation that it resumes; nil if that is unknown.
    let silentSince: MonotonicInstant?
    /// The child gets the past of another source. Its viewers get nothing until that reaches the place where they are.
    private(set) var isSplicing = false
    let path: [NodeID]
    /// The child has the stream by another path too.
    private(set) var isExtra: Bool
    /// The child gets nothing on its link but what it asks for.
    private(set) var isOnRequest: Bool
    /// When the child was last asked to end the subscription, because it is extra.
    private var askedToEndAt: MonotonicInstant?
    /// The child was told of a feed on the LAN, and when.
    private var offeredAt: MonotonicInstant?
    var isOffered: Bool { offeredAt != nil }
    /// The capacity reserved for it.
    let grant: Admission.Grant
    private(set) var state: State = .pending
    /// The first number that the child gets.
    private(set) var from: UInt64 = 0
    /// Index in the stream's list of children.
    private(set) var place = 0
    /// When it ends unless the child renews it. Read by the link's timer.
    private(set) var expires: MonotonicInstant
    /// The largest payload that the paths behind the child carry, as the child reports it, and until when that is
    /// valid.
    private var payloadLimit: (bytes: Int, until: MonotonicInstant)?
    /// How many packets of the backlog may be sent now, and how many of those are within the stream's live rate, both
    /// scaled by 1024; and when both were last counted.
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
        silentSince =
            request.silentMilliseconds == .max ? nil : now - .milliseconds(Int64(request.silentMilliseconds))
        path = request.path
        isExtra = request.isExtra
        isOnRequest = request.isOnRequest
        self.grant = grant
        self.expires = expires
        allowanceCounted = now
    }

    /// Sets how the child is served from now on and, if `from` is given, the first number that it gets.
    func serve(_ state: State, from: UInt64? = nil, of stream: StreamState) {
        if case .live = state { isSplicing = false }
        self.state = state
        self.from = from ?? self.from
        stream.noteService(of: self)
    }

    /// The child renews the subscription.
    func renew(until expires: MonotonicInstant) { self.expires = expires }

    /// The child subscribes again.
    func renew(isExtra: Bool, until expires: MonotonicInstant) {
        self.isExtra = isExtra
        self.expires = expires
    }

    /// From now on the child gets nothing on its link but what it asks for.
    func beginOnRequest(of stream: StreamState) {
        isOnRequest = true
        if state != .pending { serve(.live, of: stream) }
    }

    /// The incarnation has changed, or was rewound to lower numbers: the child will start again with a preburst.
    func restart(of stream: StreamState) {
        start = .preburst
        isSplicing = true
        serve(.pending, of: stream)
    }

    func beginSplice() { isSplicing = true }

    /// The pace of its backlog as a multiple of the arrival rate, in sixteenths: what the child asks for, or twice that
    /// during a splice, but no more than `most`.
    func pace(most: UInt8) -> Int { Self.pace(rateSixteenths, isSplicing: isSplicing, most: most) }
    static func pace(_ asked: UInt8, isSplicing: Bool, most: UInt8) -> Int {
        min(Int(asked) * (isSplicing ? 2 : 1), Int(most))
    }

    /// Its index in the stream's list of children has changed.
    func move(to place: Int) { self.place = place }

    /// The child reports that the paths behind it carry no larger payload.
    func limitPayload(to bytes: Int, until: MonotonicInstant) { payloadLimit = (bytes, until) }
    func payloadLimit(at now: MonotonicInstant) -> Int? {
        payloadLimit.flatMap { $0.until > now ? $0.bytes : nil }
    }

    /// A child that still has an extra path is asked again after this time to end it.
    private static var askAgainAfter: TimeSpan { .seconds(2) }

    /// True if the child should be asked now to end this extra path. If so, it is false for the next `askAgainAfter`.
    func takeAskToEnd(at now: MonotonicInstant) -> Bool {
        if let askedToEndAt, now - askedToEndAt < Self.askAgainAfter { return false }
        askedToEndAt = now
        return true
    }

    /// True if the child should be told now of the feed on the LAN. If so, false for the next `spacing`.
    func takeOffer(spacing: TimeSpan, at now: MonotonicInstant) -> Bool {
        if let offeredAt, now - offeredAt < spacing { return false }
        offeredAt = now
        return true
    }

    /// A backlog begins: `burst` packets may be sent at once.
    func beginBacklog(burst: Int, at now: MonotonicInstant) {
        allowance = Int64(burst) << 10
        ownAllowance = 0
        allowanceCounted = now
    }

    /// Raises both allowances for the time since the last call.
    ///
    /// - Parameters:
    ///   - rate: maximum packets a second for the child.
    ///   - own: live packets a second of the stream; 0 if unknown.
    ///   - most: maximum of each allowance, in packets.
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

    /// How long until `ownAllowance` has room for the next packet; one second if the live rate is unknown.
    func wait(own: Double) -> TimeSpan {
        guard own > 0 else { return .seconds(1) }
        return .nanoseconds(Int64(max(Double(1_024 - ownAllowance), 0) / 1_024 / own * 1e9))
    }
}
