import DequeModule
import ReflectorModel
import RelayWire

/// Requests of children (Subscribe, Unsubscribe, Announce) that wait, because their links sent many at once. The links
/// are served in rotation, and one turn processes few requests, so data and probes never wait long.
struct RequestQueue {
    enum Outcome: Equatable {
        /// Process it now: no request of its link waits ahead of it, and the link is within its rate.
        case now
        case deferred
        /// The same request is already waiting.
        case known
        case full
    }

    /// The current turn.
    private struct Turn {
        /// How many more requests may be processed in this turn, and the maximum for each link.
        var left = 0
        var ofEachLink = 0
        /// Slot of the link whose requests are being processed, and how many more of its requests may be processed.
        var link: Int?
        var leftOfLink = 0
    }

    /// Maximum number of waiting requests, over all links and per link.
    private static let countMax = 16_384
    private static let countMaxOfLink = 4_096
    /// Requests processed in one turn, and the time from one turn to the next.
    private static let countOfTurn = 32
    static let interval = TimeSpan.milliseconds(1)

    /// Requests that wait, over all links.
    private var count = 0
    /// Slots of links that have requests waiting. The link at the front is served next.
    private var turns = Deque<Int>()
    private var turn = Turn()

    var isEmpty: Bool { turns.isEmpty }

    mutating func take(_ message: RelayMessage, on link: ChildLink, at now: MonotonicInstant) -> Outcome {
        if link.requests.isEmpty, link.requests.mayRun(at: now) { return .now }
        guard !link.requests.holds(message) else { return .known }
        guard count < Self.countMax, link.requests.count < Self.countMaxOfLink else { return .full }
        if link.requests.isEmpty { turns.append(link.slot) }
        link.requests.append(message)
        count += 1
        return .deferred
    }

    mutating func beginTurn() {
        turn = Turn(left: Self.countOfTurn, ofEachLink: max(Self.countOfTurn / max(turns.count, 1), 1))
    }

    /// The next request of this turn, and its link. Nil when the turn is over.
    mutating func next(_ links: borrowing LinkTable) -> (RelayMessage, ChildLink)? {
        while true {
            if let slot = turn.link, let link = links.children[slot] {
                if turn.leftOfLink > 0, let message = link.requests.takeFirst() {
                    turn.leftOfLink -= 1
                    turn.left -= 1
                    count -= 1
                    return (message, link)
                }
                if !link.requests.isEmpty { turns.append(slot) }
            }
            turn.link = nil
            guard turn.left > 0, let slot = turns.popFirst() else { return nil }
            turn.link = slot
            turn.leftOfLink = min(turn.ofEachLink, turn.left)
        }
    }

    /// Drops the requests of a link that is about to be removed.
    mutating func forget(_ link: ChildLink) {
        guard !link.requests.isEmpty else { return }
        count -= link.requests.count
        turns.removeAll { $0 == link.slot }
        link.requests.removeAll()
    }
}

/// Requests of one child that wait (`RequestQueue`).
struct WaitingRequests {
    private var messages = Deque<RelayMessage>()
    /// Subscription ids of the Subscribes among them.
    private var subscribes: Set<UInt32> = []
    /// Requests that a child may make at once, and per second.
    private var bucket = TokenBucket(rate: 500, depth: 512)

    var isEmpty: Bool { messages.isEmpty }
    var count: Int { messages.count }

    /// True if another request of the child may be processed at once. Takes a token for it.
    mutating func mayRun(at now: MonotonicInstant) -> Bool { bucket.take(at: now) }

    /// Whether the same Subscribe waits already.
    func holds(_ message: RelayMessage) -> Bool {
        guard case .subscribe(let request) = message else { return false }
        return subscribes.contains(request.subscription)
    }

    mutating func append(_ message: RelayMessage) {
        switch message {
        case .subscribe(let request): subscribes.insert(request.subscription)
        case .unsubscribe(let subscription): subscribes.remove(subscription)
        default: break
        }
        messages.append(message)
    }

    mutating func takeFirst() -> RelayMessage? {
        guard let message = messages.popFirst() else { return nil }
        if case .subscribe(let request) = message { subscribes.remove(request.subscription) }
        return message
    }

    mutating func removeAll() {
        messages.removeAll()
        subscribes.removeAll()
    }
}
