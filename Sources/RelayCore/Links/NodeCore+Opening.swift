import NodeIdentity
import ReflectorModel
import RelayWire

/// The sending half of the child's end of the handshake. Any part of the node that needs a link to a host opens it
/// here.
extension NodeCore {
    /// Maximum number of a host's other addresses to try.
    private static var othersMax: Int { 7 }

    /// The link to a host; opens it if there is none. Nil if the table is full.
    ///
    /// - Parameters:
    ///   - endpoint: the address that identifies the host.
    ///   - others: the host's other addresses, tried if the first one does not answer soon.
    mutating func openLink(
        to endpoint: Endpoint, others: [Endpoint], name: String, isForAnnouncing: Bool, at now: MonotonicInstant
    ) -> ParentLink? {
        if let link = links.parent(at: endpoint) { return link }
        guard links.parents.count < configuration.linksMax else {
            context.count(.droppedLinkTableFull)
            return nil
        }
        let token = freshToken()
        let opening = begin(to: name, LinkRequest(childToken: token))
        let first = links.firstAddress(of: endpoint, others: others, at: now)
        let isMember = configuration.neighbours.contains { $0.endpoint == endpoint }
        let link = links.open { slot in
            ParentLink(
                slot: slot, endpoint: endpoint, remote: first,
                others: ([endpoint] + others.prefix(Self.othersMax)).filter { $0 != first }, peerName: name,
                isForAnnouncing: isForAnnouncing,
                isMember: isMember, opening: opening,
                childToken: token, now: now)
        }
        _ = continueHandshake(of: link, at: now)
        return link
    }

    private func begin(to name: String, _ request: LinkRequest) -> any LinkOpening {
        context.handshakes.begin(to: NodeID(name: name), nonce: context.handshakeNonce(), request)
    }

    /// Begins to give new keys to a link that is in use. The link works on with the old ones meanwhile, and afterwards
    /// if the handshake fails.
    mutating func beginRenewal(of link: ParentLink, at now: MonotonicInstant) {
        let token = freshToken()
        links.add(token: token, of: link)
        let request = LinkRequest(childToken: token, renewedToken: link.parentToken)
        link.beginRenewal(begin(to: link.peerName, request), childToken: token, at: now)
        _ = continueHandshake(of: link, at: now)
    }

    /// Sends or repeats the next step of the handshake. False after `retriesMax`: the handshake has failed.
    mutating func continueHandshake(of link: ParentLink, at now: MonotonicInstant) -> Bool {
        guard let opening = link.opening, link.state != .dead else { return true }
        guard now >= link.nextTry else {
            clock.schedule(link, link.nextTry)
            return true
        }
        guard link.tries <= configuration.retriesMax else { return false }
        if let open = opening.open {
            send(.open(open), to: link.remote, from: link.local, at: now)
        } else {
            // After two unanswered tries of the first address, that is after 300 ms by default, the other addresses are
            // tried as well (compare RFC 8305 §5).
            for address in link.tries < 2 || link.isAlive ? [link.remote] : [link.remote] + link.others {
                send(.hello(opening.hello), to: address, from: link.isAlive ? link.local : 0, at: now)
            }
        }
        link.noteTry(interval: configuration.retryInterval, at: now)
        clock.schedule(link, link.nextTry)
        return true
    }

    /// Closes a link: nothing more is sent or received on it.
    mutating func close(_ link: ParentLink, at now: MonotonicInstant) {
        send(.close(.leaving), on: link, at: now)
        link.die()
        for dropped in link.session.close() { release(dropped) }
        if let token = link.abandonRenewal(at: now) { links.remove(token: token) }
        meter.stop(link)
        links.remove(link)
    }

    /// Releases keys that are used no more, and frees their token.
    mutating func release(_ dropped: LinkSession.Dropped) {
        if let keys = dropped.keys { crypto.release(keys) }
        links.remove(token: dropped.ownToken)
    }

    /// A token that no link uses.
    func freshToken() -> UInt64 {
        var token = context.secret64()
        while !links.isFree(token: token) { token = context.secret64() }
        return token
    }
}
