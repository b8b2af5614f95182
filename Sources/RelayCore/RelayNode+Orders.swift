import DequeModule
import ReflectorModel
import RelayWire

/// What children order (Subscribe, Unsubscribe, Announce) and is not carried out yet, because their links have ordered much at
/// once: each link has its turn, and a turn is short, so that data and probes never wait for it long.
struct OrderQueue {
    /// Orders that wait, over all links and of one link.
    static let countMax = 16_384
    static let countMaxOfLink = 4_096
    /// Orders carried out in one go, and the time from one go to the next.
    static let ordersOfTurn = 32
    static let interval = TimeSpan.milliseconds(1)

    var scheduled: MonotonicInstant = .distantFuture
    /// Orders that wait, over all links.
    var count = 0
    /// Slots of links that have orders waiting, the next one first.
    var turns = Deque<Int>()
}

extension RelayNode {
    /// Carries an order out now, or lets it wait for its turn.
    func order(_ message: RelayMessage, on link: ChildLink, at now: MonotonicInstant) {
        if link.waitingOrders.isEmpty, link.orders.take(at: now) { return carryOut(message, on: link, at: now) }
        if case .subscribe(let request) = message, link.waitingSubscribes.contains(request.subscription) { return }
        guard orders.count < OrderQueue.countMax, link.waitingOrders.count < OrderQueue.countMaxOfLink else {
            return counters.add(.droppedOrdersFull)
        }
        counters.add(.ordersDeferred)
        switch message {
        case .subscribe(let request): link.waitingSubscribes.insert(request.subscription)
        case .unsubscribe(let subscription): link.waitingSubscribes.remove(subscription)
        default: break
        }
        if link.waitingOrders.isEmpty { orders.turns.append(link.slot) }
        link.waitingOrders.append(message)
        orders.count += 1
        scheduleOrders(now + OrderQueue.interval)
    }

    /// The next turns.
    func handleOrders(at now: MonotonicInstant) {
        let each = max(OrderQueue.ordersOfTurn / max(orders.turns.count, 1), 1)
        var left = OrderQueue.ordersOfTurn
        while left > 0, let slot = orders.turns.popFirst() {
            guard let link = childLinks[slot] else { continue }
            var count = min(each, left)
            while count > 0, let message = link.waitingOrders.popFirst() {
                count -= 1
                left -= 1
                orders.count -= 1
                if case .subscribe(let request) = message { link.waitingSubscribes.remove(request.subscription) }
                carryOut(message, on: link, at: now)
            }
            if !link.waitingOrders.isEmpty { orders.turns.append(slot) }
        }
        if !orders.turns.isEmpty { scheduleOrders(now + OrderQueue.interval) }
    }

    /// The link is about to go, and its orders with it.
    func forgetOrders(of link: ChildLink) {
        guard !link.waitingOrders.isEmpty else { return }
        orders.count -= link.waitingOrders.count
        orders.turns.removeAll { $0 == link.slot }
        link.waitingOrders.removeAll()
        link.waitingSubscribes.removeAll()
    }

    private func carryOut(_ message: RelayMessage, on link: ChildLink, at now: MonotonicInstant) {
        switch message {
        case .subscribe(let request): receive(request, on: link, at: now)
        case .unsubscribe(let subscription): unsubscribe(subscription, on: link, at: now)
        case .announce(let page): receive(page, on: link, at: now)
        case .subscribeReply, .subscriptionEnd, .renew, .linkHeartbeat, .nak, .heartbeat, .announcePull,
            .heartbeatReply, .close, .sizeProbe, .sizeReport, .payloadLimit:
            break
        }
    }

    /// A control message of a link that has used up what it may send. Counted, and told to a person now and then.
    func dropFlood(from peer: String, _ endpoint: Endpoint, at now: MonotonicInstant) {
        counters.add(.droppedControlFlood)
        if let count = alarmCounts.note(.controlFlood, at: now) {
            post(.alarm(.controlFlood(count: count, peer: peer, endpoint)))
        }
    }
}
