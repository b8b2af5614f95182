import NodeIdentity
import ReflectorModel

extension CertificateContent {
    /// `valid for 61 more days`, `expired 3 hours ago`, `not valid for another 20 minutes`.
    /// - Parameter now: in seconds since 1970.
    public func validityText(at now: UInt64) -> String {
        if now < notBefore { return "not valid for another \(TimeText.about(notBefore - now))" }
        if now < notAfter { return "valid for \(TimeText.about(notAfter - now, more: true))" }
        return "expired \(TimeText.about(now - notAfter)) ago"
    }
}

/// Lengths of time for people.
public enum TimeText {
    /// `61 days`, `1 hour`, `20 minutes`: whole units, rounded down, of the largest that fits twice.
    /// - Parameter more: `61 more days`.
    public static func about(_ seconds: UInt64, more: Bool = false) -> String {
        let units: [(name: String, seconds: UInt64)] = [("day", 86_400), ("hour", 3_600), ("minute", 60)]
        let unit = units.first { seconds >= 2 * $0.seconds } ?? ("second", 1)
        let count = seconds / unit.seconds
        return "\(count) \(more ? "more " : "")\(unit.name)\(count == 1 ? "" : "s")"
    }
}
