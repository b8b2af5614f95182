import ReflectorModel
import RelayWire

/// The timers of links to parents and of streams that are fetched.
extension RelayNode {
    func handleTimer(of link: ParentLink, at now: MonotonicInstant) {
        switch link.state {
        case .dead: return
        case .greeting, .opening: return continueHandshake(of: link, at: now)
        case .alive: break
        }
        let isWarm = link.subscriptions.isEmpty
        if isWarm, !link.isForAnnouncing, now >= link.warmUntil {
            send(.close(.leaving), on: link, at: now)
            link.state = .dead
            return forget(link)
        }
        let floor =
            link.isForAnnouncing
            ? configuration.heartbeatInterval * 8
            : isWarm ? configuration.warmSilenceMax : configuration.linkSilenceMax
        let silentSince = max(link.lastReceived, clock.judgeSilenceFrom)
        let deadline = silentSince + link.roundTrip.silenceMax(atLeast: floor)
        guard now < deadline else { return fail(link, at: now) }
        if link.isForAnnouncing { origin?.sendHeartbeat(on: link, at: now, &core) }
        if now - link.lastRenew >= configuration.renewInterval { sendRenew(on: link, at: now) }
        link.reordering.turn(at: now)
        link.recentLoss.note(expected: link.window.highest, received: link.window.received)
        let hasRisen = link.breaker.note(
            expected: link.window.highest, received: link.window.received, at: now)
        if hasRisen, link.breaker.level(at: now) == .shedsPaths {
            context.post(.alarm(.linkLossy(peer: link.peerName, link.remote)))
        }
        var wake = min(deadline, link.lastRenew + configuration.renewInterval)
        if link.isForAnnouncing {
            wake = min(wake, link.lastHeartbeatSent + configuration.heartbeatInterval)
        }
        if isWarm, !link.isForAnnouncing { wake = min(wake, link.warmUntil) }
        clock.schedule(link, wake)
    }

    func handleTimer(of stream: StreamState, at now: MonotonicInstant) {
        if stream.origin != nil { return handleSourceTimer(of: stream, at: now) }
        if let leaveAt = stream.leaveAt, now >= leaveAt { return leave(stream, at: now) }
        if let retryAt = stream.retryAt, now >= retryAt {
            stream.retryAt = nil
            choosePaths(for: stream, at: now)
        } else if stream.paths.isEmpty, stream.retryAt == nil {
            choosePaths(for: stream, at: now)
        }
        if now >= stream.reviewAt {
            stream.reviewAt = now + .seconds(1)
            judgeQuality(of: stream, at: now)
            choosePaths(for: stream, at: now)
        }
        for path in stream.paths.all where stream.paths.all.contains(where: { $0 === path }) {
            if path.state == .leaving {
                if now - path.since >= Self.overlapMax { stay(on: path, of: stream, at: now) }
            } else if path.link.isAlive, now >= path.nextTry {
                if path.tries > configuration.retriesMax {
                    stream.noteRefusal(by: path.candidate.endpoint, at: now)
                    stream.refusedAs.insert(.other)
                    removePath(path, of: stream, at: now)
                    choosePaths(for: stream, at: now)
                } else {
                    subscribe(path, of: stream, at: now)
                }
            }
        }
        judgeSilence(of: stream, at: now)
        if stream.paths.all.count > 1 { shedPaths(of: stream, at: now) }
        if stream.paths.all.count > pathsWanted(of: stream, at: now) {
            dropExtraPaths(of: stream, at: now)
        }
        if let gaps = stream.incarnation?.gaps, !gaps.isEmpty {
            let horizon = now - max(configuration.repairSpan, configuration.playOutDeadline)
            stream.incarnation!.giveUpGaps(detectedBefore: horizon)
            askForGaps(of: stream, arrivedOn: nil, at: now)
        }
        if playOut != nil { deliver(stream, at: now) }
        reschedule(stream, at: now)
    }

    /// The new path did not come to life in time: back to the one that was to be left.
    private func stay(on path: StreamPath, of stream: StreamState, at now: MonotonicInstant) {
        path.state = .live
        for other in stream.paths.all where other.state == .joining {
            stream.noteRefusal(by: other.candidate.endpoint, at: now)
            removePath(other, of: stream, at: now)
        }
    }

    /// The backstop of [A] §IV-B: a stream without any packet for two seconds although its link lives.
    private func judgeSilence(of stream: StreamState, at now: MonotonicInstant) {
        let silentSince = max(stream.lastKept, stream.lastJoin, clock.judgeSilenceFrom)
        guard stream.incarnation != nil, !stream.paths.isEmpty,
            now - silentSince >= configuration.streamSilenceMax
        else { return }
        stream.extraPathsUntil = now + .seconds(10)
        choosePaths(for: stream, at: now)
        if now - stream.resubscribed >= .seconds(2) {
            stream.resubscribed = now
            for path in stream.paths.all { subscribe(path, of: stream, at: now) }
        }
    }

    private func reschedule(_ stream: StreamState, at now: MonotonicInstant) {
        var wake = now + .seconds(1)
        if !stream.paths.hasLive {
            // Nothing flows: soon it is looked for elsewhere.
            stream.reviewAt = min(stream.reviewAt, now + Self.joinPatience)
        }
        wake = min(wake, max(stream.reviewAt, now + .milliseconds(1)))
        for at in [stream.leaveAt, stream.retryAt] {
            if let at { wake = min(wake, max(at, now + .milliseconds(1))) }
        }
        let soonest = now + .milliseconds(1)
        for path in stream.paths.all {
            switch path.state {
            case .leaving: wake = min(wake, max(path.since + Self.overlapMax, soonest))
            case .joining, .live:
                if path.link.isAlive {
                    wake = min(wake, max(path.nextTry, soonest))
                } else {
                    wake = min(wake, now + Self.joinPatience)
                }
            }
        }
        if let incarnation = stream.incarnation, let first = incarnation.gaps.first {
            if stream.paths.all.contains(where: { $0.link.isAlive && $0.tag == incarnation.tag }) {
                wake = min(wake, max(incarnation.gaps.nextDue, soonest))
            }
            // What lies behind the newest packet holds nothing back.
            if playOut != nil, first.sequence <= incarnation.index.highest {
                wake = min(wake, max(first.detected + configuration.playOutDeadline, soonest))
            }
        }
        if stream.hasDemand || stream.leaveAt != nil { clock.schedule(stream, wake) }
    }

    /// Nobody wants the stream any more.
    private func leave(_ stream: StreamState, at now: MonotonicInstant) {
        stream.leaveAt = nil
        guard !stream.hasDemand else { return reschedule(stream, at: now) }
        for path in stream.paths.all { removePath(path, of: stream, at: now) }
        forgetIncarnation(of: stream, at: now)
        playOut?.sink?.ended(stream: stream.name)
        streams.remove(stream)
    }
}
