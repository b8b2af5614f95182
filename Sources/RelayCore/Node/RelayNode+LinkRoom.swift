import ReflectorModel
import RelayWire

/// A parent's end: whether there is room for one link more, and which must go for it.
extension RelayNode {
    /// Makes room for a link of that node at that address. What fetches streams is never closed for it: first goes what never
    /// said a word, then what fetches nothing, of the address with the most links first. Nil if there is room now.
    func makeRoom(for open: Open, from source: Endpoint, at now: MonotonicInstant) -> LinkRefusal? {
        let own = links.shares.slots(of: open.node).compactMap { links.children[$0] }
        // The same node at the same address has started again, or its NAT gave it another port.
        for link in own where link.endpoint.address == source.address { replace(link, at: now) }
        let elsewhere = own.filter { $0.endpoint.address != source.address }
        if elsewhere.count >= configuration.linksPerNodeMax, let oldest = leastUseful(elsewhere) {
            replace(oldest, at: now)
        }
        if links.shares.count(at: source.address) >= configuration.linksPerAddressMax {
            let key = LinkShares.key(source.address)
            guard evict(at: now, where: { LinkShares.key($0.endpoint.address) == key }) else {
                return .addressFull
            }
        }
        if links.children.count >= configuration.linksMax {
            guard evict(at: now, where: { _ in true }) else { return .tableFull }
        }
        return nil
    }

    private func replace(_ link: ChildLink, at now: MonotonicInstant) {
        context.count(.linksReplaced)
        send(.close(.replaced), on: link, at: now)
        remove(link, at: now)
    }

    private func evict(at now: MonotonicInstant, where isCandidate: (ChildLink) -> Bool) -> Bool {
        guard links.maySearch(at: now) else { return false }
        let idle = links.children.all.filter { $0.ordered.isEmpty && !$0.announces && isCandidate($0) }
        guard let link = leastUseful(idle) else { return false }
        context.count(.linksEvicted)
        if let count = context.isAlarmDue(.linksEvicted, at: now) {
            context.post(.alarm(.linksEvicted(count: count, peer: link.name, link.endpoint)))
        }
        send(.close(.leaving), on: link, at: now)
        remove(link, at: now)
        return true
    }

    /// What never said a word before what did, what fetches nothing before what does, then of the address with the most
    /// links, then what was heard least recently.
    private func leastUseful(_ candidates: [ChildLink]) -> ChildLink? {
        func order(_ link: ChildLink) -> (Int, Int, Int, MonotonicInstant) {
            (
                link.hasSpoken ? 1 : 0, link.ordered.isEmpty ? 0 : 1,
                -links.shares.count(at: link.endpoint.address),
                link.lastReceived
            )
        }
        return candidates.min { order($0) < order($1) }
    }
}
