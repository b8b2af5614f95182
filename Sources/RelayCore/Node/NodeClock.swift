import ReflectorModel

/// The timers of a node. Each link, each stream, the node itself and the queue of waiting requests have at most one
/// valid timer each; the earliest one wakes the node.
struct NodeClock: ~Copyable {
    let startedAt: MonotonicInstant
    /// Before this instant, silence of others proves nothing, because the node itself woke late.
    private(set) var judgeSilenceFrom: MonotonicInstant = .zero
    /// The node's last late wake-up, and how late it was.
    private(set) var sleep: (until: MonotonicInstant, length: TimeSpan) = (.zero, .zero)
    /// The node woke late, and its timers have not run since: what it reads now may have waited in the socket.
    private(set) var isCatchingUp = false
    private var timers = TimerQueue()
    /// The timer of the node itself. Changed by `scheduleNode` and `takeNode`.
    private(set) var node = Wakeup()
    /// The timer of the waiting requests. Changed by `scheduleRequests` and `takeRequests`.
    private(set) var requests = Wakeup()
    /// The timer of the waiting Opens. Changed by `scheduleOpens` and `takeOpens`.
    private(set) var opens = Wakeup()
    /// The timer of the election. Changed by `scheduleElection` and `takeElection`.
    private(set) var election = Wakeup()

    /// The timer of the region. Changed by `scheduleRegion` and `takeRegion`.
    private(set) var region = Wakeup()

    /// A wake-up that is delayed by more than this is late.
    private static let lateAfter: TimeSpan = .milliseconds(20)
    /// For this long after a late wake-up, silence proves nothing: messages may still be in the socket or in transit.
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
        timers.schedule(.node, at: at, &node)
    }

    mutating func scheduleRequests(_ at: MonotonicInstant) {
        timers.schedule(.requests, at: at, &requests)
    }

    mutating func scheduleOpens(_ at: MonotonicInstant) {
        timers.schedule(.opens, at: at, &opens)
    }

    mutating func scheduleElection(_ at: MonotonicInstant) {
        timers.schedule(.election, at: at, &election)
    }

    mutating func scheduleRegion(_ at: MonotonicInstant) {
        timers.schedule(.region, at: at, &region)
    }

    /// The earliest timer, which may be stale.
    var first: (owner: TimerOwner, at: MonotonicInstant)? { timers.first }

    mutating func removeFirst() { timers.removeFirst() }

    /// Removes and returns the next timer that is due, which may be stale.
    mutating func popDue(at now: MonotonicInstant) -> (owner: TimerOwner, at: MonotonicInstant)? {
        timers.popDue(at: now)
    }

    /// The node's own timer is due. False if the entry is stale.
    mutating func takeNode(_ at: MonotonicInstant) -> Bool { node.take(at) }

    /// The timer of the waiting requests is due. False if the entry is stale.
    mutating func takeRequests(_ at: MonotonicInstant) -> Bool { requests.take(at) }

    /// The timer of the waiting Opens is due. False if the entry is stale.
    mutating func takeOpens(_ at: MonotonicInstant) -> Bool { opens.take(at) }

    /// The timer of the election is due. False if the entry is stale.
    mutating func takeElection(_ at: MonotonicInstant) -> Bool { election.take(at) }

    /// The timer of the region is due. False if the entry is stale.
    mutating func takeRegion(_ at: MonotonicInstant) -> Bool { region.take(at) }

    /// Called when the node wakes, before it reads anything: what it reads reschedules timers, and then no timer shows any
    /// more that the node slept.
    ///
    /// - Parameter dueAt: when the soonest timer was due.
    mutating func noteWakeUp(dueAt: MonotonicInstant, at now: MonotonicInstant) {
        guard !isCatchingUp, dueAt < now - Self.lateAfter else { return }
        isCatchingUp = true
        sleep = (now, now - dueAt)
    }

    /// Called before timers run. True if the node woke so late that others' silence proves nothing (design §7).
    mutating func endCatchingUp(at now: MonotonicInstant) -> Bool {
        guard isCatchingUp else { return false }
        isCatchingUp = false
        judgeSilenceFrom = now + Self.patience
        return true
    }
}
