import ReflectorModel

/// What became of the leads that set reflectors have reported.
struct LeadCounters: Sendable, Equatable {
    /// Reported leads refused since the start: of an unknown stream, of an entrypoint that is not its candidate, or from a
    /// set reflector that does not witness it.
    var refused: UInt64 = 0
    /// Reported leads dropped since the start because their witness named too many streams.
    var dropped: UInt64 = 0
    /// Streams that the merged leads have no room for.
    var leftOut = 0

    /// The same as metrics.
    var samples: [MetricSample] {
        [
            MetricSample(
                name: "reflector_leads_refused_total", value: Double(refused), kind: .counter,
                help: "Leads reported by set reflectors that the zone does not allow: stream, candidate or witness."),
            MetricSample(
                name: "reflector_leads_dropped_total", value: Double(dropped), kind: .counter,
                help: "Leads reported by set reflectors that named too many streams."),
            MetricSample(
                name: "reflector_leads_left_out", value: Double(leftOut), kind: .gauge,
                help: "Streams whose lead answers ignore because there are too many."),
        ]
    }
}
