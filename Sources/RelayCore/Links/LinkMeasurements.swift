import ReflectorModel

/// What is measured on a link that carries subscriptions.
public enum LinkMeasure: Int, CaseIterable, Sendable {
    /// From echoed timestamps.
    case roundTrip
    /// How much longer than the minimum the other end's timestamps were in transit (`DelayVariation`).
    case delayVariation
    /// How long live packets stayed in this node until they were sent on the link. At most one sample per 10 ms,
    /// weighted by the packets sent since the last one; of packets that are sent together, the oldest counts.
    case residence
}

/// Where the measurements of one link are kept. The shell uses HDR histograms; the core has none, since it imports no
/// library for them.
public protocol LinkMeasurements: AnyObject {
    /// Must not allocate except on the first call. A negative span counts as zero.
    func record(_ measure: LinkMeasure, _ span: TimeSpan, count: Int, at now: MonotonicInstant)
    /// Nil if this was never measured.
    func summary(of measure: LinkMeasure, at now: MonotonicInstant) -> DelaySummary?
}
