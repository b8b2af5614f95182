import ReflectorModel
import RelayWire

/// The child's end of the handshake: handles the parent's answers. `NodeCore.openLink` sends the requests.
extension LinkKeeper {
    func onCookie(
        _ cookie: HandshakeCookie, nonce: HandshakeNonce, from source: Endpoint, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        guard let link = opening(at: source, nonce: nonce, core.links), link.state == .greeting else {
            return core.context.count(.rejectedUnexpected)
        }
        use(source, for: link, at: now, &core)
        link.takeCookie(cookie, at: now)
        _ = core.continueHandshake(of: link, at: now)
    }

    /// The parent has answered from this address: the link uses it from now on.
    private func use(_ address: Endpoint, for link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        let silent = link.remote
        guard link.use(address, local: core.context.arrivedAt) else { return }
        core.context.post(.alarm(.otherAddress(peer: link.peerName, silent: silent, used: address)))
        core.context.count(.otherAddressUsed)
        core.links.noteWorking(address, of: link.endpoint, at: now)
    }

    func onOpened(
        _ opened: Opened, from source: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Outcome {
        guard let link = opening(at: source, nonce: opened.nonce, core.links), case .opening = link.state,
            opened.node != core.context.id, source == link.remote,
            let keys = core.crypto.makeLinkKeys(
                phase: opened.keyPhase, childNonce: link.nonce, parentNonce: opened.parentNonce,
                child: core.context.id, parent: opened.node)
        else {
            core.context.count(.rejectedUnexpected)
            return .nothing
        }
        guard isExpected(opened, on: link, at: now, &core) else {
            core.crypto.release(keys)
            return .refused(link, nil)
        }
        link.open(opened, keys: keys, at: now)
        core.context.count(.linksOpened)
        return .becameAlive(link)
    }

    /// Whether the answering node is the host that the zone names at its address.
    private func isExpected(
        _ opened: Opened, on link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Bool {
        let expected = NodeID(name: link.peerName)
        if opened.node == expected, NodeID(name: opened.name) == expected { return true }
        core.context.count(.parentsMistaken)
        core.context.alarm(
            .identity, .parentMistaken(expected: link.peerName, found: opened.name, link.endpoint), at: now)
        return false
    }

    func onRefused(
        _ reason: RefusedReason, nonce: HandshakeNonce, from source: Endpoint, _ core: inout NodeCore
    ) -> Outcome {
        guard let link = opening(at: source, nonce: nonce, core.links) else {
            core.context.count(.rejectedUnexpected)
            return .nothing
        }
        core.context.count(.linksRefused)
        return .refused(link, reason)
    }

    /// The link to the parent at that address, if its handshake is under way.
    private func opening(at source: Endpoint, nonce: HandshakeNonce, _ links: borrowing LinkTable) -> ParentLink? {
        guard let link = links.parent(at: source), link.nonce == nonce, link.state != .dead, link.state != .alive
        else { return nil }
        return link
    }
}
