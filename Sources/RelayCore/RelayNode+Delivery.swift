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
        let end = incarnation.index.highest + 1
        var next = incarnation.nextToDeliver
        var steps = UInt64(0)
        var isWaiting = false
        for gap in incarnation.gaps.gaps where gap.sequence >= next && gap.sequence < end {
            // Between two gaps of the table, numbers are missing only where the table was full.
            next = incarnation.index.nextHeld(from: next, below: gap.sequence, in: log, &steps)
            isWaiting = next < gap.sequence || !isLast && now < gap.detected + configuration.playOutDeadline
            guard !isWaiting else { break }
            next += 1
        }
        if !isWaiting { next = incarnation.index.nextHeld(from: next, below: end, in: log, &steps) }
        work &+= steps
        incarnation.gaps.giveUp(below: next)
        let lost = next - incarnation.nextToDeliver
        incarnation.nextToDeliver = next
        stream.lost &+= lost
        counters.add(.lost, lost)
        sink?.discontinuity(stream: stream.name, lost: lost)
    }
}
