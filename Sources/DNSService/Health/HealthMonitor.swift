import DNSAnswers
import ReflectorModel

/// All targets of a prober, and its doubt of itself: if more than half of them die within 10 s, it is rather the prober
/// that is cut off. Then everybody stands as before those deaths, until more than half answer again.
///
/// Targets that have never answered are another matter: at a first start the network may begin after its name servers. As
/// long as they are more than half, they stand as unprobed, which is no error.
struct HealthMonitor: Sendable {
    /// Deaths within this span of each other count as one event.
    static let suspicionSpan = TimeSpan.seconds(10)
    /// Rounds that a target must have answered without a break to count towards the thaw.
    static let thawRounds = 2

    /// In the order given; what is walked.
    private(set) var targets: [ProbeTarget] = []
    private var healthOf: [ProbeTarget: TargetHealth] = [:]
    private(set) var isFrozen = false
    /// Most targets have not answered yet, since the start or since they were named.
    private(set) var isWaiting = false
    /// Freezes since the start.
    private(set) var freezes: UInt64 = 0
    /// Raised with every change of what `report` says.
    private(set) var revision: UInt64 = 0
    /// Targets that were silent when it froze.
    private var silentAtFreeze = 0

    subscript(_ target: ProbeTarget) -> TargetHealth? { healthOf[target] }

    /// Sets whom to judge. Who stays is known as before.
    mutating func replace(_ targets: [ProbeTarget], at now: MonotonicInstant) {
        let known = healthOf
        self.targets = targets
        healthOf = [:]
        for target in targets { healthOf[target] = known[target] ?? TargetHealth(at: now) }
        revision += 1
    }

    /// A round of probes of a target came to its end.
    mutating func round(_ target: ProbeTarget, isAnswered: Bool, at now: MonotonicInstant) {
        guard var health = healthOf[target] else { return }
        let before = health.health
        let isUnheard = isWaiting && !isAnswered && !health.hasLived
        health.round(isAnswered: isAnswered, isHeld: isFrozen || isUnheard, at: now)
        healthOf[target] = health
        if health.health != before { revision += 1 }
        if isWaiting, isAnswered { settle(at: now) }
        if isFrozen { thaw(at: now) } else if !isAnswered { freeze(at: now) }
    }

    mutating func noteLoss(_ target: ProbeTarget, _ change: (inout LossMonitor) -> Void) {
        guard var health = healthOf[target], !isFrozen else { return }
        let before = health.health
        change(&health.loss)
        healthOf[target] = health
        if health.health != before { revision += 1 }
    }

    /// Every target has been judged at least once.
    var isComplete: Bool { isFrozen || isWaiting || targets.allSatisfy { healthOf[$0]?.state != .unknown } }

    var report: ProberReport {
        var health: [ProbeTarget: ZoneContent.Health] = [:]
        for target in targets { health[target] = healthOf[target]?.health ?? .unprobed }
        return ProberReport(
            probing: isFrozen ? .frozen(silent: silentAtFreeze, targets: targets.count) : .on, health: health)
    }

    private mutating func freeze(at now: MonotonicInstant) {
        let fallen = targets.filter { target in
            guard let health = healthOf[target], health.state == .dead, health.unanswered > 0 else { return false }
            return now - health.since < Self.suspicionSpan
        }
        guard fallen.count * 2 > targets.count else { return }
        let unheard = fallen.filter { healthOf[$0]?.stateBefore == .unknown }
        guard unheard.count * 2 <= targets.count else {
            isWaiting = true
            revision += 1
            for target in unheard { healthOf[target]?.revive() }
            return
        }
        isFrozen = true
        freezes += 1
        revision += 1
        silentAtFreeze = targets.count { (healthOf[$0]?.unanswered ?? 0) > 0 }
        for target in fallen { healthOf[target]?.revive() }
    }

    /// Once more than half have answered, who has not is judged like any other in its next round.
    private mutating func settle(at now: MonotonicInstant) {
        guard targets.count(where: { healthOf[$0]?.hasLived ?? false }) * 2 > targets.count else { return }
        isWaiting = false
        revision += 1
        for target in targets where healthOf[target]?.hasLived == false { healthOf[target]?.release(at: now) }
    }

    private mutating func thaw(at now: MonotonicInstant) {
        let answering = targets.count { (healthOf[$0]?.answered ?? 0) >= Self.thawRounds }
        guard answering * 2 > targets.count else { return }
        isFrozen = false
        revision += 1
        for target in targets { healthOf[target]?.release(at: now) }
    }
}
