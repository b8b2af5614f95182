import ReflectorModel
import RelayWire

/// The parent's part of a node: which children get which stream, from which number, and which lost packets they get
/// again. It owns the capacity that it has promised (`Admission`) and the requests that wait. The packets themselves
/// are queued and sent by `EgressScheduler`.
///
/// - `Server+Subscriptions`: a Subscribe is checked, and a subscription begins and ends.
/// - `Server+Activation`: from which number a child is served.
/// - `Server+Retransmits`: NAKs.
struct Server {
    /// Which streams a node can serve.
    enum Supply {
        /// The streams of its own encoders.
        case own
        /// Every stream that it can fetch.
        case fetched
        /// Every stream that it can fetch, for the other members of its region only.
        case region
        /// None: an edge serves viewers.
        case none
    }

    let supply: Supply
    private var admission: Admission
    private var requests = RequestQueue()

    /// - Parameter capacity: bits a second that the node may send; 0 is unlimited.
    init(supply: Supply, capacity: UInt64) {
        self.supply = supply
        admission = Admission(bitsPerSecond: capacity)
    }

    // MARK: Stopping

    /// The node is about to stop and accepts no subscription.
    var isDraining: Bool { admission.isDraining }

    /// Accepts no subscription from now on.
    mutating func stopAccepting() { admission.drain() }

    // MARK: Requests

    /// Takes a Subscribe, an Unsubscribe or an Announce. True if the caller is to carry it out now; otherwise it waits
    /// for its turn (`nextRequest`), or is dropped.
    mutating func takeRequest(
        _ message: RelayMessage, on link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Bool {
        switch requests.take(message, on: link, at: now) {
        case .now: return true
        case .known: break
        case .full: core.context.count(.droppedOrdersFull)
        case .deferred:
            core.context.count(.ordersDeferred)
            core.clock.scheduleRequests(now + RequestQueue.interval)
        }
        return false
    }

    /// A turn over the waiting requests begins: the caller carries out each `nextRequest` until there is none.
    mutating func beginTurn() { requests.beginTurn() }

    /// The next request of this turn. When the turn is over but requests still wait, schedules the next turn.
    mutating func nextRequest(at now: MonotonicInstant, _ core: inout NodeCore) -> (RelayMessage, ChildLink)? {
        if let next = requests.next(core.links) { return next }
        if !requests.isEmpty { core.clock.scheduleRequests(now + RequestQueue.interval) }
        return nil
    }

    /// Drops the requests of a link that is about to be removed.
    mutating func dropRequests(of link: ChildLink) { requests.forget(link) }

    // MARK: Capacity

    /// Reserves capacity for one more copy of the stream. Nil if the node has none left, or is about to stop.
    mutating func reserve(
        _ request: Subscribe, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Admission.Grant? {
        guard !admission.isDraining else { return nil }
        let grant = admission.admit(
            isExtra: request.isExtra, rate: { core.streams[request.stream]?.bitRate(at: now) },
            loads: { Self.loads(core.streams, at: now) }, at: now)
        if !request.isExtra { shedExtraPaths(at: now, &core) }
        return grant
    }

    /// Gives back the capacity of a copy that is not sent, or no longer sent.
    mutating func takeBack(_ grant: Admission.Grant?) {
        if let grant { admission.takeBack(grant) }
    }

    /// Asks children that have a stream by another path as well to end their subscription here, if the node is nearly
    /// full. Call it at each subscription, and regularly.
    mutating func shedExtraPaths(at now: MonotonicInstant, _ core: inout NodeCore) {
        let found = admission.takeExcess(loads: { Self.loads(core.streams, at: now) }, at: now)
        guard var excess = found else { return }
        for stream in core.streams.all {
            let rate = stream.bitRate(at: now) ?? admission.averageCopy
            for subscription in stream.children where subscription.isExtra && excess > 0 {
                excess -= rate
                guard subscription.takeAskToEnd(at: now) else { continue }
                core.context.count(.extraPathsCrowded)
                let reply = SubscribeReply(subscription: subscription.id, status: .crowded)
                core.send(.subscribeReply(reply), on: subscription.link, at: now)
            }
        }
    }

    private static func loads(_ streams: borrowing StreamTable, at now: MonotonicInstant) -> [Admission.Load] {
        streams.all.map { stream in
            Admission.Load(
                rate: stream.bitRate(at: now), copies: stream.children.count,
                extraCopies: stream.children.count { $0.isExtra })
        }
    }
}
