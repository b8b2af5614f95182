import DNSAnswers
import ReflectorModel

/// The health of one target: results of probe rounds go in, one state comes out.
///
/// ```
/// unknown ─ a round answered ──▶ alive ─ a round unanswered (two misses) ─▶ dead
///    └───── a round unanswered ───────────────────────────────────────────▶ dead
/// dead ─ answered without a break for `returnSpan`, which every further recent death doubles ─▶ alive
/// ```
struct TargetHealth: Sendable, Equatable {
    /// How long a dead target must answer without interruption before it counts as alive.
    static let returnSpan = TimeSpan.seconds(10)
    static let returnSpanMax = TimeSpan.seconds(300)
    /// The same time for a target that has never been alive: it is new and not known to be unstable.
    static let firstSpan = TimeSpan.seconds(3)
    /// One death is forgotten after this much time alive.
    static let deathForgottenAfter = TimeSpan.seconds(600)
    private static let deathsMax = 6

    enum State: Sendable, Equatable { case unknown, alive, dead }

    private(set) var state = State.unknown
    /// When the target was added, last died (even if that death was undone) or came alive, or when a death was last
    /// forgotten: the latest of these.
    private(set) var since: MonotonicInstant
    /// State before the last death.
    private(set) var stateBefore = State.unknown
    /// Start of the current run of answered rounds; nil if the last round was unanswered.
    private(set) var answeringSince: MonotonicInstant?
    /// Number of consecutive answered, or unanswered, rounds.
    private(set) var answered = 0
    private(set) var unanswered = 0
    /// True if it has been alive at least once.
    private(set) var hasLived = false
    private var deaths = 0
    var loss = LossMonitor()

    init(at now: MonotonicInstant) { since = now }

    /// Takes the result of a finished round of probes.
    /// - Parameter isHeld: if true, the round is only counted and the state does not change.
    mutating func round(isAnswered: Bool, isHeld: Bool, at now: MonotonicInstant) {
        if isAnswered {
            answered += 1
            unanswered = 0
            if answeringSince == nil { answeringSince = now }
        } else {
            unanswered += 1
            answered = 0
            answeringSince = nil
        }
        if !isHeld { judge(at: now) }
    }

    /// Updates the state from the rounds.
    mutating func judge(at now: MonotonicInstant) {
        forgetDeaths(at: now)
        switch state {
        case .unknown:
            if unanswered > 0 { die(at: now) } else if answered > 0 { live(at: now) }
        case .alive:
            if unanswered > 0 { die(at: now) }
        case .dead:
            guard let answeringSince, now - answeringSince >= returnSpan else { return }
            live(at: now)
        }
    }

    /// Ends the hold. A target that has answered is evaluated at once, others in their next round.
    mutating func release(at now: MonotonicInstant) {
        unanswered = 0
        judge(at: now)
    }

    /// Undoes the last death: the prober was cut off, or the target has not started yet.
    mutating func revive() {
        guard state == .dead else { return }
        state = stateBefore
        deaths = max(deaths - 1, 0)
    }

    /// How long the target must answer to count as alive again.
    var returnSpan: TimeSpan {
        guard hasLived else { return Self.firstSpan }
        return min(Self.returnSpan * Int64(1 << max(deaths - 1, 0)), Self.returnSpanMax)
    }

    var health: ZoneContent.Health {
        switch state {
        case .unknown: .unprobed
        case .alive: loss.share < LossMonitor.shareMax ? .lossy(share: loss.share) : .alive
        case .dead: .dead
        }
    }

    private mutating func die(at now: MonotonicInstant) {
        stateBefore = state
        (state, since) = (.dead, now)
        if hasLived { deaths = min(deaths + 1, Self.deathsMax) }
    }

    private mutating func live(at now: MonotonicInstant) {
        (state, since) = (.alive, now)
        hasLived = true
    }

    private mutating func forgetDeaths(at now: MonotonicInstant) {
        guard state == .alive, deaths > 0, now - since >= Self.deathForgottenAfter else { return }
        deaths -= 1
        since = now
    }
}
