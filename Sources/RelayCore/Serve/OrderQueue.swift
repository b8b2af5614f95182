import DequeModule
import ReflectorModel
import RelayWire

/// Requests of children (Subscribe, Unsubscribe, Announce) that wait, because their links sent many at once. Each link
/// has its turn, and a turn is short, so that data and probes never wait for it long.
struct OrderQueue {
    /// Requests that wait, over all links and of one link.
    private static let countMax = 16_384
    private static let countMaxOfLink = 4_096
    /// Requests carried out in one go, and the time from one go to the next.
    private static let ordersOfTurn = 32
    static let interval = TimeSpan.milliseconds(1)

    /// Requests that wait, over all links.
    private var count = 0
    /// Slots of links that have requests waiting, the next one first.
    private var turns = Deque<Int>()

    var isEmpty: Bool { turns.isEmpty }

    enum Outcome: Equatable {
        /// Nothing waits before it: carry it out now.
        case now
        case deferred
        /// It waits already.
        case known
        case full
    }

    mutating func take(_ message: RelayMessage, on link: ChildLink, at now: MonotonicInstant)
        -> Outcome
    {
        if link.waitingOrders.isEmpty, link.orders.take(at: now) { return .now }
        if case .subscribe(let request) = message, link.waitingSubscribes.contains(request.subscription) {
            return .known
        }
        guard count < Self.countMax, link.waitingOrders.count < Self.countMaxOfLink else {
            return .full
        }
        switch message {
        case .subscribe(let request): link.waitingSubscribes.insert(request.subscription)
        case .unsubscribe(let subscription): link.waitingSubscribes.remove(subscription)
        default: break
        }
        if link.waitingOrders.isEmpty { turns.append(link.slot) }
        link.waitingOrders.append(message)
        count += 1
        return .deferred
    }

    /// One go over the links: which links, and how many requests of each at most.
    var shareOfLink: Int { max(Self.ordersOfTurn / max(turns.count, 1), 1) }
    var turnLength: Int { Self.ordersOfTurn }

    mutating func nextLink() -> Int? { turns.popFirst() }

    /// The link's next request.
    mutating func next(of link: ChildLink) -> RelayMessage? {
        guard let message = link.waitingOrders.popFirst() else { return nil }
        count -= 1
        if case .subscribe(let request) = message {
            link.waitingSubscribes.remove(request.subscription)
        }
        return message
    }

    /// The link's turn is over.
    mutating func endTurn(of link: ChildLink) {
        if !link.waitingOrders.isEmpty { turns.append(link.slot) }
    }

    /// The link is about to go, and its requests with it.
    mutating func forget(_ link: ChildLink) {
        guard !link.waitingOrders.isEmpty else { return }
        count -= link.waitingOrders.count
        turns.removeAll { $0 == link.slot }
        link.waitingOrders.removeAll()
        link.waitingSubscribes.removeAll()
    }
}
