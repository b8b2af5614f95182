import ReflectorModel

/// Collects violations of the invariants. It does not stop the run, so that a run shows all violations in order.
final class InvariantChecker {
    /// An invariant that did not hold.
    struct Violation {
        var at: MonotonicInstant
        var text: String
    }

    /// The first violations, at most `textsMax`.
    private(set) var violations: [Violation] = []
    private(set) var violationCount = 0
    private static let textsMax = 12

    func violate(_ text: @autoclosure () -> String, at now: MonotonicInstant) {
        violationCount += 1
        if violations.count < Self.textsMax { violations.append(Violation(at: now, text: text())) }
    }
}
