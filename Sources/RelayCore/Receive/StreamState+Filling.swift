import ReflectorModel
import RelayWire

/// Whether the arriving packets of a stream are backlog, sent faster than real time.
extension StreamState {
    /// Whether the path's backlog is still arriving. An extra path added now would start at its parent's position,
    /// perhaps far ahead: the packets in between would seem missing, and the backlog would not bring them in time.
    func isCatchingUp(on path: StreamPath, at now: MonotonicInstant) -> Bool {
        guard now - path.since < Self.catchUpPatience else { return false }
        return path.tag == nil || incarnation.map { $0.index.highest < path.backlogEnd } ?? true
    }

    /// Whether backlog is arriving now; if so, notes the time. Such packets must not be forwarded like live packets:
    /// they are sent as backlog, within the capacity.
    func isFilling(at now: MonotonicInstant) -> Bool {
        let isFilling = bringsPast(at: now)
        if isFilling { arrivals.noteFilling(at: now) }
        return isFilling
    }

    /// Whether the measured rate of arrivals is the stream's own: no recent packet was backlog.
    func isRateKnown(at now: MonotonicInstant) -> Bool {
        arrivals.rate.isMeasured && !bringsPast(at: now)
            && arrivals.filledAt.map { now - $0 > ArrivalRate.window * 2 } ?? true
    }

    /// Bits per second of one copy on the wire. Nil if unknown: recent packets may have arrived faster than the
    /// stream's rate.
    func bitRate(at now: MonotonicInstant) -> Double? {
        guard arrivals.packetsIn > 0, !isFilling(at: now), isRateKnown(at: now) else { return nil }
        let overhead = Double(WireLimits.dataOverhead + EgressBudget.networkOverhead)
        return arrivals.rate.perSecond(at: now) * 8 * (Double(arrivals.bytesIn) / Double(arrivals.packetsIn) + overhead)
    }

    private func bringsPast(at now: MonotonicInstant) -> Bool {
        paths.all.contains { $0.tag != nil && $0.state != .leaving && isCatchingUp(on: $0, at: now) }
    }

    /// A backlog that takes longer has stalled.
    private static var catchUpPatience: TimeSpan { .seconds(10) }
}
