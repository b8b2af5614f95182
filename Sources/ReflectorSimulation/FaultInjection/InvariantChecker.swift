import ReflectorModel

/// Counts the violations of the invariants and keeps the texts of the first ones. The run continues after a violation,
/// so that it shows later ones too.
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
