import ReflectorModel
import RelayWire

/// Whether what arrives of a stream is its past, faster than it happened.
extension StreamState {
    /// Whether the path's backlog is still on its way. An extra path would begin where its parent does, perhaps far ahead:
    /// what lies between would seem to be missing, and the backlog would not bring it in time.
    func isCatchingUp(on path: StreamPath, at now: MonotonicInstant) -> Bool {
        guard now - path.since < Self.catchUpPatience else { return false }
        return path.tag == nil || incarnation.map { $0.index.highest < path.backlogEnd } ?? true
    }

    /// Whether the past arrives now. It must not go on like live packets: it goes out as backlogs do, as far as there is
    /// capacity.
    func isFilling(at now: MonotonicInstant) -> Bool {
        let isFilling = bringsPast(at: now)
        if isFilling { arrivals.noteFilling(at: now) }
        return isFilling
    }

    /// Whether the rate of arrivals is the stream's own: no recent packet was of the past.
    func isRateKnown(at now: MonotonicInstant) -> Bool {
        arrivals.rate.isMeasured && !bringsPast(at: now)
            && arrivals.filledAt.map { now - $0 > ArrivalRate.window * 2 } ?? true
    }

    /// Bits a second of a copy on the wire. Nil if not known: recent packets may have come faster than the stream's rate.
    func bitRate(at now: MonotonicInstant) -> Double? {
        guard arrivals.packetsIn > 0, !isFilling(at: now), isRateKnown(at: now) else { return nil }
        let overhead = Double(WireLimits.dataOverhead + EgressBudget.networkOverhead)
        return arrivals.rate.perSecond(at: now) * 8 * (Double(arrivals.bytesIn) / Double(arrivals.packetsIn) + overhead)
    }

    private func bringsPast(at now: MonotonicInstant) -> Bool {
        paths.all.contains { $0.tag != nil && $0.state != .leaving && isCatchingUp(on: $0, at: now) }
    }

    /// A backlog that takes longer has stopped.
    private static var catchUpPatience: TimeSpan { .seconds(10) }
}
