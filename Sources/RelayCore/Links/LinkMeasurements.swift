import ReflectorModel

/// What is measured on a link that carries subscriptions.
public enum LinkMeasure: Int, CaseIterable, Sendable {
    /// By echoed timestamps.
    case roundTrip
    /// How much longer than at best the other end's timestamps were on their way (`DelayVariation`).
    case delayVariation
    /// How long live packets stayed in this node until they were sent on the link. Sampled at most each 10 ms, for as
    /// many packets as were sent since; of packets that are sent together, the oldest counts.
    case residence
}

/// Where the measurements of one link are kept. The shell's are HDR histograms; the core itself keeps none, since it
/// imports nothing that could.
public protocol LinkMeasurements: AnyObject {
    /// Must not allocate but the first time. A negative span counts as none.
    func record(_ measure: LinkMeasure, _ span: TimeSpan, count: Int, at now: MonotonicInstant)
    /// Nil if nothing of the kind was ever measured.
    func summary(of measure: LinkMeasure, at now: MonotonicInstant) -> DelaySummary?
}
