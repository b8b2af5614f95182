import DNSAnswers

/// What a prober publishes: how its targets stand, or that it doubts itself.
struct ProberReport: Sendable, Equatable {
    var probing = ZoneContent.Probing.on
    var health: [ProbeTarget: ZoneContent.Health] = [:]
}
