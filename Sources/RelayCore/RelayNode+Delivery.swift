import ReflectorModel
import RelayWire

/// An edge's delivery: in order, and no later than the play-out deadline allows.
extension RelayNode {
    /// Hands out everything that is in order, and gives up what is past the play-out deadline; with `isLast`, whatever is
    /// still missing.
    func deliver(_ stream: StreamState, isLast: Bool = false, at now: MonotonicInstant) {
        guard let tag = stream.incarnation?.tag else { return }
        if stream.incarnation!.nextToDeliver == 0 { stream.incarnation!.nextToDeliver = stream.incarnation!.start }
        // A viewer's server may end demand inside the call; the incarnation is looked at anew each time round.
        while let incarnation = stream.incarnation, incarnation.tag == tag {
            let next = incarnation.nextToDeliver
            guard next != 0, next <= incarnation.index.highest else { return }
            if let slot = incarnation.index.slot(next, in: log) {
                stream.incarnation!.nextToDeliver = next + 1
                handOut(slot, of: stream, at: now)
                continue
            }
            if let gap = incarnation.gaps.first, gap.sequence == next {
                let deadline = gap.detected + configuration.playOutDeadline
                guard isLast || now >= deadline else { return schedule(stream, deadline) }
            }
            skip(stream, isLast: isLast, at: now)
        }
    }

    private func handOut(_ slot: Int32, of stream: StreamState, at now: MonotonicInstant) {
        guard !log[slot].isFiller else { return }
        let payload = UnsafeRawBufferPointer(rebasing: log.bytes(slot)[WireLimits.streamHeaderLength...])
        stream.delivered += 1
        noteHandedOut(arrived: log[slot].arrival, of: stream, at: now)
        counters.add(.delivered)
        if let last = stream.lastDelivery { stream.gapMax = max(stream.gapMax, now - last) }
        stream.lastDelivery = now
        sink?.deliver(payload, stream: stream.name, at: now)
    }

    /// Gives up the missing numbers from the next one on whose deadline has passed.
    private func skip(_ stream: StreamState, isLast: Bool, at now: MonotonicInstant) {
        guard let incarnation = stream.incarnation else { return }
        var next = incarnation.nextToDeliver
        while next <= incarnation.index.highest, incarnation.index.slot(next, in: log) == nil {
            if let gap = stream.incarnation!.gaps.first, gap.sequence == next {
                guard isLast || now >= gap.detected + configuration.playOutDeadline else { break }
                _ = stream.incarnation!.gaps.remove(next)
            }
            next += 1
        }
        let lost = next - incarnation.nextToDeliver
        stream.incarnation!.nextToDeliver = next
        stream.lost += lost
        counters.add(.lost, lost)
        sink?.discontinuity(stream: stream.name, lost: lost)
    }
}
