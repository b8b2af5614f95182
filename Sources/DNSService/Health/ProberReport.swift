import DNSAnswers

/// What a prober publishes: the health of its targets, and whether it is in panic mode.
struct ProberReport: Sendable, Equatable {
    var probing = ZoneContent.Probing.on
    var health: [ProbeTarget: ZoneContent.Health] = [:]
}
