import DNSAnswers
import ReflectorModel

/// The health of all targets of a prober, with a panic mode: if more than half of the targets die within 10 s, the
/// prober itself is probably cut off. All targets then keep their state from before those deaths until more than half
/// answer again.
///
/// Targets that have never answered are a different case: the network may start after its name servers. While more than
/// half of the targets have never answered, those count as unprobed instead of dead, and there is no panic mode.
struct HealthMonitor: Sendable {
    /// Deaths within this span of each other count as one event.
    static let suspicionSpan = TimeSpan.seconds(10)
    /// Number of consecutive answered rounds after which a target counts towards the end of panic mode.
    static let thawRounds = 2

    /// In the given order, for iteration.
    private(set) var targets: [ProbeTarget] = []
    private var healthOf: [ProbeTarget: TargetHealth] = [:]
    private(set) var isFrozen = false
    /// True while more than half of the targets have never answered. Set once that many seemed dead at the same time.
    private(set) var isWaiting = false
    /// Number of times panic mode has begun since the start.
    private(set) var freezes: UInt64 = 0
    /// Incremented on every change of `report`.
    private(set) var revision: UInt64 = 0
    /// Number of targets that were silent when panic mode began.
    private var silentAtFreeze = 0

    subscript(_ target: ProbeTarget) -> TargetHealth? { healthOf[target] }

    /// Sets the targets. Existing targets keep their state.
    mutating func replace(_ targets: [ProbeTarget], at now: MonotonicInstant) {
        let known = healthOf
        self.targets = targets
        healthOf = [:]
        for target in targets { healthOf[target] = known[target] ?? TargetHealth(at: now) }
        revision += 1
    }

    /// Takes the result of a finished round of probes of a target.
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

    /// True once every target has a first result, and also while `isFrozen` or `isWaiting`.
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

    /// Ends `isWaiting` once more than half of the targets have answered. The others are then evaluated normally in
    /// their next round.
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
