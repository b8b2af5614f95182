import NodeIdentity
import ReflectorModel
import RelayWire

/// The child's end of the handshake: handles the parent's answers. `NodeCore.openLink` sends the requests.
extension LinkKeeper {
    func onCookie(
        _ cookie: CookieMessage, from source: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard let (link, opening) = opening(at: source, cookie.nonce, core.links), opening.open == nil else {
            return core.context.count(.rejectedUnexpected)
        }
        do throws(HandshakeError) {
            try opening.receive(cookie)
        } catch {
            return count(error, &core)
        }
        if !link.isAlive { use(source, for: link, at: now, &core) }
        link.takeCookie(at: now)
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
        _ opened: OpenedMessage, from source: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Outcome {
        guard let (link, opening) = opening(at: source, opened.nonce, core.links), opening.open != nil,
            source == link.remote
        else {
            core.context.count(.rejectedUnexpected)
            return .nothing
        }
        let answer: OpenedLink
        do throws(HandshakeError) {
            answer = try opening.receive(opened, at: now)
        } catch {
            count(error, &core)
            return noteUnfit(error, link, at: now, &core)
        }
        guard isFit(answer.peer, for: link, core.configuration) else {
            core.context.count(.powersExceeded)
            core.context.alarm(
                .identity, .parentUnfit(peer: link.peerName, answer.peer.role, link.endpoint), at: now)
            core.release(LinkSession.Dropped(ownToken: 0, keys: answer.keys))
            return link.isAlive ? .nothing : .refused(link, nil)
        }
        guard link.isAlive else {
            link.open(answer, at: now)
            core.context.count(.linksOpened)
            return .becameAlive(link)
        }
        if let dropped = link.renew(answer, at: now) { core.release(dropped) }
        core.context.count(.linksRenewed)
        return .renewed(link)
    }

    /// The link is of no use if the parent is known to be somebody else, or is not to be believed.
    private func noteUnfit(
        _ error: HandshakeError, _ link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Outcome {
        switch error {
        case .certificate(let validity):
            core.context.alarm(
                .identity, .parentRefused(peer: link.peerName, validity, link.endpoint), at: now)
        case .otherNode:
            core.context.count(.parentsMistaken)
            core.context.alarm(.identity, .parentMistaken(expected: link.peerName, link.endpoint), at: now)
        default: return .nothing
        }
        return link.isAlive ? .nothing : .refused(link, nil)
    }

    /// Whether a node with this certificate can be what the link is for.
    private func isFit(
        _ peer: CertificateContent, for link: ParentLink, _ configuration: RelayConfiguration
    ) -> Bool {
        if link.isMember { return configuration.isOfRegion(peer) }
        return peer.powers.contains(link.isForAnnouncing ? .acceptAnnouncements : .serveChildren)
    }

    func onRefused(
        _ refused: RefusedMessage, from source: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Outcome {
        guard let (link, opening) = opening(at: source, refused.nonce, core.links) else {
            core.context.count(.rejectedUnexpected)
            return .nothing
        }
        do throws(HandshakeError) {
            let reason = try opening.receive(refused)
            core.context.count(.linksRefused)
            guard !link.isAlive else {
                if let token = link.abandonRenewal(at: now) { core.links.remove(token: token) }
                return .nothing
            }
            return .refused(link, reason)
        } catch {
            count(error, &core)
            return .nothing
        }
    }

    /// The link to the parent at that address whose handshake, of this nonce, is under way.
    private func opening(
        at source: Endpoint, _ nonce: Nonce, _ links: borrowing LinkTable
    ) -> (ParentLink, any LinkOpening)? {
        guard let link = links.parent(at: source), let opening = link.opening, opening.nonce == nonce,
            link.state != .dead
        else { return nil }
        return (link, opening)
    }
}
