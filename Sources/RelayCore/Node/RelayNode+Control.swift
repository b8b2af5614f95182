import ReflectorModel
import RelayWire

/// Control messages on open links: authentic and fresh messages go to the responsible part.
extension RelayNode {
    func receiveControl(
        _ datagram: UnsafeRawBufferPointer, from source: Endpoint, at now: MonotonicInstant
    ) throws(WireError) {
        let header = try ControlHeader(parsing: datagram)
        switch core.links.slot(token: header.token) {
        case .parent(let slot):
            guard let link = core.links.parents[slot] else { return core.context.count(.rejectedUnknownToken) }
            guard core.accepts(datagram, header, isFromPeer: source == link.remote, &link.session, { $0.parentToChild })
            else { return }
            guard link.takeMessage(at: now) else {
                return core.context.noteFlood(from: link.peerName, link.endpoint, at: now)
            }
            receive(try ControlCodec.decodeBody(datagram), on: link, at: now)
        case .child(let slot):
            guard let link = core.links.children[slot] else { return core.context.count(.rejectedUnknownToken) }
            guard
                core.accepts(datagram, header, isFromPeer: source == link.endpoint, &link.session, { $0.childToParent })
            else { return }
            if link.confirmKeys(header.token, at: now) { core.context.count(.linksRenewed) }
            guard link.noteReceived(isNak: ControlCodec.isNak(datagram), at: now) else {
                return core.context.noteFlood(from: link.name, link.endpoint, at: now)
            }
            receive(try ControlCodec.decodeBody(datagram), on: link, at: now)
        case nil:
            core.context.count(.rejectedUnknownToken)
        }
    }

    /// From a parent.
    private func receive(_ message: RelayMessage, on link: ParentLink, at now: MonotonicInstant) {
        switch message {
        case .subscribeReply(let reply): onSubscribeReply(reply, on: link, at: now)
        case .subscriptionEnd(let subscription, let reason):
            onSubscriptionEnd(subscription, reason, on: link, at: now)
        case .linkHeartbeat(let heartbeat): onLinkHeartbeat(heartbeat, on: link, at: now)
        case .announcePull(let versionHeld):
            origin?.onAnnouncePull(versionHeld, on: link, at: now, &core)
        case .heartbeatReply(let reply):
            link.noteHeartbeatReply()
            core.noteEcho(reply.echoedTimestamp, on: link, at: now)
            candidacy?.onReply(reply, on: link, at: now)
        case .witnessReport(let report): onWitnessReport(report, on: link, at: now)
        case .lanFeed(let feed): fetcher.onLanFeed(feed, on: link, at: now, &core)
        case .close(.shuttingDown): onShuttingDown(link, at: now)
        case .close: fail(link, at: now)
        case .sizeProbe(let length):
            core.context.count(.sizeProbesReceived)
            core.send(.sizeReport(length: length), on: link, at: now)
        case .subscribe, .unsubscribe, .renew, .nak, .announce, .heartbeat, .sizeReport, .payloadLimit,
            .probe, .probeReport, .regionReport:
            core.context.count(.rejectedUnexpected)
        }
    }

    /// From a child.
    private func receive(_ message: RelayMessage, on link: ChildLink, at now: MonotonicInstant) {
        switch message {
        case .subscribe, .unsubscribe, .announce: onRequest(message, on: link, at: now)
        case .renew(let renew): linkKeeper.onRenew(renew, on: link, at: now, &core)
        case .nak(let nak): onNak(nak, on: link, at: now)
        case .heartbeat(let heartbeat): onHeartbeat(heartbeat, on: link, at: now)
        case .close: onClose(link, at: now)
        case .regionReport(let report): onRegionReport(report, on: link, at: now)
        case .sizeReport(let length): linkKeeper.onSizeReport(length, on: link, at: now, &core)
        case .payloadLimit(let subscription, let bytes):
            linkKeeper.onPayloadLimit(Int(bytes), of: subscription, on: link, at: now, &core)
        case .probe(let number):
            let leads = witness?.leads(to: link, fetcher.directory, at: now) ?? []
            linkKeeper.answer(number, leads, on: link, at: now, &core)
        case .subscribeReply, .subscriptionEnd, .linkHeartbeat, .announcePull, .heartbeatReply, .sizeProbe,
            .probeReport, .witnessReport, .lanFeed:
            core.context.count(.rejectedUnexpected)
        }
    }
}
