import ReflectorModel
import RelayWire

/// Whose the links of children are, so that no address and no node takes all of them; and which were closed a moment ago, so
/// that an `Open` that somebody overheard opens none of them again.
struct LinkShares {
    /// What one link of an address was opened by.
    private struct Closed {
        var endpoint: Endpoint
        var nonce: HandshakeNonce
        var cookieMilliseconds: UInt64
    }

    /// Closed links remembered, by place; a newer one takes over the place of an older.
    private static let closedMax = 4_096
    private var closed: [Closed?] = []
    private var countOfAddress: [IPAddress: Int] = [:]
    private var slotsOfNode: [NodeID: [Int]] = [:]
    /// When links were last searched for one to close.
    private var searchedAt: MonotonicInstant?

    /// An IPv4 address, or the network of an IPv6 address: whoever has one address of it has them all.
    static func key(_ address: IPAddress) -> IPAddress {
        address.isV4 ? address : IPAddress(high: address.high, low: 0)
    }

    func count(at address: IPAddress) -> Int { countOfAddress[Self.key(address)] ?? 0 }

    /// Slots of the node's links, oldest first.
    func slots(of node: NodeID) -> [Int] { slotsOfNode[node] ?? [] }

    mutating func add(_ link: ChildLink) {
        countOfAddress[Self.key(link.endpoint.address), default: 0] += 1
        slotsOfNode[link.node, default: []].append(link.slot)
    }

    mutating func remove(_ link: ChildLink) {
        let key = Self.key(link.endpoint.address)
        let left = (countOfAddress[key] ?? 1) - 1
        countOfAddress[key] = left > 0 ? left : nil
        slotsOfNode[link.node]?.removeAll { $0 == link.slot }
        if slotsOfNode[link.node]?.isEmpty == true { slotsOfNode[link.node] = nil }
        if closed.isEmpty { closed = Array(repeating: nil, count: Self.closedMax) }
        closed[Self.place(of: link.endpoint)] = Closed(
            endpoint: link.endpoint, nonce: link.nonce, cookieMilliseconds: link.cookieMilliseconds)
    }

    /// True for an `Open` that opened a link which is closed by now, or that is older than it.
    func isReplay(_ open: Open, from source: Endpoint) -> Bool {
        guard !closed.isEmpty, let last = closed[Self.place(of: source)], last.endpoint == source else { return false }
        return open.nonce == last.nonce || open.cookie.milliseconds < last.cookieMilliseconds
    }

    /// Whether all links may be searched now: not for each of a thousand Opens in a row.
    mutating func maySearch(at now: MonotonicInstant) -> Bool {
        if let searchedAt, now - searchedAt < .milliseconds(5) { return false }
        searchedAt = now
        return true
    }

    private static func place(of endpoint: Endpoint) -> Int {
        let hash = FixedHash.combine(
            FixedHash.combine(endpoint.address.high, endpoint.address.low), UInt64(endpoint.port))
        return Int(truncatingIfNeeded: hash % UInt64(closedMax))
    }
}

/// A parent's end: whether there is room for one link more, and which must go for it.
extension RelayNode {
    /// Makes room for a link of that node at that address. What fetches streams is never closed for it: first goes what never
    /// said a word, then what fetches nothing, of the address with the most links first. Nil if there is room now.
    func makeRoom(for open: Open, from source: Endpoint, at now: MonotonicInstant) -> LinkRefusal? {
        let own = linkShares.slots(of: open.node).compactMap { childLinks[$0] }
        // The same node at the same address has started again, or its NAT gave it another port.
        for link in own where link.endpoint.address == source.address { replace(link, at: now) }
        let elsewhere = own.filter { $0.endpoint.address != source.address }
        if elsewhere.count >= configuration.linksPerNodeMax, let oldest = Self.leastUseful(elsewhere, linkShares) {
            replace(oldest, at: now)
        }
        if linkShares.count(at: source.address) >= configuration.linksPerAddressMax {
            let key = LinkShares.key(source.address)
            guard evict(at: now, where: { LinkShares.key($0.endpoint.address) == key }) else { return .addressFull }
        }
        if childLinks.count >= configuration.linksMax {
            guard evict(at: now, where: { _ in true }) else { return .tableFull }
        }
        return nil
    }

    private func replace(_ link: ChildLink, at now: MonotonicInstant) {
        counters.add(.linksReplaced)
        send(.close(.replaced), on: link, at: now)
        remove(link, at: now)
    }

    private func evict(at now: MonotonicInstant, where isCandidate: (ChildLink) -> Bool) -> Bool {
        guard linkShares.maySearch(at: now) else { return false }
        let idle = childLinks.all.filter { $0.ordered.isEmpty && !$0.announces && isCandidate($0) }
        guard let link = Self.leastUseful(idle, linkShares) else { return false }
        counters.add(.linksEvicted)
        if let count = alarmCounts.note(.linksEvicted, at: now) {
            post(.alarm(.linksEvicted(count: count, peer: link.name, link.endpoint)))
        }
        send(.close(.leaving), on: link, at: now)
        remove(link, at: now)
        return true
    }

    /// What never said a word before what did, what fetches nothing before what does, then of the address with the most
    /// links, then what was heard least recently.
    private static func leastUseful(_ links: [ChildLink], _ shares: LinkShares) -> ChildLink? {
        func order(_ link: ChildLink) -> (Int, Int, Int, MonotonicInstant) {
            (
                link.hasSpoken ? 1 : 0, link.ordered.isEmpty ? 0 : 1, -shares.count(at: link.endpoint.address),
                link.lastReceived
            )
        }
        return links.min { order($0) < order($1) }
    }
}
