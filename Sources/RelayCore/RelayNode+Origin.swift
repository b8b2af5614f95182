import ReflectorModel
import RelayWire

/// The entrypoint's part: it numbers, seals and announces.
extension RelayNode {
    /// An encoder provides a stream: draws an incarnation and announces it. An encoder that comes back within its grace
    /// goes on in the old one. False if the table is full.
    public func provide(_ name: StreamName, at now: MonotonicInstant) -> Bool {
        if streamByName[name] == nil, streams.count >= configuration.streamsMax { withdrawIdle(at: now) }
        guard let stream = stream(named: name, at: now) else { return false }
        if stream.origin != nil {
            stream.origin?.withdrawAt = nil
            return true
        }
        let incarnation = Incarnation(high: random64(), low: random64())
        let phase = crypto.keyPhases.first ?? 0
        guard let key = crypto.makeSealKey(phase: phase, stream: name, source: id, incarnation: incarnation) else {
            return false
        }
        let tag = IncarnationTag(stream: name, source: id, incarnation: incarnation)
        let state = IncarnationState(source: id, incarnation: incarnation, tag: tag, keyPhase: phase, key: key)
        state.start = 1
        stream.incarnation = state
        stream.origin = StreamOrigin(lastPacket: now)
        streamByTag[tag] = stream.slot
        use(.candidates(name), isCarrying: true, at: now)
        noteOriginPortset(of: stream, at: now)
        schedule(stream, now + configuration.fillerInterval)
        return true
    }

    /// The encoder has gone: the stream is withdrawn unless it returns within `encoderGrace`.
    public func encoderLeft(_ name: StreamName, at now: MonotonicInstant) {
        guard let slot = streamByName[name], let stream = streams[slot], stream.origin != nil else { return }
        stream.origin?.withdrawAt = now + configuration.encoderGrace
        schedule(stream, now + configuration.encoderGrace)
    }

    /// Numbers, seals and sends one payload. A payload over `WireLimits.payloadMax` is refused and counted.
    public func ingest(_ payload: UnsafeRawBufferPointer, stream name: StreamName, at now: MonotonicInstant) {
        guard let slot = streamByName[name], let stream = streams[slot], stream.origin != nil else { return }
        guard payload.count <= WireLimits.payloadMax else { return counters.add(.droppedOversizePayload) }
        stream.packetsIn += 1
        stream.bytesIn += UInt64(payload.count)
        if let last = stream.lastDelivery { stream.gapMax = max(stream.gapMax, now - last) }
        stream.lastDelivery = now
        let (length, count) = pieces(of: payload.count, in: stream)
        guard count > 1 else { return emit(payload, isFiller: false, of: stream, at: now) }
        for index in 0..<count {
            let end = min((index + 1) * length, payload.count)
            emit(
                UnsafeRawBufferPointer(rebasing: payload[index * length..<end]), isFiller: false, of: stream, at: now)
        }
    }

    private func emit(
        _ payload: UnsafeRawBufferPointer, isFiller: Bool, of stream: StreamState, at now: MonotonicInstant
    ) {
        guard let incarnation = stream.incarnation, let number = stream.origin?.nextSequence else { return }
        let sequence = SequenceNumber(number)
        let body = WireLimits.streamHeaderLength
        let length = body + payload.count + WireLimits.sealTagLength
        let packet = UnsafeMutableRawBufferPointer(rebasing: scratch[..<length])
        DataHeader.writeStreamHeader(into: packet, tag: incarnation.tag, sequence: sequence, isFiller: isFiller)
        let text = UnsafeMutableRawBufferPointer(rebasing: packet[body..<body + payload.count])
        text.copyMemory(from: payload)
        crypto.seal(
            incarnation.key, sequence: sequence, header: UnsafeRawBufferPointer(rebasing: packet[..<body]),
            payload: text, tag: UnsafeMutableRawBufferPointer(rebasing: packet[(body + payload.count)...]))
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
            counters.add(.fillerSent)
            emit(UnsafeRawBufferPointer(start: nil, count: 0), isFiller: true, of: stream, at: now)
        }
        noteLimit(of: stream, at: now)
        var wake = max(origin.lastPacket, now - configuration.fillerInterval / 2) + configuration.fillerInterval
        if let withdrawAt = origin.withdrawAt { wake = min(wake, withdrawAt) }
        schedule(stream, max(wake, now + .milliseconds(1)))
    }

    /// Makes room for an encoder: of those that have gone and may come back, the one that has been gone longest.
    private func withdrawIdle(at now: MonotonicInstant) {
        let idle = streams.all.filter { $0.origin?.withdrawAt != nil }
        let longest = idle.min { ($0.origin?.withdrawAt ?? now) < ($1.origin?.withdrawAt ?? now) }
        guard let longest else { return }
        counters.add(.streamsEvicted)
        withdraw(longest, at: now)
    }

    private func withdraw(_ stream: StreamState, at now: MonotonicInstant) {
        endChildren(of: stream, reason: .withdrawn, at: now)
        if let old = stream.incarnation {
            streamByTag[old.tag] = nil
            releaseKeys(of: old)
        }
        streamByName[stream.name] = nil
        streams.remove(stream.slot)
        announceAnew(at: now)
    }

    /// Announces a stream once its portset is known.
    func noteOriginPortset(of stream: StreamState, at now: MonotonicInstant) {
        guard let portset = directory.answer(.candidates(stream.name), at: now)?.portset, stream.portset != portset
        else { return }
        stream.portset = portset
        announceAnew(at: now)
    }

    // MARK: Announcing

    /// The list has changed: it is sent at once, or a moment later if one has just been sent, so that a thousand streams
    /// that begin together are announced together.
    func announceAnew(at now: MonotonicInstant) {
        announceVersion += 1
        announceDigest = nil
        owesAnnouncement = true
        sendOwedAnnouncement(at: now)
    }

    /// Lists follow each other no closer than this.
    private static var announceSpacing: TimeSpan { .milliseconds(50) }

    private func sendOwedAnnouncement(at now: MonotonicInstant) {
        guard owesAnnouncement else { return }
        let due = lastAnnounced + Self.announceSpacing
        guard now >= due || lastAnnounced == .zero else { return scheduleNode(due) }
        owesAnnouncement = false
        for link in parentLinks.all where link.isForAnnouncing && link.isAlive {
            lastAnnounced = now
            sendAnnouncements(on: link, at: now)
        }
    }

    /// Sends the whole list, in pages.
    func sendAnnouncements(on link: ParentLink, at now: MonotonicInstant) {
        var entries: [Announce.Entry] = []
        for stream in streams.all {
            guard stream.origin != nil, let portset = stream.portset, let incarnation = stream.incarnation else {
                continue
            }
            entries.append(
                Announce.Entry(
                    stream: stream.name, portset: portset, keyPhase: incarnation.keyPhase,
                    incarnation: incarnation.incarnation))
        }
        var pages: [ArraySlice<Announce.Entry>] = []
        var rest = entries[...]
        repeat {
            let count = ControlCodec.entriesInOnePage(rest)
            pages.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        } while !rest.isEmpty
        for (number, page) in pages.enumerated() {
            let announce = Announce(
                version: announceVersion, page: UInt16(clamping: number), pages: UInt16(clamping: pages.count),
                entries: Array(page))
            send(.announce(announce), on: link, at: now)
        }
    }

    /// A heartbeat, when it is time, with the version and digest of what was announced.
    func announce(on link: ParentLink, at now: MonotonicInstant) {
        guard now - link.lastHeartbeatSent >= configuration.heartbeatInterval else { return }
        link.lastHeartbeatSent = now
        let digest = announceDigest ?? digestOfAnnounced
        announceDigest = digest
        let heartbeat = Heartbeat(version: announceVersion, digest: digest, timestamp: TimestampEcho.stamp(now))
        send(.heartbeat(heartbeat), on: link, at: now)
    }

    private var digestOfAnnounced: UInt64 {
        var digest: UInt64 = 0
        for stream in streams.all {
            guard stream.origin != nil, let portset = stream.portset, let incarnation = stream.incarnation else {
                continue
            }
            digest = digest &+ AnnouncementList.digest(of: stream.name, source: id, incarnation.incarnation, portset)
        }
        return digest
    }

    /// A set reflector that the zone no longer names is not announced to.
    private func closeUnlistedTargets(at now: MonotonicInstant) {
        guard !announceTargets.isEmpty else { return }
        for link in parentLinks.all where link.isForAnnouncing {
            guard
                !announceTargets.contains(where: {
                    $0.host.endpoint == link.endpoint || $0.others.contains(link.endpoint)
                })
            else { continue }
            send(.close(.leaving), on: link, at: now)
            link.state = .dead
            forget(link)
        }
    }

    // MARK: Set reflector's end

    func receive(_ page: Announce, on link: ChildLink, at now: MonotonicInstant) {
        guard link.role == .entrypoint else { return counters.add(.rejectedUnexpected) }
        guard takePage(page, on: link, at: now) else { return }
        counters.add(.announcementsReceived)
        for stream in streams.all where stream.hasDemand {
            if link.announcements?[stream.name] != nil {
                stream.forgetRefusal(by: link.endpoint)
                choosePaths(for: stream, at: now)
            }
        }
    }

    func receive(_ heartbeat: Heartbeat, on link: ChildLink, at now: MonotonicInstant) {
        guard link.role == .entrypoint else { return counters.add(.rejectedUnexpected) }
        counters.add(.heartbeatsReceived)
        link.heartbeatReceived = now
        let isOther =
            link.announcements?.version != heartbeat.version || link.announcements?.digest != heartbeat.digest
        if isOther, now >= link.announcements?.pullNotBefore ?? .zero {
            send(.announcePull(versionHeld: link.announcements?.version ?? 0), on: link, at: now)
        }
        send(.heartbeatReply(echoedTimestamp: heartbeat.timestamp), on: link, at: now)
    }

    // MARK: The node's own timer

    /// Renews look-ups, and keeps an entrypoint's links to the set reflectors that it announces to.
    func handleNodeTimer(at now: MonotonicInstant) {
        for name in directory.dueRenewals(at: now) { ask(name, at: now) }
        expireAnnouncements(at: now)
        shedExtraPaths(at: now)
        var wake = now + .seconds(1)
        if configuration.role == .entrypoint {
            let name = ReflectorName.announceTargets(host: configuration.name)
            use(name, isCarrying: true, at: now)
            useOrigins(at: now)
            sendOwedAnnouncement(at: now)
            closeUnlistedTargets(at: now)
            for target in announceTargets where !penalties.isAvoided(target.host.endpoint, at: now) {
                _ = link(
                    to: target.host.endpoint, others: target.others, name: target.host.name, isForAnnouncing: true,
                    at: now)
            }
        } else if streams.count == 0 {
            // Nothing in use: sleep until an answer is to be renewed, which nobody needs either.
            wake = .distantFuture
        }
        wake = min(wake, max(directory.nextRenewal, now + .milliseconds(1)))
        if configuration.role == .entrypoint || streams.count > 0 { scheduleNode(wake) }
        if let expiry = announcementExpiry { scheduleNode(max(expiry, now + .milliseconds(1))) }
    }

    /// Keeps the candidate lists of the streams provided here from being forgotten (`ParentDirectory.idleMax`), or asks
    /// again where the shell lost a question.
    private func useOrigins(at now: MonotonicInstant) {
        if let last = originsUsedAt, now - last < .seconds(10) { return }
        originsUsedAt = now
        for stream in streams.all where stream.origin != nil {
            use(.candidates(stream.name), isCarrying: true, at: now)
        }
    }
}
