import ReflectorModel
import RelayWire

/// Retransmits that children ask for.
extension Server {
    func onNak(_ nak: Nak, on link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        core.context.count(.naksReceived)
        guard let subscription = link.subscriptions[nak.subscription], subscription.state != .pending,
            let stream = core.streams[subscription.stream], let incarnation = stream.incarnation
        else { return }
        if link.responder.needsRate(at: now) {
            link.responder.note(liveRate: liveRate(of: link, at: now, &core), at: now)
        }
        link.responder.refill(isFirst: link.queues.retransmitsSent == 0, at: now)
        core.egress.beginRetransmits(at: now)
        var asked = 0
        for run in nak.runs {
            for offset in 0..<UInt64(run.count) {
                asked += 1
                core.context.noteWork()
                guard asked <= Nak.numbersMax else { return }
                let sequence = run.first.rawValue &+ offset
                if case .backlog(let cursor) = subscription.state, sequence >= cursor { continue }
                retransmit(sequence, for: nak, of: subscription, stream, incarnation, on: link, at: now, &core)
            }
        }
    }

    private func retransmit(
        _ sequence: UInt64, for nak: Nak, of subscription: ChildSubscription, _ stream: StreamState,
        _ incarnation: IncarnationState, on link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        // If the packet is not held here either, it is sent to every child when our own repair arrives.
        guard let slot = incarnation.index.slot(sequence, in: core.log) else {
            return core.context.count(.nakNumbersMissed)
        }
        guard core.egress.hasRoomForRetransmit else { return core.context.count(.nakNumbersOverCapacity) }
        switch link.responder.admit(sequence, of: nak, roundTrip: link.roundTrip.smoothed ?? .zero, at: now) {
        case .repeated: core.context.count(.nakNumbersRepeated)
        case .overBucket: core.context.count(.nakNumbersOverBucket)
        case .serve:
            core.context.count(.nakNumbersServed)
            let packet = ChildQueues.Packet(
                slot: slot, sequence: SequenceNumber(sequence), tag: incarnation.tag, isRetransmit: true)
            guard !retransmitToGroup(packet, for: nak, of: subscription, stream, at: now, &core) else { return }
            core.egress.retransmit(packet, of: stream, on: link, core.log, at: now, &core.context)
        }
    }

    /// Packets a second of all streams on the link.
    private func liveRate(of link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) -> Double {
        core.context.noteWork(UInt64(link.ordered.count))
        return link.ordered.reduce(0) { $0 + (core.streams[$1.stream]?.arrivals.rate.perSecond(at: now) ?? 0) }
    }
}
