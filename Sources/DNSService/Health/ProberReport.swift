import DNSAnswers

/// What a prober publishes: the health of its targets, whether it is in panic mode, and who leads the streams.
struct ProberReport: Sendable, Equatable {
    var probing = ZoneContent.Probing.on
    var health: [ProbeTarget: ZoneContent.Health] = [:]
    var leads = LeadReport()
}
