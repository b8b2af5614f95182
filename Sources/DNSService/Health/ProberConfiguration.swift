import ReflectorModel

/// Times and limits of a prober.
struct ProberConfiguration: Sendable {
    /// Time between two rounds of a target, ± `jitterPercent`.
    var interval: TimeSpan = .milliseconds(800)
    /// Jitter in percent of the interval.
    var jitterPercent: Int64 = 10
    /// How long a try waits for its report.
    var timeout: TimeSpan = .milliseconds(500)
    /// Delay of the second try after the first.
    var patience: TimeSpan = .milliseconds(250)
    /// Resend interval of a step.
    var resend: TimeSpan = .milliseconds(125)
    /// A target that refused us is not asked again for this long: each handshake costs both ends signatures.
    var refusalPause: TimeSpan = .seconds(5)
    /// Maximum number of targets; further targets stay unprobed.
    var targetsMax = 4_096
    init() {}
}

/// What a prober has done since the start.
struct ProberCounters: Sendable {
    var sent: UInt64 = 0
    var answered: UInt64 = 0
    var missed: UInt64 = 0
    /// Datagrams that answer no try: malformed, not authentic, late, or from another source.
    var rejected: UInt64 = 0
    var lateWakeups: UInt64 = 0
    var targetsLeftOut: UInt64 = 0
    var linksOpened: UInt64 = 0
    /// Handshakes in which the target refused us.
    var refused: UInt64 = 0
    /// Handshakes in which we refused the target.
    var distrusted: UInt64 = 0
}
