import ReflectorModel
import RelayWire

/// Opening links, from both ends. A parent holds nothing and sends nothing but a cookie, no longer than the Hello, until
/// the child has shown by the cookie that it receives at its address.
extension RelayNode {
    /// How long a cookie is good, and how long a secret makes cookies.
    private static var cookieSpan: TimeSpan { .seconds(10) }
    private static var secretSpanMilliseconds: UInt64 { 60_000 }

    func receiveHandshake(
        _ datagram: UnsafeRawBufferPointer, from source: Endpoint, at now: MonotonicInstant
    ) throws(WireError) {
        let message = try HandshakeCodec.decode(datagram)
        guard HandshakeCodec.verify(datagram, crypto: crypto) else {
            return context.count(.rejectedHandshakeMAC)
        }
        switch message {
        case .hello(let phase, _, let node, let nonce):
            guard node != id else { return context.count(.rejectedUnexpected) }
            let cookie = makeCookie(
                milliseconds: milliseconds(now), for: source, node: node, nonce: nonce)
            send(
                .cookie(keyPhase: phase, nonce: nonce, cookie: cookie), to: source, from: context.arrivedAt,
                at: now)
        case .cookie(_, let nonce, let cookie):
            guard let link = opening(at: source, nonce: nonce), link.state == .greeting else {
                return context.count(.rejectedUnexpected)
            }
            use(source, for: link, at: now)
            link.state = .opening(cookie)
            link.tries = 0
            link.nextTry = now
            continueHandshake(of: link, at: now)
        case .open(let open): accept(open, from: source, at: now)
        case .opened(let opened): finish(opened, from: source, at: now)
        case .refused(_, let reason, let nonce):
            guard let link = opening(at: source, nonce: nonce) else {
                return context.count(.rejectedUnexpected)
            }
            context.count(.linksRefused)
            noteRefusal(of: link, reason, at: now)
            fail(link, at: now)
        case .probe(let probe): answer(probe, from: source, at: now)
        case .probeReport: context.count(.rejectedUnexpected)
        }
    }

    // MARK: Child's end

    /// The link to a host, opened now if there is none. Nil if the table is full.
    ///
    /// - Parameter others: the host's other addresses, to be tried if that one does not answer soon.
    func link(
        to endpoint: Endpoint, others: [Endpoint], name: String, isForAnnouncing: Bool,
        at now: MonotonicInstant
    ) -> ParentLink? {
        core.openLink(
            to: endpoint, others: others,
            beginningWith: parents.firstAddress(of: endpoint, others: others, at: now), name: name,
            isForAnnouncing: isForAnnouncing, at: now)
    }

    /// Sends the next step of the handshake, or sends it again; the link fails after `retriesMax` tries.
    func continueHandshake(of link: ParentLink, at now: MonotonicInstant) {
        if !core.continueHandshake(of: link, at: now) { fail(link, at: now) }
    }

    /// The parent has answered from this address: it is the one for this link.
    private func use(_ address: Endpoint, for link: ParentLink, at now: MonotonicInstant) {
        link.local = context.arrivedAt
        guard address != link.remote else { return }
        context.post(.alarm(.otherAddress(peer: link.peerName, silent: link.remote, used: address)))
        context.count(.otherAddressUsed)
        link.others = [link.remote] + link.others.filter { $0 != address }
        link.remote = address
        fetcher.noteWorking(address, of: link.endpoint, at: now)
    }

    private func finish(_ opened: Opened, from source: Endpoint, at now: MonotonicInstant) {
        guard let link = opening(at: source, nonce: opened.nonce), case .opening = link.state,
            opened.node != id,
            source == link.remote,
            let keys = crypto.makeLinkKeys(
                phase: opened.keyPhase, childNonce: link.nonce, parentNonce: opened.parentNonce, child: id,
                parent: opened.node)
        else { return context.count(.rejectedUnexpected) }
        guard isExpected(opened, on: link, at: now) else {
            crypto.release(keys)
            return fail(link, at: now)
        }
        link.state = .alive
        link.session.open(peerToken: opened.parentToken, keys: keys)
        link.peer = opened.node
        link.peerName = opened.name
        if link.tries == 1 { link.roundTrip.sample(now - link.openedAt) }
        link.openedAt = now
        link.lastReceived = now
        link.lastRenew = now
        context.count(.linksOpened)
        linkBecameAlive(link, at: now)
        handleTimer(of: link, at: now)
    }

    private func opening(at source: Endpoint, nonce: HandshakeNonce) -> ParentLink? {
        guard let link = links.parent(at: source), link.nonce == nonce, link.state != .dead,
            link.state != .alive
        else { return nil }
        return link
    }

    // MARK: Parent's end

    private func accept(_ open: Open, from source: Endpoint, at now: MonotonicInstant) {
        guard open.node != id else { return refuse(open, .ownID, to: source, at: now) }
        guard isValid(open.cookie, for: source, node: open.node, nonce: open.nonce, at: now) else {
            return context.count(.rejectedBadCookie)
        }
        if let conflict = conflict(of: open, from: source, at: now) {
            note(conflict, at: now)
            return refuse(open, .identity, to: source, at: now)
        }
        if let link = links.child(at: source) {
            // An Open that is said again, as its answer was lost.
            if link.nonce == open.nonce { return sendOpened(link, at: now) }
            // An Open from before this link, heard by somebody and sent again, must not end it.
            guard open.cookie.milliseconds >= link.cookieMilliseconds else {
                return context.count(.rejectedReplayed)
            }
            remove(link, at: now)
        }
        guard !links.shares.isReplay(open, from: source) else {
            return context.count(.rejectedReplayed)
        }
        if let refusal = makeRoom(for: open, from: source, at: now) {
            context.count(.droppedLinkTableFull)
            if let count = context.isAlarmDue(.linksRefused, at: now) {
                context.post(.alarm(.linksRefused(refusal, count: count, peer: open.name, source)))
            }
            return refuse(open, .tableFull, to: source, at: now)
        }
        let parentNonce = HandshakeNonce(high: context.secret64(), low: context.secret64())
        guard
            let keys = crypto.makeLinkKeys(
                phase: open.keyPhase, childNonce: open.nonce, parentNonce: parentNonce, child: open.node,
                parent: id)
        else { return context.count(.rejectedHandshakeMAC) }
        let token = core.freshToken()
        let leaseNonce = context.secret64()
        let link = links.accept { slot in
            ChildLink(
                slot: slot, endpoint: source, local: context.arrivedAt, open: open, parentToken: token,
                parentNonce: parentNonce, keys: keys,
                leaseNonce: leaseNonce, lease: configuration.lease, now: now)
        }
        context.count(.linksOpened)
        sendOpened(link, at: now)
        sendHeartbeat(on: link, at: now)
        handleTimer(of: link, at: now)
    }

    private func sendOpened(_ link: ChildLink, at now: MonotonicInstant) {
        let opened = Opened(
            keyPhase: link.keyPhase, role: configuration.role, node: id, nonce: link.nonce,
            parentNonce: link.parentNonce, parentToken: link.parentToken,
            leaseMilliseconds: UInt32(clamping: configuration.lease.milliseconds), shardCount: 1,
            shard: 0,
            name: configuration.name)
        send(.opened(opened), to: link.endpoint, from: link.local, at: now)
    }

    private func refuse(
        _ open: Open, _ reason: RefusedReason, to source: Endpoint, at now: MonotonicInstant
    ) {
        context.count(.linksRefused)
        send(
            .refused(keyPhase: open.keyPhase, reason: reason, nonce: open.nonce), to: source,
            from: context.arrivedAt,
            at: now)
    }

    // MARK: Cookies

    private func milliseconds(_ now: MonotonicInstant) -> UInt64 {
        UInt64(max(now.nanoseconds / 1_000_000, 0))
    }

    private func makeCookie(
        milliseconds: UInt64, for source: Endpoint, node: NodeID, nonce: HandshakeNonce
    ) -> HandshakeCookie {
        var tag = (UInt64(0), UInt64(0))
        let words: [UInt64] = [
            milliseconds, source.address.high, source.address.low, UInt64(source.port), node.rawValue,
            nonce.high,
            nonce.low,
        ]
        words.withUnsafeBytes { bytes in
            withUnsafeMutableBytes(of: &tag) { target in
                crypto.cookieMAC(
                    secret: milliseconds / Self.secretSpanMilliseconds, of: bytes, into: target)
            }
        }
        return HandshakeCookie(milliseconds: milliseconds, macHigh: tag.0, macLow: tag.1)
    }

    func isValid(
        _ cookie: HandshakeCookie, for source: Endpoint, node: NodeID, nonce: HandshakeNonce,
        at now: MonotonicInstant
    ) -> Bool {
        let current = milliseconds(now)
        guard cookie.milliseconds <= current,
            current - cookie.milliseconds <= UInt64(Self.cookieSpan.milliseconds)
        else { return false }
        let own = makeCookie(milliseconds: cookie.milliseconds, for: source, node: node, nonce: nonce)
        return (own.macHigh ^ cookie.macHigh) | (own.macLow ^ cookie.macLow) == 0
    }
}
