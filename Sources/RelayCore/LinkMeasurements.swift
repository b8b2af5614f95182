import ReflectorModel

/// What is measured on a link that carries subscriptions.
public enum LinkMeasure: Int, CaseIterable, Sendable {
    /// By echoed timestamps.
    case roundTrip
    /// How much longer than at best the other end's timestamps were on their way (`DelayVariation`).
    case delayVariation
    /// How long live packets stayed in this node until they were sent on the link. One sample a run of packets: the
    /// oldest one's, for as many as the run has.
    case residence
}

/// Where the measurements of one link are kept. The shell's are HDR histograms; the core itself keeps none, since it
/// imports nothing that could.
public protocol LinkMeasurements: AnyObject {
    /// Called for each run of packets, so it must not allocate but the first time. A negative span counts as none.
    func record(_ measure: LinkMeasure, _ span: TimeSpan, count: Int, at now: MonotonicInstant)
    /// Nil if nothing of the kind was ever measured.
    func summary(of measure: LinkMeasure, at now: MonotonicInstant) -> DelaySummary?
}
