import ReflectorModel
import RelayWire

/// The entrypoint's part: it numbers, seals and announces.
extension RelayNode {
    /// An encoder provides a stream: draws an incarnation and announces it. An encoder that comes back within its grace
    /// goes on in the old one. False if the table is full.
    public func provide(_ name: StreamName, at now: MonotonicInstant) -> Bool {
        if streams[name] == nil, streams.count >= configuration.streamsMax { withdrawIdle(at: now) }
        guard let stream = stream(named: name, at: now) else { return false }
        if stream.origin != nil {
            stream.origin?.withdrawAt = nil
            return true
        }
        let incarnation = Incarnation(high: context.secret64(), low: context.secret64())
        let phase = crypto.keyPhases.first ?? 0
        guard
            let key = crypto.makeSealKey(phase: phase, stream: name, source: id, incarnation: incarnation)
        else {
            return false
        }
        let tag = IncarnationTag(stream: name, source: id, incarnation: incarnation)
        let state = IncarnationState(
            source: id, incarnation: incarnation, tag: tag, keyPhase: phase, key: key)
        state.start = 1
        stream.incarnation = state
        stream.origin = StreamOrigin(lastPacket: now)
        streams.bind(tag, to: stream)
        use(.candidates(name), isCarrying: true, at: now)
        noteOriginPortset(of: stream, at: now)
        clock.schedule(stream, now + configuration.fillerInterval)
        return true
    }

    /// The encoder has gone: the stream is withdrawn unless it returns within `encoderGrace`.
    public func encoderLeft(_ name: StreamName, at now: MonotonicInstant) {
        guard let stream = streams[name], stream.origin != nil else { return }
        stream.origin?.withdrawAt = now + configuration.encoderGrace
        clock.schedule(stream, now + configuration.encoderGrace)
    }

    /// Numbers, seals and sends one payload. A payload over `WireLimits.payloadMax` is refused and counted.
    public func ingest(
        _ payload: UnsafeRawBufferPointer, stream name: StreamName, at now: MonotonicInstant
    ) {
        guard let stream = streams[name], stream.origin != nil else { return }
        guard payload.count <= WireLimits.payloadMax else {
            return context.count(.droppedOversizePayload)
        }
        stream.packetsIn += 1
        stream.bytesIn += UInt64(payload.count)
        if let last = stream.lastDelivery { stream.gapMax = max(stream.gapMax, now - last) }
        stream.lastDelivery = now
        let (length, count) = pieces(of: payload.count, in: stream)
        guard count > 1 else { return emit(payload, isFiller: false, of: stream, at: now) }
        for index in 0..<count {
            let end = min((index + 1) * length, payload.count)
            emit(
                UnsafeRawBufferPointer(rebasing: payload[index * length..<end]), isFiller: false,
                of: stream, at: now)
        }
    }

    private func emit(
        _ payload: UnsafeRawBufferPointer, isFiller: Bool, of stream: StreamState,
        at now: MonotonicInstant
    ) {
        guard let incarnation = stream.incarnation, let number = stream.origin?.nextSequence else {
            return
        }
        let sequence = SequenceNumber(number)
        let body = WireLimits.streamHeaderLength
        let length = body + payload.count + WireLimits.sealTagLength
        let packet = UnsafeMutableRawBufferPointer(rebasing: context.scratch[..<length])
        DataHeader.writeStreamHeader(
            into: packet, tag: incarnation.tag, sequence: sequence, isFiller: isFiller)
        let text = UnsafeMutableRawBufferPointer(rebasing: packet[body..<body + payload.count])
        text.copyMemory(from: payload)
        crypto.seal(
            incarnation.key, sequence: sequence,
            header: UnsafeRawBufferPointer(rebasing: packet[..<body]),
            payload: text, tag: UnsafeMutableRawBufferPointer(rebasing: packet[(body + payload.count)...])
        )
        let logSlot = log.append(
            tag: incarnation.tag, sequence: sequence, arrival: now, keyPhase: incarnation.keyPhase,
            isFiller: isFiller, UnsafeRawBufferPointer(packet))
        incarnation.index.insert(number, slot: logSlot)
        stream.arrivalRate.note(at: now)
        stream.origin!.nextSequence = number + 1
        stream.origin!.lastPacket = now
        stream.lastArrival = now
        forward(logSlot, sequence, of: stream, isRepair: false, at: now)
    }

    func handleOriginTimer(of stream: StreamState, at now: MonotonicInstant) {
        guard let origin = stream.origin else { return }
        if let withdrawAt = origin.withdrawAt, now >= withdrawAt { return withdraw(stream, at: now) }
        if !stream.children.isEmpty, now - origin.lastPacket >= configuration.fillerInterval {
            context.count(.fillerSent)
            emit(UnsafeRawBufferPointer(start: nil, count: 0), isFiller: true, of: stream, at: now)
        }
        noteLimit(of: stream, at: now)
        var wake =
            max(origin.lastPacket, now - configuration.fillerInterval / 2) + configuration.fillerInterval
        if let withdrawAt = origin.withdrawAt { wake = min(wake, withdrawAt) }
        clock.schedule(stream, max(wake, now + .milliseconds(1)))
    }

    /// Makes room for an encoder: of those that have gone and may come back, the one that has been gone longest.
    private func withdrawIdle(at now: MonotonicInstant) {
        let idle = streams.all.filter { $0.origin?.withdrawAt != nil }
        let longest = idle.min { ($0.origin?.withdrawAt ?? now) < ($1.origin?.withdrawAt ?? now) }
        guard let longest else { return }
        context.count(.streamsEvicted)
        withdraw(longest, at: now)
    }

    private func withdraw(_ stream: StreamState, at now: MonotonicInstant) {
        endChildren(of: stream, reason: .withdrawn, at: now)
        if let old = stream.incarnation {
            streams.unbind(old.tag)
            releaseKeys(of: old)
        }
        streams.remove(stream)
        announceAgain(at: now)
    }

    /// Announces a stream once its portset is known.
    func noteOriginPortset(of stream: StreamState, at now: MonotonicInstant) {
        guard let portset = directory.answer(.candidates(stream.name), at: now)?.portset,
            stream.portset != portset
        else { return }
        stream.portset = portset
        announceAgain(at: now)
    }

    // MARK: Announcing

    /// The list of streams has changed: it is sent at once, or a moment later if one was sent a moment ago.
    func announceAgain(at now: MonotonicInstant) {
        announcer?.noteChange()
        sendOwedAnnouncement(at: now)
    }

    private func sendOwedAnnouncement(at now: MonotonicInstant) {
        switch announcer?.takeDue(at: now) {
        case nil, .nothing: return
        case .later(let due): clock.scheduleNode(due)
        case .now:
            for link in links.parents.all where link.isForAnnouncing && link.isAlive {
                announcer?.noteSent(at: now)
                sendAnnouncements(on: link, at: now)
            }
        }
    }

    /// Sends the whole list, in pages.
    func sendAnnouncements(on link: ParentLink, at now: MonotonicInstant) {
        for page in announcer?.pages(of: announcedEntries) ?? [] {
            send(.announce(page), on: link, at: now)
        }
    }

    /// A heartbeat, when it is time, with the version and digest of what was announced.
    func announce(on link: ParentLink, at now: MonotonicInstant) {
        guard now - link.lastHeartbeatSent >= configuration.heartbeatInterval else { return }
        link.lastHeartbeatSent = now
        let heartbeat = announcer?.heartbeat(source: id, entries: { announcedEntries }, at: now)
        if let heartbeat { send(.heartbeat(heartbeat), on: link, at: now) }
    }

    private var announcedEntries: [Announce.Entry] {
        streams.all.compactMap { stream in
            guard stream.origin != nil, let portset = stream.portset, let incarnation = stream.incarnation
            else {
                return nil
            }
            return Announce.Entry(
                stream: stream.name, portset: portset, keyPhase: incarnation.keyPhase,
                incarnation: incarnation.incarnation)
        }
    }

    /// A set reflector that the zone no longer names is not announced to.
    private func closeUnlistedTargets(at now: MonotonicInstant) {
        for link in links.parents.all
        where link.isForAnnouncing && announcer?.isUnlisted(link.endpoint) == true {
            core.close(link, at: now)
        }
    }

    // MARK: Set reflector's end

    func onAnnounce(_ page: Announce, on link: ChildLink, at now: MonotonicInstant) {
        guard link.role == .entrypoint else { return context.count(.rejectedUnexpected) }
        let isChanged = takePage(page, on: link, at: now)
        drainEvents(at: now)
        guard isChanged else { return }
        context.count(.announcementsReceived)
        for stream in streams.all where stream.hasDemand {
            if link.announcements?[stream.name] != nil {
                stream.forgetRefusal(by: link.endpoint)
                choosePaths(for: stream, at: now)
            }
        }
    }

    func onHeartbeat(_ heartbeat: Heartbeat, on link: ChildLink, at now: MonotonicInstant) {
        guard link.role == .entrypoint else { return context.count(.rejectedUnexpected) }
        context.count(.heartbeatsReceived)
        link.heartbeatReceived = now
        let isOther =
            link.announcements?.version != heartbeat.version
            || link.announcements?.digest != heartbeat.digest
        if isOther, now >= link.announcements?.pullNotBefore ?? .zero {
            send(.announcePull(versionHeld: link.announcements?.version ?? 0), on: link, at: now)
        }
        send(.heartbeatReply(echoedTimestamp: heartbeat.timestamp), on: link, at: now)
    }

    // MARK: The node's own timer

    /// Renews look-ups, and keeps an entrypoint's links to the set reflectors that it announces to.
    func handleNodeTimer(at now: MonotonicInstant) {
        fetcher.renewAnswers(at: now, &core)
        expireAnnouncements(at: now)
        shedExtraPaths(at: now)
        var wake = now + .seconds(1)
        if announcer != nil {
            let name = ReflectorName.announceTargets(host: configuration.name)
            use(name, isCarrying: true, at: now)
            useOrigins(at: now)
            sendOwedAnnouncement(at: now)
            closeUnlistedTargets(at: now)
            for target in announcer?.targets ?? [] where !parents.isAvoided(target.host.endpoint, at: now) {
                _ = link(
                    to: target.host.endpoint, others: target.others, name: target.host.name,
                    isForAnnouncing: true,
                    at: now)
            }
        } else if streams.count == 0 {
            // Nothing in use: sleep until an answer is to be renewed, which nobody needs either.
            wake = .distantFuture
        }
        wake = min(wake, max(directory.nextRenewal, now + .milliseconds(1)))
        if announcer != nil || streams.count > 0 { clock.scheduleNode(wake) }
        if let expiry = announcements.expiry { clock.scheduleNode(max(expiry, now + .milliseconds(1))) }
    }

    /// Keeps the candidate lists of the streams provided here from being forgotten (`ParentDirectory.idleMax`), or asks
    /// again where the shell lost a question.
    private func useOrigins(at now: MonotonicInstant) {
        guard announcer?.takeNamesDue(at: now) == true else { return }
        for stream in streams.all where stream.origin != nil {
            use(.candidates(stream.name), isCarrying: true, at: now)
        }
    }
}
