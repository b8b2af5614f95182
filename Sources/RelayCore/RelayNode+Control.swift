import ReflectorModel
import RelayWire

/// Control messages of open links: authenticated, fresh, then to whom they concern.
extension RelayNode {
    func receiveControl(
        _ datagram: UnsafeRawBufferPointer, from source: Endpoint, at now: MonotonicInstant
    ) throws(WireError) {
        let header = try ControlHeader(parsing: datagram)
        switch linkByToken[header.token] {
        case .parent(let slot):
            guard let link = parentLinks[slot], let keys = link.keys else {
                return counters.add(.rejectedUnknownToken)
            }
            guard link.remote == source else { return counters.add(.rejectedWrongAddress) }
            guard ControlCodec.verify(datagram, key: keys.parentToChild, crypto: crypto) else {
                return counters.add(.rejectedBadMAC)
            }
            guard link.replay.accept(header.counter) else { return counters.add(.rejectedReplayed) }
            counters.add(.controlReceived)
            guard link.messages.take(at: now) else { return dropFlood(from: link.peerName, link.endpoint, at: now) }
            link.lastReceived = now
            receive(try ControlCodec.decodeBody(datagram), on: link, at: now)
        case .child(let slot):
            guard let link = childLinks[slot] else { return counters.add(.rejectedUnknownToken) }
            guard link.endpoint == source else { return counters.add(.rejectedWrongAddress) }
            guard ControlCodec.verify(datagram, key: link.keys.childToParent, crypto: crypto) else {
                return counters.add(.rejectedBadMAC)
            }
            guard link.replay.accept(header.counter) else { return counters.add(.rejectedReplayed) }
            counters.add(.controlReceived)
            link.hasSpoken = true
            let isAllowed =
                ControlCodec.isNak(datagram) ? link.nakMessages.take(at: now) : link.messages.take(at: now)
            guard isAllowed else { return dropFlood(from: link.name, link.endpoint, at: now) }
            link.lastReceived = now
            receive(try ControlCodec.decodeBody(datagram), on: link, at: now)
        case nil:
            counters.add(.rejectedUnknownToken)
        }
    }

    /// From a parent.
    private func receive(_ message: RelayMessage, on link: ParentLink, at now: MonotonicInstant) {
        switch message {
        case .subscribeReply(let reply): receive(reply, on: link, at: now)
        case .subscriptionEnd(let subscription, let reason):
            endSubscription(subscription, reason, on: link, at: now)
        case .linkHeartbeat(let heartbeat): receive(heartbeat, on: link, at: now)
        case .announcePull:
            // The list is long, and the question short; an honest set reflector asks as often as it hears a heartbeat.
            guard now - link.lastPulled >= configuration.heartbeatInterval / 2 else { return }
            link.lastPulled = now
            sendAnnouncements(on: link, at: now)
        case .heartbeatReply(let echoed):
            if let sample = TimestampEcho.roundTrip(echoed, delayMicroseconds: 0, at: now) {
                link.roundTrip.sample(sample)
            }
        case .close(.shuttingDown): parentLeaves(link, at: now)
        case .close: fail(link, at: now)
        case .sizeProbe(let length):
            counters.add(.sizeProbesReceived)
            send(.sizeReport(length: length), on: link, at: now)
        case .subscribe, .unsubscribe, .renew, .nak, .announce, .heartbeat, .sizeReport, .payloadLimit:
            counters.add(.rejectedUnexpected)
        }
    }

    /// From a child.
    private func receive(_ message: RelayMessage, on link: ChildLink, at now: MonotonicInstant) {
        switch message {
        case .subscribe, .unsubscribe, .announce: order(message, on: link, at: now)
        case .renew(let renew): receive(renew, on: link, at: now)
        case .nak(let nak): receive(nak, on: link, at: now)
        case .heartbeat(let heartbeat): receive(heartbeat, on: link, at: now)
        case .close: remove(link, at: now)
        case .sizeReport(let length): receiveSizeReport(length, on: link, at: now)
        case .payloadLimit(let subscription, let bytes):
            receiveLimit(Int(bytes), of: subscription, on: link, at: now)
        case .subscribeReply, .subscriptionEnd, .linkHeartbeat, .announcePull, .heartbeatReply, .sizeProbe:
            counters.add(.rejectedUnexpected)
        }
    }

    // MARK: Sending

    func send(_ message: RelayMessage, on link: ParentLink, at now: MonotonicInstant) {
        guard link.isAlive, let keys = link.keys else { return }
        link.counter += 1
        enqueue(
            message, to: link.remote, from: link.local, token: link.parentToken, counter: link.counter,
            key: keys.childToParent)
        flushAt = min(flushAt, now)
    }

    func send(_ message: RelayMessage, on link: ChildLink, at now: MonotonicInstant) {
        link.counter += 1
        link.lastSent = now
        enqueue(
            message, to: link.endpoint, from: link.local, token: link.childToken, counter: link.counter,
            key: link.keys.parentToChild)
        flushAt = min(flushAt, now)
    }

    private func enqueue(
        _ message: RelayMessage, to endpoint: Endpoint, from local: UInt8, token: UInt64, counter: UInt64, key: MACKey
    ) {
        let crypto = crypto
        var length = 0
        let isQueued = control.append(to: endpoint, from: local, lengthMax: WireLimits.controlLengthMax) { buffer in
            length = ControlCodec.encode(message, token: token, counter: counter, into: buffer)
            ControlCodec.finish(
                UnsafeMutableRawBufferPointer(rebasing: buffer[..<length]), key: key, crypto: crypto)
            return length
        }
        if isQueued { budget.spend(bytes: length, datagrams: 1) }
        counters.add(isQueued ? .controlSent : .droppedControlFull)
    }
}
