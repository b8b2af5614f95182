import ReflectorModel
import RelayWire

extension Receiver {
    /// How many packets older than the oldest one held may be requested.
    private static var backfillMax: UInt64 { 2_048 }

    /// A child wants packets older than the oldest one held: this requests them from a parent (design §7, "chains the
    /// lowest number its children ask for"). Returns the number from which the child can be served.
    func backfill(
        _ stream: StreamState, from wanted: UInt64, to oldest: UInt64, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) -> UInt64 {
        guard stream.origin == nil, let incarnation = stream.incarnation, oldest > wanted,
            let path = stream.paths.all.first(where: {
                $0.state != .leaving && ($0.tag == nil || $0.carries(incarnation.tag))
            })
        else { return oldest }
        let lowest = max(wanted, oldest > Self.backfillMax ? oldest - Self.backfillMax : 1, 1)
        core.context.noteWork(oldest - lowest)
        for sequence in lowest..<oldest {
            // Half of the table is reserved for the gaps among newer packets.
            let isNoted = incarnation.noteGap(sequence, max: core.configuration.gapsMax / 2, at: now) { gap in
                gap.passedOn |= path.bit
                gap.lostOn |= path.bit
                gap.due = now
            }
            guard isNoted else {
                core.context.count(.droppedGapTableFull)
                break
            }
        }
        if incarnation.start != 0 { incarnation.lowerStart(to: lowest) }
        askForGaps(of: stream, arrivedOn: nil, at: now, &core)
        return lowest
    }
}
