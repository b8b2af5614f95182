import ReflectorModel
import RelayWire

/// The parent's end of the handshake. The node calls `admit` until no link is left to close for the new one, then
/// `accept`.
extension LinkKeeper {
    /// The next step for a child's Open.
    enum Admittance {
        /// There is no next step: the Open was answered or dropped.
        case done
        /// Close this link first, then call `admit` again.
        case close(ChildLink)
        /// There is room for the link.
        case ready
    }

    /// Whether the child's cookie proves that it receives at its address. False also for an Open with this node's own
    /// id, which is refused.
    func isAuthentic(
        _ open: Open, from source: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Bool {
        guard isValid(open.cookie, for: source, node: open.node, nonce: open.nonce, at: now, core.crypto) else {
            core.context.count(.rejectedBadCookie)
            return false
        }
        guard open.node != core.context.id else {
            refuse(open, .ownID, to: source, at: now, &core)
            return false
        }
        return true
    }

    /// Decides what to do about an authentic Open from a node whose identity was accepted.
    func admit(
        _ open: Open, from source: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Admittance {
        if let link = core.links.child(at: source) {
            // The child repeats its Open because our answer was lost.
            if link.nonce == open.nonce {
                sendOpened(link, at: now, &core)
                return .done
            }
            // A replayed Open that is older than this link must not end it.
            guard open.cookie.milliseconds >= link.cookieMilliseconds else {
                core.context.count(.rejectedReplayed)
                return .done
            }
            return .close(link)
        }
        guard !core.links.shares.isReplay(open, from: source) else {
            core.context.count(.rejectedReplayed)
            return .done
        }
        switch makeRoom(for: open, from: source, at: now, &core) {
        case .ready: return .ready
        case .close(let link): return .close(link)
        case .refuse(let refusal):
            core.context.count(.droppedLinkTableFull)
            if let count = core.context.isAlarmDue(.linksRefused, at: now) {
                core.context.post(.alarm(.linksRefused(refusal, count: count, peer: open.name, source)))
            }
            refuse(open, .tableFull, to: source, at: now, &core)
            return .done
        }
    }

    /// Opens the link. Nil if its keys cannot be derived.
    func accept(
        _ open: Open, from source: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> ChildLink? {
        let parentNonce = HandshakeNonce(high: core.context.secret64(), low: core.context.secret64())
        guard
            let keys = core.crypto.makeLinkKeys(
                phase: open.keyPhase, childNonce: open.nonce, parentNonce: parentNonce, child: open.node,
                parent: core.context.id)
        else {
            core.context.count(.rejectedHandshakeMAC)
            return nil
        }
        let token = core.freshToken()
        let leaseNonce = core.context.secret64()
        let (local, lease) = (core.context.arrivedAt, core.configuration.lease)
        let link = core.links.accept { slot in
            ChildLink(
                slot: slot, endpoint: source, local: local, open: open, parentToken: token, parentNonce: parentNonce,
                keys: keys, leaseNonce: leaseNonce, lease: lease, now: now)
        }
        core.context.count(.linksOpened)
        sendOpened(link, at: now, &core)
        sendHeartbeat(on: link, at: now, &core)
        return link
    }

    private func sendOpened(_ link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        let opened = Opened(
            keyPhase: link.keyPhase, role: core.configuration.role, node: core.context.id, nonce: link.nonce,
            parentNonce: link.parentNonce, parentToken: link.parentToken,
            leaseMilliseconds: UInt32(clamping: core.configuration.lease.milliseconds), shardCount: 1, shard: 0,
            name: core.configuration.name)
        core.send(.opened(opened), to: link.endpoint, from: link.local, at: now)
    }

    func refuse(
        _ open: Open, _ reason: RefusedReason, to source: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        core.context.count(.linksRefused)
        core.send(
            .refused(keyPhase: open.keyPhase, reason: reason, nonce: open.nonce), to: source,
            from: core.context.arrivedAt, at: now)
    }
}
