import NodeIdentity
import ReflectorModel
import RelayWire

/// Links that live long: their keys are changed, and their peers' certificates are checked again.
extension LinkKeeper {
    // MARK: Certificates

    /// Whether the certificate of a child has expired or was revoked. Then the child has been told, and the link must be
    /// closed.
    func isDistrusted(_ link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) -> Bool {
        guard isDistrusted(link.certificate, link.name, link.endpoint, at: now, &core) else { return false }
        core.send(.close(.leaving), on: link, at: now)
        return true
    }

    /// The same for a parent.
    func isDistrusted(_ link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) -> Bool {
        guard let peer = link.peer else { return false }
        return isDistrusted(peer, link.peerName, link.endpoint, at: now, &core)
    }

    private func isDistrusted(
        _ peer: CertificateContent, _ name: String, _ endpoint: Endpoint, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) -> Bool {
        let validity = core.context.handshakes.standing(of: peer, at: now)
        switch validity {
        // Every certificate of an open link was valid once: only a wrong clock can say that it is not valid yet.
        case .valid, .notYetValid: return false
        // If our own seems to have expired too, our clock may have jumped; a link whose certificate has really expired
        // is closed by the other end.
        case .expired where core.context.handshakes.isOwnExpired(at: now): return false
        case .expired, .revoked, .unknownIssuer, .otherZone, .badSignature: break
        }
        core.context.count(.linksDistrusted)
        core.context.post(.alarm(.peerDistrusted(peer: name, validity, endpoint)))
        return true
    }

    // MARK: Keys

    /// Part of a child link's timer. False if the link must be closed.
    func tendKeys(of link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) -> Bool {
        if let dropped = link.takeOldKeys(at: now) { core.release(dropped) }
        if link.takeStandingCheck(at: now), isDistrusted(link, at: now, &core) { return false }
        guard link.isOverdue(at: now) else { return true }
        core.send(.close(.leaving), on: link, at: now)
        return false
    }

    /// Part of a parent link's timer. False if the link has failed, because the parent is not believed any more.
    func tendKeys(of link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) -> Bool {
        if let dropped = link.takeOldKeys(at: now) { core.release(dropped) }
        guard let notAfter = link.peerNotAfter else { return true }
        if link.takeStandingCheck(at: now), isDistrusted(link, at: now, &core) { return false }
        guard link.opening == nil else {
            if !core.continueHandshake(of: link, at: now), let token = link.abandonRenewal(at: now) {
                core.links.remove(token: token)
            }
            return true
        }
        let seconds = core.context.handshakes.seconds(at: now)
        let end = min(notAfter, core.context.handshakes.ownNotAfter)
        if link.isRenewalDue(secondsLeft: end > seconds ? end - seconds : 0, at: now) {
            core.beginRenewal(of: link, at: now)
        }
        return true
    }

    /// This node has a new certificate: the link presents it within five seconds, at a random moment, so that a parent's
    /// links do not renew at once.
    func renewSoon(_ link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        let span = TimeSpan.milliseconds(core.context.withRandom { Int64($0.next() % 5_000) })
        link.wantRenewal(after: span, at: now)
        core.clock.schedule(link, now + span)
    }
}
