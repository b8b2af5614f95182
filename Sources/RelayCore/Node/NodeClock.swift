import ReflectorModel

/// The timers of a node. Each link, each stream, the node itself and the queue of waiting requests have at most one
/// valid timer each; the earliest one wakes the node.
struct NodeClock: ~Copyable {
    /// What is due.
    enum Due {
        case parentLink(ParentLink)
        case childLink(ChildLink)
        case stream(StreamState)
        case node
        case requests
    }

    let startedAt: MonotonicInstant
    /// Before this instant, silence of others proves nothing, because the node itself woke late.
    private(set) var judgeSilenceFrom: MonotonicInstant = .zero
    private var timers = TimerQueue()
    private var nodeWakeup = Wakeup()
    private var requestsWakeup = Wakeup()

    /// A wake-up that is delayed by more than this is late.
    private static let lateAfter: TimeSpan = .milliseconds(20)
    /// After a late wake-up, messages from others may still be in the socket or in transit.
    private static let patience: TimeSpan = .milliseconds(50)

    init(startedAt: MonotonicInstant) { self.startedAt = startedAt }

    /// Timers in the heap, stale ones included.
    var count: Int { timers.count }

    mutating func schedule(_ link: ParentLink, _ at: MonotonicInstant) {
        timers.schedule(.parentLink(link.slot), at: at, &link.wakeup)
    }

    mutating func schedule(_ link: ChildLink, _ at: MonotonicInstant) {
        timers.schedule(.childLink(link.slot), at: at, &link.wakeup)
    }

    mutating func schedule(_ stream: StreamState, _ at: MonotonicInstant) {
        timers.schedule(.stream(stream.slot), at: at, &stream.wakeup)
    }

    mutating func scheduleNode(_ at: MonotonicInstant) {
        timers.schedule(.node, at: at, &nodeWakeup)
    }

    mutating func scheduleRequests(_ at: MonotonicInstant) {
        timers.schedule(.requests, at: at, &requestsWakeup)
    }

    /// When the soonest timer is due; `.distantFuture` if there is none.
    mutating func next(_ links: borrowing LinkTable, _ streams: borrowing StreamTable)
        -> MonotonicInstant
    {
        timers.dropStale { owner, at in
            switch owner {
            case .parentLink(let slot): links.parents[slot]?.wakeup.at == at
            case .childLink(let slot): links.children[slot]?.wakeup.at == at
            case .stream(let slot): streams[slot]?.wakeup.at == at
            case .node: nodeWakeup.at == at
            case .requests: requestsWakeup.at == at
            }
        }
        return timers.next
    }

    /// Called before timers run. True if the node woke so late that others' silence proves nothing (design §7).
    mutating func noteWakeUp(
        _ links: borrowing LinkTable, _ streams: borrowing StreamTable, at now: MonotonicInstant
    ) -> Bool {
        guard next(links, streams) < now - Self.lateAfter else { return false }
        judgeSilenceFrom = now + Self.patience
        return true
    }

    /// Removes and returns the next timer that is due. Nil if there is none.
    mutating func takeDue(
        _ links: borrowing LinkTable, _ streams: borrowing StreamTable, at now: MonotonicInstant
    ) -> Due? {
        while let (owner, at) = timers.popDue(at: now) {
            switch owner {
            case .parentLink(let slot):
                guard let link = links.parents[slot], link.wakeup.take(at) else { continue }
                return .parentLink(link)
            case .childLink(let slot):
                guard let link = links.children[slot], link.wakeup.take(at) else { continue }
                return .childLink(link)
            case .stream(let slot):
                guard let stream = streams[slot], stream.wakeup.take(at) else { continue }
                return .stream(stream)
            case .node:
                guard nodeWakeup.take(at) else { continue }
                return .node
            case .requests:
                guard requestsWakeup.take(at) else { continue }
                return .requests
            }
        }
        return nil
    }
}
