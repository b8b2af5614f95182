import ReflectorModel
import RelayWire

/// The child's part: which parents a stream is fetched from. One path as a rule; another joins before one is left, and
/// when a parent cannot restore its own upstream.
extension RelayNode {
    /// The stream of that name, made now if there is none. Nil if the table is full.
    func stream(named name: StreamName) -> StreamState? {
        if let slot = streamByName[name] { return streams[slot] }
        guard streams.count < configuration.streamsMax else {
            counters.add(.droppedStreamTableFull)
            return nil
        }
        let stream = streams.insert { StreamState(slot: $0, name: name) }
        streamByName[name] = stream.slot
        return stream
    }

    /// A viewer of this region wants a stream.
    public func want(_ name: StreamName, at now: MonotonicInstant) {
        guard let stream = stream(named: name) else { return }
        stream.isWanted = true
        stream.leaveAt = nil
        stream.retryAt = nil
        choosePaths(for: stream, at: now)
    }

    /// The last viewer has left: the stream is fetched for another `leaveGrace`.
    public func release(_ name: StreamName, at now: MonotonicInstant) {
        guard let slot = streamByName[name], let stream = streams[slot] else { return }
        stream.isWanted = false
        noteDemand(of: stream, at: now)
    }

    func noteDemand(of stream: StreamState, at now: MonotonicInstant) {
        guard stream.origin == nil, !stream.hasDemand, stream.leaveAt == nil else { return }
        let grace = configuration.role == .edge ? configuration.leaveGrace : configuration.relayLeaveGrace
        stream.leaveAt = now + grace
        schedule(stream, now + grace)
    }

    // MARK: Choosing

    /// Makes the paths what they should be: called whenever demand, answers, links or replies change.
    func choosePaths(for stream: StreamState, at now: MonotonicInstant) {
        guard stream.origin == nil, stream.hasDemand || stream.leaveAt != nil else { return }
        let settled = stream.paths.filter { $0.state != .leaving }
        switch candidates(for: stream, at: now) {
        case .undecided:
            schedule(stream, now + ParentDirectory.restoredAfter)
        case .none(let reason):
            // What works is kept; parents are taken away by an answer, never by its absence.
            if stream.paths.isEmpty { report(reason, for: stream, at: now) }
        case .list(let list):
            guard let current = settled.first else {
                if let best = best(of: list, for: stream, at: now) {
                    join(best, stream, at: now)
                } else if let leaving = stream.paths.first {
                    leaving.state = .live
                } else {
                    report(.refused, for: stream, at: now)
                }
                break
            }
            reconsider(current, settled.count, list, stream, at: now)
            keepWarm(list, for: stream, at: now)
        }
    }

    /// Whether to leave the parent in use for a better one, or to add a path beside it. A working parent is left at once
    /// when the zone no longer names it, and for one before it in the list only if that one has been well for
    /// `returnAfter` or never failed.
    private func reconsider(
        _ current: StreamPath, _ count: Int, _ list: [ParentCandidate], _ stream: StreamState,
        at now: MonotonicInstant
    ) {
        let place = list.firstIndex { $0.endpoint == current.candidate.endpoint }
        if let place { current.candidate = list[place] }
        if count == 1, let target = better(than: place, list, for: stream, at: now),
            current.state == .live || place == nil
        {
            return move(stream, from: current, to: target, at: now)
        }
        let isWaiting = !stream.paths.contains { $0.state != .joining }
        let isLate = isWaiting && now - current.since >= Self.joinPatience
        guard now < stream.extraPathsUntil || isLate, count < 3, now - stream.lastExtraPath >= Self.joinPatience else {
            return
        }
        let used = stream.paths.map(\.candidate.endpoint)
        let others = list.filter { !used.contains($0.endpoint) && !penalties.isAvoided($0.endpoint, at: now) }
        if let other = best(of: others, for: stream, at: now) {
            stream.lastExtraPath = now
            join(other, stream, at: now)
        }
    }

    /// While nothing flows, a parent that has not answered this long gets company.
    static var joinPatience: TimeSpan { .milliseconds(500) }
    /// A parent that refused a stream is not asked for it again this long, while there are others.
    private static var refusalSpan: TimeSpan { .seconds(5) }

    private func better(
        than place: Int?, _ list: [ParentCandidate], for stream: StreamState, at now: MonotonicInstant
    ) -> ParentCandidate? {
        guard let place else { return best(of: list, for: stream, at: now) }
        return list[..<place].first {
            !penalties.isAvoided($0.endpoint, at: now)
                && penalties.isSteady($0.endpoint, for: configuration.returnAfter, at: now)
                && !stream.hasRefused($0.endpoint, within: configuration.returnAfter, at: now)
        }
    }

    /// Make before break: the parent in use is left once the other one brings the stream.
    private func move(
        _ stream: StreamState, from current: StreamPath, to target: ParentCandidate, at now: MonotonicInstant
    ) {
        if let leaving = stream.paths.first(where: { $0.candidate.endpoint == target.endpoint }) {
            // Back to the one that was being left.
            leaving.state = .live
            return removePath(current, of: stream, at: now)
        }
        post(.alarm(.parentChanged(stream.name, from: current.candidate.name, to: target.name)))
        counters.add(.parentChanges)
        guard join(target, stream, at: now) != nil else { return }
        if current.state == .joining { return removePath(current, of: stream, at: now) }
        current.state = .leaving
        current.since = now
        schedule(stream, now + Self.overlapMax)
    }

    /// Longest overlap of a parent being left with the one that follows.
    static var overlapMax: TimeSpan { .seconds(2) }

    /// The first candidate that has not just failed or refused; if there is no path at all, one that has failed is
    /// better than none.
    private func best(
        of list: [ParentCandidate], for stream: StreamState, at now: MonotonicInstant
    ) -> ParentCandidate? {
        let willing = list.filter { !stream.hasRefused($0.endpoint, within: Self.refusalSpan, at: now) }
        return willing.first { !penalties.isAvoided($0.endpoint, at: now) }
            ?? (stream.paths.isEmpty ? willing.first : nil)
    }

    @discardableResult
    func join(_ candidate: ParentCandidate, _ stream: StreamState, at now: MonotonicInstant) -> StreamPath? {
        if let known = stream.paths.first(where: { $0.candidate.endpoint == candidate.endpoint }) {
            if known.state == .leaving { known.state = .live }
            return nil
        }
        guard let link = link(to: candidate.endpoint, name: candidate.name, isForAnnouncing: false, at: now) else {
            return nil
        }
        let path = StreamPath(
            link: link, candidate: candidate, subscription: nextSubscription, start: start(of: stream), now: now)
        nextSubscription &+= 1
        stream.paths.append(path)
        if link.subscriptions.isEmpty { link.lastReceived = max(link.lastReceived, now) }
        link.addSubscription(path.subscription, stream: stream.slot)
        stream.lastJoin = now
        subscribe(path, of: stream, at: now)
        // A parent that died comes with a gap it can no longer fill; the new one's backlog will.
        stream.incarnation?.gaps.uncoverAll(due: now + link.roundTrip.retransmitTimeout + .milliseconds(200))
        if link.isAlive { schedule(link, now + configuration.linkSilenceMax) }
        return path
    }

    func subscribe(_ path: StreamPath, of stream: StreamState, at now: MonotonicInstant) {
        guard path.link.isAlive else { return }
        if path.tag == nil { path.start = start(of: stream) }
        var below: [NodeID] = configuration.role == .edge ? [] : [id]
        for child in stream.children {
            for node in child.path where !below.contains(node) && below.count < Subscribe.pathLengthMax {
                below.append(node)
            }
        }
        let request = Subscribe(
            subscription: path.subscription, stream: stream.name, portset: stream.portset ?? PortsetID(0),
            start: path.start, rateSixteenths: configuration.backlogSixteenths, path: below)
        counters.add(.subscribesSent)
        send(.subscribe(request), on: path.link, at: now)
        path.lastAsked = now
        path.tries += 1
        path.nextTry = now + configuration.retryInterval * Int64(1 << min(path.tries - 1, 4))
        schedule(stream, path.nextTry)
    }

    /// From where to ask: on from what is held, or else from the lowest number that children ask for, so that a parent
    /// that did not carry the stream can fill their gap (design §7).
    private func start(of stream: StreamState) -> Subscribe.Start {
        if let past = stream.returnTo { return .resume(past.tag, SequenceNumber(past.sequence)) }
        if let incarnation = stream.incarnation, incarnation.resumePoint > 0 {
            return .resume(incarnation.tag, SequenceNumber(incarnation.resumePoint))
        }
        var lowest: (tag: IncarnationTag, sequence: SequenceNumber)?
        for child in stream.children {
            switch child.start {
            case .live: continue
            case .preburst: return .preburst
            case .resume(let tag, let sequence):
                guard lowest == nil || lowest?.tag == tag else { return .preburst }
                lowest = (tag, min(lowest?.sequence ?? sequence, sequence))
            }
        }
        if let lowest { return .resume(lowest.tag, lowest.sequence) }
        return stream.children.isEmpty ? .preburst : .live
    }

    /// Nobody can give it: viewers are told, and it is tried again after a while.
    private func report(_ reason: UnavailableReason, for stream: StreamState, at now: MonotonicInstant) {
        stream.forgetRefusals()
        stream.retryAt = now + .seconds(1)
        schedule(stream, now + .seconds(1))
        if configuration.role == .edge {
            post(.unavailable(stream.name, reason))
        } else {
            for child in stream.children where child.state == .pending {
                _ = child.link.remove(child.id)
                let status: SubscribeStatus = reason == .noSuchStream ? .unknownStream : .noSource
                let reply = SubscribeReply(subscription: child.id, status: status, retryAfterMilliseconds: 1_000)
                counters.add(.subscribesRefusedUnknown)
                send(.subscribeReply(reply), on: child.link, at: now)
            }
            stream.children.removeAll { $0.state == .pending }
            if now - stream.lastArrival >= configuration.streamSilenceMax {
                endChildren(of: stream, reason: .noSource, at: now)
            }
            noteDemand(of: stream, at: now)
        }
    }

    /// Kept as validated links without data, for the moment they are needed: those before the one in use (to see whether
    /// they are well again), the next after it, and the first host of each other rank.
    private func keepWarm(_ list: [ParentCandidate], for stream: StreamState, at now: MonotonicInstant) {
        guard let current = stream.paths.first?.candidate else { return }
        let place = list.firstIndex { $0.endpoint == current.endpoint } ?? 0
        var chosen = Array(list[..<place].prefix(2))
        if place + 1 < list.count { chosen.append(list[place + 1]) }
        for rank in UInt8(1)...3 where rank != current.rank {
            if let first = list.first(where: { $0.rank == rank }) { chosen.append(first) }
        }
        for candidate in chosen
        where candidate.endpoint != current.endpoint && !penalties.isAvoided(candidate.endpoint, at: now) {
            link(to: candidate.endpoint, name: candidate.name, isForAnnouncing: false, at: now)?.warmUntil =
                now + .seconds(30)
        }
    }
<<<<<<< HEAD
=======

    // MARK: Replies and links

    func linkBecameAlive(_ link: ParentLink, at now: MonotonicInstant) {
        penalties.wellNow(link.endpoint, at: now)
        for slot in waiting(on: link) {
            guard let stream = streams[slot], let path = stream.path(on: link) else { continue }
            path.lastLinkNumber = link.window.highest
            path.lastArrival = now
            subscribe(path, of: stream, at: now)
        }
        if link.isForAnnouncing { sendAnnouncements(on: link, at: now) }
    }

    /// Streams with a path on the link, in a fixed order.
    private func waiting(on link: ParentLink) -> [Int] {
        // Sorted, because a dictionary's order differs between processes.
        Array(link.subscriptions.values).sorted()
    }

    func receive(_ reply: SubscribeReply, on link: ParentLink, at now: MonotonicInstant) {
        guard let slot = link.subscriptions[reply.subscription], let stream = streams[slot],
            let path = stream.path(on: link), path.subscription == reply.subscription
        else { return }
        switch reply.status {
        case .pending:
            path.tries = 0
            path.nextTry = now + .seconds(1)
            schedule(stream, path.nextTry)
        case .ok:
            path.tries = 0
            path.nextTry = .distantFuture
            stream.forgetRefusal(by: path.candidate.endpoint)
            adopt(reply, on: path, of: stream, at: now)
        case .unknownStream, .busy, .loop, .tableFull, .noSource:
            stream.noteRefusal(by: path.candidate.endpoint, at: now)
            removePath(path, of: stream, at: now)
            choosePaths(for: stream, at: now)
        }
    }

    /// Takes over the incarnation that a parent says it sends.
    private func adopt(_ reply: SubscribeReply, on path: StreamPath, of stream: StreamState, at now: MonotonicInstant) {
        let tag = IncarnationTag(stream: stream.name, source: reply.source, incarnation: reply.incarnation)
        path.tag = tag
        if let current = stream.incarnation {
            if current.tag == tag {
                if reply.highest.rawValue == 0, path.state == .joining { becameLive(path, of: stream, at: now) }
                return
            }
            let others = stream.paths.contains { $0 !== path && $0.state == .live }
            if others, now - stream.lastArrival < .seconds(1) {
                // Another path still brings the old one; asked again in a moment.
                path.isDeferred = true
                path.nextTry = now + .seconds(1)
                return schedule(stream, path.nextTry)
            }
        }
        if path.isDeferred {
            // What it was to begin with was not taken, and is long past: it is asked anew.
            removePath(path, of: stream, at: now)
            join(path.candidate, stream, at: now)
            return
        }
        if askFromWhereItWasLeft(tag, reply, path, of: stream, at: now) { return }
        guard
            let key = crypto.makeSealKey(
                phase: reply.keyPhase, stream: stream.name, source: reply.source, incarnation: reply.incarnation)
        else { return counters.add(.rejectedHandshakeMAC) }
        let isChange = stream.incarnation != nil
        forgetIncarnation(of: stream, at: now)
        let incarnation = IncarnationState(
            source: reply.source, incarnation: reply.incarnation, tag: tag, keyPhase: reply.keyPhase, key: key)
        incarnation.start = reply.oldest.rawValue
        if let past = stream.finished.first(where: { $0.tag == tag }) {
            incarnation.nextToDeliver = max(past.nextToDeliver, incarnation.start)
        }
        stream.incarnation = incarnation
        streamByTag[tag] = stream.slot
        path.lastSequence = 0
        if isChange {
            post(.alarm(.sourceChanged(stream.name, source: reply.source)))
            sink?.discontinuity(stream: stream.name, lost: 0)
            restartChildren(of: stream, at: now)
        } else {
            activatePending(of: stream, at: now)
        }
    }

    /// At an edge that has had this incarnation before, the parent would begin with what was handed out already: it is
    /// asked again, from where the incarnation was left. True if so.
    private func askFromWhereItWasLeft(
        _ tag: IncarnationTag, _ reply: SubscribeReply, _ path: StreamPath, of stream: StreamState,
        at now: MonotonicInstant
    ) -> Bool {
        guard configuration.role == .edge, let past = stream.finished.first(where: { $0.tag == tag }),
            past.nextToDeliver > reply.oldest.rawValue, stream.returnTo?.tag != tag, path.link.isAlive
        else {
            stream.returnTo = nil
            return false
        }
        stream.returnTo = past.nextToDeliver > 0 ? (tag, past.nextToDeliver) : nil
        removePath(path, of: stream, at: now)
        join(path.candidate, stream, at: now)
        return true
    }

    /// Ends an incarnation: at an edge, what is held is handed out, and what is missing in it is lost.
    func forgetIncarnation(of stream: StreamState, at now: MonotonicInstant) {
        guard let old = stream.incarnation else { return }
        if configuration.role == .edge {
            deliver(stream, isLast: true, at: now)
            stream.noteFinished(old.tag, nextToDeliver: old.nextToDeliver)
        }
        streamByTag[old.tag] = nil
        crypto.release(old.key)
        stream.incarnation = nil
    }

    /// The path brings what follows on what is held: whatever was to be left can be left now.
    func becameLive(_ path: StreamPath, of stream: StreamState, at now: MonotonicInstant) {
        path.state = .live
        for leaving in stream.paths where leaving.state == .leaving {
            removePath(leaving, of: stream, at: now)
        }
        if !stream.children.isEmpty { activatePending(of: stream, at: now) }
        schedule(stream, now + configuration.streamSilenceMax)
    }

    func removePath(_ path: StreamPath, of stream: StreamState, at now: MonotonicInstant) {
        stream.paths.removeAll { $0 === path }
        path.link.removeSubscription(path.subscription)
        send(.unsubscribe(subscription: path.subscription), on: path.link, at: now)
        if path.link.subscriptions.isEmpty { path.link.warmUntil = max(path.link.warmUntil, now + .seconds(10)) }
    }

    /// A parent ends a subscription: the stream was withdrawn there, or our lease ran out.
    func endSubscription(
        _ subscription: UInt32, _ reason: SubscriptionEndReason, on link: ParentLink, at now: MonotonicInstant
    ) {
        guard let slot = link.subscriptions[subscription], let stream = streams[slot],
            let path = stream.path(on: link), path.subscription == subscription
        else { return }
        stream.paths.removeAll { $0 === path }
        link.removeSubscription(subscription)
        if reason != .leaseExpired { stream.noteRefusal(by: path.candidate.endpoint, at: now) }
        choosePaths(for: stream, at: now)
    }

    func receive(_ heartbeat: LinkHeartbeat, on link: ParentLink, at now: MonotonicInstant) {
        counters.add(.heartbeatsReceived)
        link.echo.note(heartbeat.timestamp, at: now)
        if let sample = TimestampEcho.roundTrip(
            heartbeat.echoedTimestamp, delayMicroseconds: heartbeat.echoDelayMicroseconds, at: now)
        {
            link.roundTrip.sample(sample)
        }
        link.window.expect(next: heartbeat.nextLinkNumber)
        let isNewNonce = heartbeat.leaseNonce != link.leaseNonce
        link.leaseNonce = heartbeat.leaseNonce
        if isNewNonce { sendRenew(on: link, at: now) }
        for entry in heartbeat.entries { receive(entry, heartbeat, on: link, at: now) }
        if heartbeat.digestMismatch, now - link.lastResync >= .seconds(1) {
            link.lastResync = now
            for slot in waiting(on: link) {
                if let stream = streams[slot], let path = stream.path(on: link) {
                    subscribe(path, of: stream, at: now)
                }
            }
            sendRenew(on: link, at: now)
        }
    }

    /// What a heartbeat says of one subscription.
    private func receive(
        _ entry: LinkHeartbeat.Entry, _ heartbeat: LinkHeartbeat, on link: ParentLink, at now: MonotonicInstant
    ) {
        guard let slot = link.subscriptions[entry.subscription] else {
            // Left long ago; the parent has missed it.
            return send(.unsubscribe(subscription: entry.subscription), on: link, at: now)
        }
        guard let stream = streams[slot], let path = stream.path(on: link), path.state != .leaving else { return }
        let silent = TimeSpan.milliseconds(Int64(entry.upstreamSilentMilliseconds))
        let starved = now - max(path.lastArrival, path.lastAsked)
        if path.tag == nil || silent + Self.starvedMax < starved, starved >= .milliseconds(50) {
            // The parent sends, and we do not know what: its reply was lost.
            return subscribe(path, of: stream, at: now)
        }
        guard let incarnation = stream.incarnation, path.tag == incarnation.tag else { return }
        let highest = entry.highest.rawValue
        let held = incarnation.index.highest
        if highest > 0 {
            if path.state == .joining, held != 0, highest <= held { becameLive(path, of: stream, at: now) }
            if highest >= path.lastSequence {
                noteMissing(upTo: highest + 1, linkNumber: heartbeat.nextLinkNumber, on: path, of: stream, at: now)
            }
            askForGaps(of: stream, on: path, at: now)
        }
        path.upstreamSilent = entry.upstreamSilentMilliseconds > 1_500
        if path.upstreamSilent, path.state == .live { wantExtraPath(stream, at: now) }
    }

    /// A path that brings nothing this much longer than its parent's own upstream is asked for again.
    private static var starvedMax: TimeSpan { .milliseconds(400) }

    /// A parent that has not restored its own upstream: another path is added beside it (design §7).
    private func wantExtraPath(_ stream: StreamState, at now: MonotonicInstant) {
        stream.extraPathsUntil = now + .seconds(10)
        choosePaths(for: stream, at: now)
    }

    func sendRenew(on link: ParentLink, at now: MonotonicInstant) {
        link.lastRenew = now
        let echo = link.echo.fields(at: now)
        let renew = Renew(
            leaseNonce: link.leaseNonce, subscriptions: UInt16(clamping: link.subscriptions.count),
            digest: link.digest, timestamp: TimestampEcho.stamp(now), echoedTimestamp: echo.timestamp,
            echoDelayMicroseconds: echo.delayMicroseconds, received: link.window.received,
            lost: link.window.missing)
        send(.renew(renew), on: link, at: now)
    }

    /// Gives a link up: its streams move to the next parent at once, and only they.
    func fail(_ link: ParentLink, at now: MonotonicInstant) {
        guard link.state != .dead else { return }
        let wasAlive = link.isAlive
        // If it lives after all, it need not send for the rest of the lease.
        send(.close(.leaving), on: link, at: now)
        link.state = .dead
        if wasAlive {
            counters.add(.linksDied)
            post(.alarm(.linkDied(peer: link.peerName, link.endpoint)))
        }
        penalties.fail(link.endpoint, first: configuration.penalty, most: configuration.penaltyMax, at: now)
        let affected = waiting(on: link)
        forget(link)
        for slot in affected {
            guard let stream = streams[slot] else { continue }
            for path in stream.paths where path.link === link {
                urgeLookUp(for: path, at: now)
            }
            stream.paths.removeAll { $0.link === link }
            // A path about to be left is better than none.
            if stream.paths.allSatisfy({ $0.state == .leaving }) { stream.paths.first?.state = .live }
            choosePaths(for: stream, at: now)
        }
    }

    func forget(_ link: ParentLink) {
        linkByToken[link.childToken] = nil
        if parentByEndpoint[link.endpoint] == link.slot { parentByEndpoint[link.endpoint] = nil }
        if let keys = link.keys { crypto.release(keys) }
        link.keys = nil
        parentLinks.remove(link.slot)
    }

    /// Parents are looked up anew at every failure.
    private func urgeLookUp(for path: StreamPath, at now: MonotonicInstant) {
        guard path.candidate.rank > 0, let rank = ParentRank(rawValue: path.candidate.rank),
            let region = configuration.region, let slot = path.link.subscriptions[path.subscription],
            let portset = streams[slot]?.portset
        else { return }
        let name = ReflectorName.parents(rank, region, portset)
        if directory.urge(name, at: now) { ask(name, at: now) }
    }

    // MARK: Timers

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
        let silentSince = max(link.lastReceived, judgeSilenceFrom)
        let deadline = silentSince + link.roundTrip.silenceMax(atLeast: floor)
        guard now < deadline else { return fail(link, at: now) }
        if link.isForAnnouncing { announce(on: link, at: now) }
        if now - link.lastRenew >= configuration.renewInterval { sendRenew(on: link, at: now) }
        link.window.decayReordering()
        var wake = min(deadline, link.lastRenew + configuration.renewInterval)
        if link.isForAnnouncing { wake = min(wake, link.lastHeartbeatSent + configuration.heartbeatInterval) }
        if isWarm, !link.isForAnnouncing { wake = min(wake, link.warmUntil) }
        schedule(link, wake)
    }

    func handleTimer(of stream: StreamState, at now: MonotonicInstant) {
        if stream.origin != nil { return handleOriginTimer(of: stream, at: now) }
        if let leaveAt = stream.leaveAt, now >= leaveAt { return leave(stream, at: now) }
        if let retryAt = stream.retryAt, now >= retryAt {
            stream.retryAt = nil
            choosePaths(for: stream, at: now)
        } else if stream.paths.isEmpty, stream.retryAt == nil {
            choosePaths(for: stream, at: now)
        }
        if now >= stream.reviewAt {
            stream.reviewAt = now + .seconds(1)
            choosePaths(for: stream, at: now)
        }
        for path in stream.paths where stream.paths.contains(where: { $0 === path }) {
            if path.state == .leaving {
                if now - path.since >= Self.overlapMax { stay(on: path, of: stream, at: now) }
            } else if path.link.isAlive, now >= path.nextTry {
                if path.tries > configuration.retriesMax {
                    stream.noteRefusal(by: path.candidate.endpoint, at: now)
                    removePath(path, of: stream, at: now)
                    choosePaths(for: stream, at: now)
                } else {
                    subscribe(path, of: stream, at: now)
                }
            }
        }
        judgeSilence(of: stream, at: now)
        if now >= stream.extraPathsUntil, stream.paths.count > 1 { dropExtraPaths(of: stream, at: now) }
        if let gaps = stream.incarnation?.gaps, !gaps.isEmpty {
            let horizon = now - max(configuration.repairSpan, configuration.playOutDeadline)
            stream.incarnation!.gaps.giveUp(below: 0, detectedBefore: horizon)
            if let path = stream.paths.first(where: { $0.state == .live && $0.link.isAlive }) ?? stream.paths.first {
                askForGaps(of: stream, on: path, at: now)
            }
        }
        if configuration.role == .edge { deliver(stream, at: now) }
        reschedule(stream, at: now)
    }

    /// The new path did not come to life in time: back to the one that was to be left.
    private func stay(on path: StreamPath, of stream: StreamState, at now: MonotonicInstant) {
        path.state = .live
        for other in stream.paths where other.state == .joining {
            stream.noteRefusal(by: other.candidate.endpoint, at: now)
            removePath(other, of: stream, at: now)
        }
    }

    /// The backstop of [A] §IV-B: a stream without any packet for two seconds although its link lives.
    private func judgeSilence(of stream: StreamState, at now: MonotonicInstant) {
        let silentSince = max(stream.lastArrival, stream.lastJoin, judgeSilenceFrom)
        guard stream.incarnation != nil, !stream.paths.isEmpty, now - silentSince >= configuration.streamSilenceMax
        else { return }
        stream.extraPathsUntil = now + .seconds(10)
        choosePaths(for: stream, at: now)
        if now - stream.resubscribed >= .seconds(2) {
            stream.resubscribed = now
            for path in stream.paths { subscribe(path, of: stream, at: now) }
        }
    }

    /// A long good period: back to one path, the one of the best rank.
    private func dropExtraPaths(of stream: StreamState, at now: MonotonicInstant) {
        let good = stream.paths.filter {
            $0.state == .live && !$0.upstreamSilent && $0.tag == stream.incarnation?.tag
        }
        guard let kept = good.min(by: { $0.candidate.rank < $1.candidate.rank }) else { return }
        for path in stream.paths where path !== kept && path.state != .leaving {
            removePath(path, of: stream, at: now)
        }
    }

    private func reschedule(_ stream: StreamState, at now: MonotonicInstant) {
        var wake = now + .seconds(1)
        if !stream.paths.contains(where: { $0.state == .live }) {
            // Nothing flows: soon it is looked for elsewhere.
            stream.reviewAt = min(stream.reviewAt, now + Self.joinPatience)
        }
        wake = min(wake, max(stream.reviewAt, now + .milliseconds(1)))
        for at in [stream.leaveAt, stream.retryAt] {
            if let at { wake = min(wake, max(at, now + .milliseconds(1))) }
        }
        let soonest = now + .milliseconds(1)
        for path in stream.paths {
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
            if stream.paths.contains(where: { $0.link.isAlive && $0.tag == incarnation.tag }) {
                wake = min(wake, max(incarnation.gaps.nextDue, soonest))
            }
            // What lies behind the newest packet holds nothing back.
            if configuration.role == .edge, first.sequence <= incarnation.index.highest {
                wake = min(wake, max(first.detected + configuration.playOutDeadline, soonest))
            }
        }
        if stream.hasDemand || stream.leaveAt != nil { schedule(stream, wake) }
    }

    /// Nobody wants the stream any more.
    private func leave(_ stream: StreamState, at now: MonotonicInstant) {
        stream.leaveAt = nil
        guard !stream.hasDemand else { return reschedule(stream, at: now) }
        for path in stream.paths { removePath(path, of: stream, at: now) }
        forgetIncarnation(of: stream, at: now)
        sink?.ended(stream: stream.name)
        streamByName[stream.name] = nil
        streams.remove(stream.slot)
    }
>>>>>>> 715e0f9cca353dd436423885abcc68fbffea9e5e
}
