import NodeIdentity
import ReflectorModel
import RelayWire

/// The life of links to parents: alive, silent, about to stop, dead.
extension Fetcher {
    /// The result of the check when a link's timer fires.
    enum LinkCheck {
        case dead
        /// The handshake is still under way.
        case opens
        /// The parent has been silent for too long, or is dead by other evidence.
        case fails
        /// The parent fails if it stays silent until then.
        case lives(until: MonotonicInstant)
    }

    /// A link has opened: subscribes to the streams that wait for it.
    mutating func linkBecameAlive(_ link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        noteAlive(link.endpoint, at: now)
        for slot in link.streamSlots {
            guard let stream = core.streams[slot], let path = stream.paths.path(on: link) else { continue }
            path.linkOpened(at: now)
            subscribe(path, of: stream, at: now, &core)
        }
    }

    /// The first half of a link's timer: closes a link that is no longer needed, and checks whether the parent is
    /// silent.
    func check(_ link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) -> LinkCheck {
        switch link.state {
        case .dead: return .dead
        case .greeting, .opening: return .opens
        case .alive: break
        }
        let isWarm = link.subscriptions.isEmpty
        if isWarm, !link.isForAnnouncing, !link.isMember, now >= link.warmUntil {
            core.close(link, at: now)
            return .dead
        }
        let floor =
            link.isForAnnouncing
            ? core.configuration.heartbeatInterval * 8
            : !isWarm
                ? core.configuration.linkSilenceMax
                : link.isMember ? core.configuration.regionRules.silenceMax : core.configuration.warmSilenceMax
        let silentSince = max(link.lastReceived, core.clock.judgeSilenceFrom)
        let deadline = silentSince + link.roundTrip.silenceMax(atLeast: floor)
        guard now < deadline else { return .fails }
        return act(core.tendDeath(of: link, until: deadline, at: now), on: link, at: now, &core)
            ? .fails : .lives(until: deadline)
    }

    /// The parent's host says that nobody listens on its port. True if the parent is dead by all evidence.
    func noteRefusal(of link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) -> Bool {
        act(core.noteRefusal(of: link, at: now), on: link, at: now, &core)
    }

    /// A Renew with a nonce that the parent has seen is a question: the parent answers it with a heartbeat at once.
    private func act(
        _ step: DeathEvidence.Step, on link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Bool {
        if step == .ask { sendRenew(on: link, at: now, &core) }
        if step == .dead { link.noteDeath() }
        return step == .dead
    }

    /// The second half of a link's timer: records the link's loss and sets the timer.
    func noteLoss(
        of link: ParentLink, until deadline: MonotonicInstant, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        link.reordering.turn(at: now)
        link.recentLoss.note(expected: link.window.highest, received: link.window.received)
        let hasRisen = link.breaker.note(expected: link.window.highest, received: link.window.received, at: now)
        if hasRisen, link.breaker.level(at: now) == .shedsPaths {
            core.context.post(.alarm(.linkLossy(peer: link.peerName, link.remote)))
        }
        var wake = min(deadline, link.lastRenew + core.configuration.renewInterval)
        if link.isForAnnouncing {
            wake = min(wake, link.heartbeatDue(interval: core.configuration.heartbeatInterval))
        } else if link.subscriptions.isEmpty, !link.isMember {
            wake = min(wake, link.warmUntil)
        }
        core.clock.schedule(link, wake)
    }

    /// A parent is about to stop: each of its streams joins the next candidate, and leaves this parent once packets
    /// arrive from that one. A stream without another candidate stays until the parent stops.
    mutating func onShuttingDown(_ link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        guard link.noteShutdown() else { return }
        core.context.post(.alarm(.parentLeaves(peer: link.peerName, link.remote)))
        noteFailure(of: link.endpoint, at: now)
        for slot in link.streamSlots {
            guard let stream = core.streams[slot], let path = stream.paths.path(on: link), path.state != .leaving,
                !stream.paths.hasSettled(besides: path)
                    || stream.hot != nil && !isCarried(stream, besides: path, at: now),
                case .list(let list) = candidates(for: stream, at: now, &core)
            else { continue }
            let next = list.all.first { $0.endpoint != link.endpoint && !parents.isAvoided($0.endpoint, at: now) }
            if let next { move(stream, from: path, to: next, at: now, &core) }
        }
    }

    /// A parent refuses a link from this node: notes this for the link's streams, so that they move to the next parent.
    /// They may return after a while.
    func noteRefusal(of link: ParentLink, _ reason: HandshakeRefusal?, at now: MonotonicInstant, _ core: inout NodeCore)
    {
        for slot in link.streamSlots {
            core.streams[slot]?.candidates.noteRefusal(by: link.endpoint, at: now)
            core.streams[slot]?.candidates.noteKind(reason == .tableFull ? .full : .other)
        }
        if reason == .otherNode {
            core.context.count(.parentsMistaken)
            core.context.alarm(.identity, .parentMistaken(expected: link.peerName, link.endpoint), at: now)
        } else if let reason, reason != .tableFull {
            core.context.alarm(.identity, .refusedByPeer(peer: link.peerName, reason, link.endpoint), at: now)
        }
    }

    // MARK: Death

    /// Closes a link that failed. Returns the slots of the streams that lose a path. The caller calls `lose` for each
    /// of these streams, and handles the resulting events before it turns to the next one.
    mutating func fail(_ link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) -> [Int] {
        guard link.state != .dead else { return [] }
        let wasAlive = link.isAlive
        // If the parent is alive after all, the Close keeps it from sending for the rest of the lease.
        core.close(link, at: now)
        if wasAlive, !link.isLeavingSoon {
            core.context.count(.linksDied)
            core.context.post(.alarm(.linkDied(peer: link.peerName, link.remote)))
            // The path may be dead rather than the host: the next try starts with the host's next address.
            if let next = link.others.first {
                core.links.noteWorking(next, of: link.endpoint, for: WorkingAddresses.spanAfterDeath, at: now)
            }
        }
        noteFailure(of: link.endpoint, at: now)
        // A witness is tried again soon: it must hear this entrypoint.
        if link.isForAnnouncing { core.clock.scheduleNode(now + .milliseconds(500)) }
        return link.streamSlots
    }

    /// Closes all links to parents, because this node slept for longer than its lease: they have forgotten it, and what it read since
    /// was sent before. No parent is blamed. Returns the links, and the slots of the streams that lose a path on each;
    /// all are closed before any stream looks for another path.
    func closeOverslept(at now: MonotonicInstant, _ core: inout NodeCore) -> [(ParentLink, [Int])] {
        if !core.configuration.neighbours.isEmpty { core.clock.scheduleRegion(now) }
        // An entrypoint that comes back is not in a hurry: another one leads its streams meanwhile.
        return core.links.parents.all.filter { $0.isAlive && !$0.isForAnnouncing }.map { link in
            core.context.count(.linksOverslept)
            let slots = link.streamSlots
            core.close(link, at: now)
            return (link, slots)
        }
    }

    /// Removes the stream's path on a link that died, and chooses paths again.
    mutating func lose(_ link: ParentLink, _ stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        stream.candidates.noteKind(.other)
        for path in stream.paths.all where path.link === link {
            core.release(path, of: stream)
            urgeLookUp(for: path, stream, at: now, &core)
            // A link without data measures no loss. So the stream avoids this parent for a while because of the loss
            // measured before.
            if link.recentLoss.share > PathMerit.lossy {
                stream.candidates.demote(link.endpoint, until: now + PathPolicy.demotionSpan)
            }
        }
        stream.paths.removeAll(on: link)
        if !link.isMember, !stream.paths.hasLiveOutside { stream.times.noteStarved(at: now) }
        tendTwins(of: stream, at: now, &core)
        choosePaths(for: stream, at: now, &core)
    }

    /// Looks up the parents of the path's rank again, because one of them failed.
    private mutating func urgeLookUp(
        for path: StreamPath, _ stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard path.candidate.rank > 0, let rank = ParentRank(rawValue: path.candidate.rank),
            let region = core.configuration.region, let portset = stream.portset
        else { return }
        urge(.parents(rank, region, portset), at: now, &core)
    }
}
