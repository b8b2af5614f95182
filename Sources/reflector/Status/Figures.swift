import Foundation
import ReflectorModel

/// Formats numbers for people.
enum Figures {
    /// `12.34`, with the given number of digits after the point.
    static func decimal(_ value: Double, digits: Int) -> String { String(format: "%.\(digits)f", value) }

    /// `0.21 ms`; empty if nothing was measured.
    static func milliseconds(_ value: Double?) -> String { value.map { decimal($0, digits: 2) + " ms" } ?? "" }

    /// `0.05/0.31 ms`: the median and the 99th percentile; empty if nothing was measured.
    static func spread(_ delay: DelaySummary?) -> String { spread(delay?.p50Milliseconds, delay?.p99Milliseconds) }
    static func spread(_ delays: DelayBuckets?) -> String {
        spread(delays?.quantileMilliseconds(0.5), delays?.quantileMilliseconds(0.99))
    }

    private static func spread(_ p50: Double?, _ p99: Double?) -> String {
        guard let p50, let p99 else { return "" }
        return "\(decimal(p50, digits: 2))/\(decimal(p99, digits: 2)) ms"
    }

    /// `1 child`, `2 children`.
    static func count(_ number: some BinaryInteger, _ one: String, _ many: String) -> String {
        "\(number) \(number == 1 ? one : many)"
    }

    /// `0.00 %`.
    static func percent(_ value: Double) -> String { decimal(value, digits: 2) + " %" }

    /// `14.2 MB`.
    static func megabytes(_ bytes: UInt64) -> String { decimal(Double(bytes) / 1e6, digits: 1) + " MB" }
}
