import ReflectorModel
import RelayWire

/// Hands out what `PlayOut` says is next.
extension RelayNode {
    /// Hands out everything that is in order, and gives up what is past the play-out deadline; with `isLast`, whatever is
    /// still missing.
    func deliver(_ stream: StreamState, isLast: Bool = false, at now: MonotonicInstant) {
        guard let tag = stream.incarnation?.tag, let playOut else { return }
        if stream.incarnation!.nextToDeliver == 0 {
            stream.incarnation!.nextToDeliver = stream.incarnation!.start
        }
        // The receiver may end demand inside the call, so the incarnation is looked up again each time.
        while let incarnation = stream.incarnation, incarnation.tag == tag {
            switch playOut.next(of: incarnation, core.log, isLast: isLast, at: now, &core.context) {
            case .handOut(let slot): handOut(slot, of: stream, to: playOut.sink, at: now)
            case .skip(let lost):
                stream.lost &+= lost
                context.count(.lost, lost)
                playOut.sink?.discontinuity(stream: stream.name, lost: lost)
            case .wait(let deadline): return clock.schedule(stream, deadline)
            case .done: return
            }
        }
    }

    private func handOut(
        _ slot: Int32, of stream: StreamState, to sink: (any StreamSink)?, at now: MonotonicInstant
    ) {
        guard !log[slot].isFiller else { return }
        let payload = UnsafeRawBufferPointer(
            rebasing: log.bytes(slot)[WireLimits.streamHeaderLength...])
        stream.delivered += 1
        stream.residence.note(now - log[slot].arrival)
        context.noteResidence(now - log[slot].arrival)
        context.count(.delivered)
        if let last = stream.lastDelivery { stream.gapMax = max(stream.gapMax, now - last) }
        stream.lastDelivery = now
        sink?.deliver(payload, stream: stream.name, at: now)
    }
}
