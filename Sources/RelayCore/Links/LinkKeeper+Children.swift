import NodeIdentity
import ReflectorModel
import RelayWire

/// The parent's end of the handshake. The node calls `admit` until no link is left to close for the new one, then
/// `accept`.
extension LinkKeeper {
    /// The next step for a child that has proved who it is.
    enum Admittance {
        /// There is no next step: the child was answered, or its Open was dropped.
        case done
        /// Close this link first, then call `admit` again.
        case close(ChildLink)
        /// There is room for the link.
        case ready
    }

    /// The next Open whose turn it is, from a child that has proved who it is and that it receives at its address. Nil
    /// if there is none now. An Open that is no use has been answered or counted.
    mutating func nextApplicant(
        at now: MonotonicInstant, _ core: inout NodeCore
    ) -> (applicant: any LinkApplicant, source: Endpoint)? {
        guard let next = takeOpen(at: now) else { return nil }
        core.context.begin(at: next.local)
        scheduleOpens(&core)
        do throws(HandshakeError) {
            switch try core.context.handshakes.receive(next.open, from: next.source, at: now) {
            case .accepted(let applicant): return (applicant, next.source)
            case .repeated(let opened): core.send(.opened(opened), to: next.source, from: next.local, at: now)
            case .refused(let refused, let error):
                count(error, &core)
                core.context.count(.linksRefused)
                if let times = core.context.isAlarmDue(.certificateRefused, at: now) {
                    core.context.post(.alarm(.certificateRefused(refused.reason, count: times, next.source)))
                }
                core.send(.refused(refused), to: next.source, from: next.local, at: now)
            }
        } catch {
            count(error, &core)
        }
        return nil
    }

    /// Decides what to do about a child whose identity agrees with the zone.
    func admit(
        _ applicant: any LinkApplicant, from source: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Admittance {
        if let link = core.links.child(at: source) {
            // A delayed Open that is older than this link must not end it.
            guard applicant.cookieMilliseconds >= link.cookieMilliseconds else {
                core.context.count(.rejectedReplayed)
                return .done
            }
            return .close(link)
        }
        guard !core.links.shares.isReplay(applicant, from: source) else {
            core.context.count(.rejectedReplayed)
            return .done
        }
        switch makeRoom(for: applicant, from: source, at: now, &core) {
        case .ready: return .ready
        case .close(let link): return .close(link)
        case .refuse(let refusal):
            core.context.count(.droppedLinkTableFull)
            if let count = core.context.isAlarmDue(.linksRefused, at: now) {
                core.context.post(.alarm(.linksRefused(refusal, count: count, peer: applicant.name, source)))
            }
            refuse(applicant, .tableFull, to: source, at: now, &core)
            return .done
        }
    }

    /// Opens the link. Nil if the cryptography has no room for its keys.
    func accept(
        _ applicant: any LinkApplicant, from source: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> ChildLink? {
        let token = core.freshToken()
        guard let keys = grant(applicant, token, to: source, at: now, &core) else { return nil }
        let leaseNonce = core.context.secret64()
        let (local, lease) = (core.context.arrivedAt, core.configuration.lease)
        let link = core.links.accept { slot in
            ChildLink(
                slot: slot, endpoint: source, local: local, applicant, parentToken: token, keys: keys,
                leaseNonce: leaseNonce, lease: lease, now: now)
        }
        core.context.count(.linksOpened)
        sendHeartbeat(on: link, at: now, &core)
        return link
    }

    /// Gives new keys to the link that the child wants to renew. False if there is no such link of this child: then it
    /// gets a new one.
    func renew(
        _ applicant: any LinkApplicant, from source: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Bool {
        guard case .child(let slot)? = core.links.slot(token: applicant.request.renewedToken),
            let link = core.links.children[slot], link.node == applicant.node, link.endpoint == source,
            applicant.cookieMilliseconds >= link.cookieMilliseconds
        else { return false }
        let token = core.freshToken()
        guard let keys = grant(applicant, token, to: source, at: now, &core) else { return true }
        core.links.add(token: token, of: link)
        if let dropped = link.offer(applicant, ownToken: token, keys: keys, at: now) { core.release(dropped) }
        return true
    }

    private func grant(
        _ applicant: any LinkApplicant, _ token: UInt64, to source: Endpoint, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) -> LinkKeys? {
        let grant = LinkGrant(
            parentToken: token, leaseMilliseconds: UInt32(clamping: core.configuration.lease.milliseconds))
        do throws(HandshakeError) {
            let (opened, keys) = try applicant.grant(grant)
            core.send(.opened(opened), to: source, from: core.context.arrivedAt, at: now)
            return keys
        } catch {
            count(error, &core)
            return nil
        }
    }

    func refuse(
        _ applicant: any LinkApplicant, _ reason: HandshakeRefusal, to source: Endpoint, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        core.context.count(.linksRefused)
        do throws(HandshakeError) {
            let refused = try applicant.refuse(reason)
            core.send(.refused(refused), to: source, from: core.context.arrivedAt, at: now)
        } catch {
            count(error, &core)
        }
    }
}
