import NodeIdentity
import ReflectorModel
import RelayWire

/// Routes events on links: the handshake with parents and children, and the timers of children's links.
extension RelayNode {
    func receiveHandshake(
        _ datagram: UnsafeRawBufferPointer, from source: Endpoint, at now: MonotonicInstant
    ) throws(WireError) {
        switch try linkKeeper.receive(datagram, from: source, at: now, &core) {
        case .nothing: break
        case .openWaits: handleOpens(at: now)
        case .becameAlive(let link):
            linkBecameAlive(link, at: now)
            handleTimer(of: link, at: now)
        case .renewed(let link):
            // The parent uses the new keys after the first message under them.
            sendRenew(on: link, at: now)
        case .refused(let link, let reason):
            noteRefusal(of: link, reason, at: now)
            fail(link, at: now)
        }
    }

    /// Handles the next Open that waits.
    func handleOpens(at now: MonotonicInstant) {
        defer {
            core.context.begin(at: 0)
            linkKeeper.scheduleOpens(&core)
        }
        guard let (applicant, source) = linkKeeper.nextApplicant(at: now, &core) else { return }
        fetcher.use(.node(host: applicant.name), at: now, &core)
        let answer =
            linkKeeper.checksIdentities
            ? fetcher.directory.answer(.node(host: applicant.name), at: now) : nil
        if let conflict = linkKeeper.conflict(of: applicant, answer, from: source, core.links) {
            linkKeeper.report(conflict, at: now, &core)
            return linkKeeper.refuse(applicant, .identity, to: source, at: now, &core)
        }
        if applicant.request.renewedToken != 0, linkKeeper.renew(applicant, from: source, at: now, &core) { return }
        while true {
            switch linkKeeper.admit(applicant, from: source, at: now, &core) {
            case .done: return
            case .close(let link): remove(link, at: now)
            case .ready:
                guard let link = linkKeeper.accept(applicant, from: source, at: now, &core) else { return }
                return handleTimer(of: link, at: now)
            }
        }
    }

    // MARK: Identities

    /// Certificates, operators' keys or revocations have changed: links of peers that are no longer believed end, and
    /// the others present this node's certificate again if it is new.
    public func identitiesChanged(isOwnNew: Bool, at now: MonotonicInstant) {
        for link in core.links.children.all where !isTrusted(link.certificate, link.name, link.endpoint, at: now) {
            distrust(link, at: now)
        }
        for link in core.links.parents.all where link.isAlive {
            if let peer = link.peer, !isTrusted(peer, link.peerName, link.endpoint, at: now) {
                fail(link, at: now)
            } else if isOwnNew {
                let jitter = core.context.withRandom { $0.next() % 5_000 }
                link.wantRenewal(after: .milliseconds(Int64(jitter)), at: now)
                core.clock.schedule(link, now + .milliseconds(Int64(jitter)))
            }
        }
    }

    /// Whether the certificate of a peer is still valid. Counts and reports it if not.
    private func isTrusted(
        _ peer: CertificateContent, _ name: String, _ endpoint: Endpoint, at now: MonotonicInstant
    ) -> Bool {
        let validity = core.context.handshakes.standing(of: peer, at: now)
        guard validity != .valid else { return true }
        core.context.count(.linksDistrusted)
        core.context.post(.alarm(.peerDistrusted(peer: name, validity, endpoint)))
        return false
    }

    private func distrust(_ link: ChildLink, at now: MonotonicInstant) {
        core.send(.close(.leaving), on: link, at: now)
        remove(link, at: now)
    }

    /// Second half of a parent link's timer: its keys, and whether the parent is still believed. False if it is not.
    func tendKeys(of link: ParentLink, at now: MonotonicInstant) -> Bool {
        if let dropped = link.takeOldKeys(at: now) { core.release(dropped) }
        guard let peer = link.peer else { return true }
        if link.takeStandingCheck(at: now), !isTrusted(peer, link.peerName, link.endpoint, at: now) { return false }
        if link.opening != nil {
            if !core.continueHandshake(of: link, at: now), let token = link.abandonRenewal(at: now) {
                core.links.remove(token: token)
            }
            return true
        }
        let seconds = core.context.handshakes.seconds(at: now)
        let end = min(peer.notAfter, core.context.handshakes.own.notAfter)
        if link.isRenewalDue(secondsLeft: end > seconds ? end - seconds : 0, at: now) {
            core.beginRenewal(of: link, at: now)
        }
        return true
    }

    /// The zone's answer about a host has arrived: closes the links of nodes whose identity it contradicts.
    func checkIdentities(of host: String, at now: MonotonicInstant) {
        guard linkKeeper.checksIdentities else { return }
        let answer = fetcher.directory.answer(.node(host: host), at: now)
        let node = NodeID(name: host)
        for link in core.links.children.all
        where link.node == node && linkKeeper.isImpostor(link, host, answer, at: now, &core) {
            remove(link, at: now)
        }
    }

    func handleTimer(of link: ChildLink, at now: MonotonicInstant) {
        guard linkKeeper.isLeased(link, at: now, &core) else { return remove(link, at: now) }
        if let dropped = link.takeOldKeys(at: now) { core.release(dropped) }
        if link.takeStandingCheck(at: now), !isTrusted(link.certificate, link.name, link.endpoint, at: now) {
            return distrust(link, at: now)
        }
        guard !link.isOverdue(at: now) else { return distrust(link, at: now) }
        server.endExpired(on: link, at: now, &core)
        core.pump(link, at: now)
        linkKeeper.handleTimer(of: link, at: now, &core)
    }

    /// The largest payload in bytes that all paths of a stream carry; nil if that is the usual size, or if there is no
    /// such stream.
    public func payloadLimit(of name: StreamName) -> Int? {
        guard let stream = core.streams[name] else { return nil }
        return stream.payloadLimit.isUsual ? nil : stream.payloadLimit.bytes
    }
}
