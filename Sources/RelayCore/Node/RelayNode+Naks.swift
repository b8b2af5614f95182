import ReflectorModel
import RelayWire

/// Retransmits that children ask for.
extension RelayNode {
    func onNak(_ nak: Nak, on link: ChildLink, at now: MonotonicInstant) {
        context.count(.naksReceived)
        guard let subscription = link.subscriptions[nak.subscription], subscription.state != .pending,
            let stream = streams[subscription.stream], let incarnation = stream.incarnation
        else { return }
        if link.responder.needsRate(at: now) {
            link.responder.note(liveRate: liveRate(of: link, at: now), at: now)
        }
        link.responder.refill(isFirst: link.retransmitsSent == 0, at: now)
        egress.beginRetransmits(at: now)
        var asked = 0
        for run in nak.runs {
            for offset in 0..<UInt64(run.count) {
                asked += 1
                context.noteWork()
                guard asked <= Nak.numbersMax else { return }
                let sequence = run.first.rawValue &+ offset
                if case .backlog(let cursor) = subscription.state, sequence >= cursor { continue }
                retransmit(sequence, for: nak, of: stream, incarnation, on: link, at: now)
            }
        }
    }

    private func retransmit(
        _ sequence: UInt64, for nak: Nak, of stream: StreamState, _ incarnation: IncarnationState,
        on link: ChildLink,
        at now: MonotonicInstant
    ) {
        // If it is not here either, it goes to every child when our own repair brings it.
        guard let slot = incarnation.index.slot(sequence, in: log) else {
            return context.count(.nakNumbersMissed)
        }
        guard egress.hasRoomForRetransmit else { return context.count(.nakNumbersOverCapacity) }
        switch link.responder.admit(
            sequence, of: nak, roundTrip: link.roundTrip.smoothed ?? .zero, at: now)
        {
        case .repeated: context.count(.nakNumbersRepeated)
        case .overBucket: context.count(.nakNumbersOverBucket)
        case .serve:
            context.count(.nakNumbersServed)
            let packet = ChildLink.Queued(
                slot: slot, sequence: SequenceNumber(sequence), tag: incarnation.tag, isRetransmit: true)
            core.egress.retransmit(packet, of: stream, on: link, core.log, at: now, &core.context)
        }
    }

    /// Packets a second of all streams on the link.
    private func liveRate(of link: ChildLink, at now: MonotonicInstant) -> Double {
        context.noteWork(UInt64(link.ordered.count))
        return link.ordered.reduce(0) { $0 + (streams[$1.stream]?.arrivalRate.perSecond(at: now) ?? 0) }
    }
}
