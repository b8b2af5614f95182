import ReflectorModel
import RelayWire

/// Requests of children, carried out now or in their turn (`OrderQueue`).
extension RelayNode {
    func order(_ message: RelayMessage, on link: ChildLink, at now: MonotonicInstant) {
        switch orders.take(message, on: link, at: now) {
        case .now: carryOut(message, on: link, at: now)
        case .known: return
        case .full: context.count(.droppedOrdersFull)
        case .deferred:
            context.count(.ordersDeferred)
            clock.scheduleOrders(now + OrderQueue.interval)
        }
    }

    /// The next turns.
    func handleOrders(at now: MonotonicInstant) {
        let each = orders.shareOfLink
        var left = orders.turnLength
        while left > 0, let slot = orders.nextLink() {
            guard let link = links.children[slot] else { continue }
            var count = min(each, left)
            while count > 0, let message = orders.next(of: link) {
                count -= 1
                left -= 1
                carryOut(message, on: link, at: now)
            }
            orders.endTurn(of: link)
        }
        if !orders.isEmpty { clock.scheduleOrders(now + OrderQueue.interval) }
    }

    private func carryOut(_ message: RelayMessage, on link: ChildLink, at now: MonotonicInstant) {
        switch message {
        case .subscribe(let request): onSubscribe(request, on: link, at: now)
        case .unsubscribe(let subscription): unsubscribe(subscription, on: link, at: now)
        case .announce(let page): onAnnounce(page, on: link, at: now)
        case .subscribeReply, .subscriptionEnd, .renew, .linkHeartbeat, .nak, .heartbeat, .announcePull,
            .heartbeatReply, .close, .sizeProbe, .sizeReport, .payloadLimit:
            break
        }
    }

    /// A control message of a link that has used up what it may send: counted, with an alarm now and then.
    func dropFlood(from peer: String, _ endpoint: Endpoint, at now: MonotonicInstant) {
        context.count(.droppedControlFlood)
        if let count = context.isAlarmDue(.controlFlood, at: now) {
            context.post(.alarm(.controlFlood(count: count, peer: peer, endpoint)))
        }
    }
}
