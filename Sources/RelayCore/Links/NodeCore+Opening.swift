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
        let nonce = HandshakeNonce(high: context.secret64(), low: context.secret64())
        let token = freshToken()
        let first = links.firstAddress(of: endpoint, others: others, at: now)
        let keyPhase = crypto.keyPhases.first ?? 0
        let link = links.open { slot in
            ParentLink(
                slot: slot, endpoint: endpoint, remote: first,
                others: ([endpoint] + others.prefix(Self.othersMax)).filter { $0 != first }, peerName: name,
                isForAnnouncing: isForAnnouncing, keyPhase: keyPhase, nonce: nonce, childToken: token, now: now)
        }
        _ = continueHandshake(of: link, at: now)
        return link
    }

    /// Sends or repeats the next step of the handshake. False after `retriesMax`: the link has failed.
    mutating func continueHandshake(of link: ParentLink, at now: MonotonicInstant) -> Bool {
        guard now >= link.nextTry else {
            clock.schedule(link, link.nextTry)
            return true
        }
        guard link.tries <= configuration.retriesMax else { return false }
        switch link.state {
        case .greeting:
            // After two unanswered tries of the first address, that is after 300 ms by default, the other addresses are
            // tried as well (compare RFC 8305 §5).
            for address in link.tries < 2 ? [link.remote] : [link.remote] + link.others {
                send(
                    .hello(keyPhase: link.keyPhase, role: configuration.role, node: context.id, nonce: link.nonce),
                    to: address, from: 0, at: now)
            }
        case .opening(let cookie):
            let open = Open(
                keyPhase: link.keyPhase, role: configuration.role, node: context.id, nonce: link.nonce, cookie: cookie,
                childToken: link.childToken, region: configuration.region, name: configuration.name)
            send(.open(open), to: link.remote, from: link.local, at: now)
        case .alive, .dead: return true
        }
        link.noteTry(interval: configuration.retryInterval, at: now)
        clock.schedule(link, link.nextTry)
        return true
    }

    /// Closes a link: nothing more is sent or received on it.
    mutating func close(_ link: ParentLink, at now: MonotonicInstant) {
        send(.close(.leaving), on: link, at: now)
        link.die()
        if let keys = link.session.close() { crypto.release(keys) }
        meter.stop(link)
        links.remove(link)
    }

    /// A token that no link uses.
    func freshToken() -> UInt64 {
        var token = context.secret64()
        while !links.isFree(token: token) { token = context.secret64() }
        return token
    }
}
