import ReflectorModel

/// Collects violations of the invariants. It stops nothing: a run shows all violations, the first one first.
final class InvariantChecker {
    /// An invariant that did not hold.
    struct Violation {
        var at: MonotonicInstant
        var text: String
    }

    /// The first few.
    private(set) var violations: [Violation] = []
    private(set) var violationCount = 0
    private static let textsMax = 12

    func violate(_ text: @autoclosure () -> String, at now: MonotonicInstant) {
        violationCount += 1
        if violations.count < Self.textsMax { violations.append(Violation(at: now, text: text())) }
    }
}
