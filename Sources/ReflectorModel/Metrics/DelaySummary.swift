/// The summary of a delay that is measured on a link. The quantiles cover the newest whole minute or, if there is none,
/// the current minute so far. They are nil if nothing was measured for two minutes.
public struct DelaySummary: Codable, Sendable, Equatable {
    /// Number of measurements since the link was opened.
    public var count: UInt64
    /// Sum of all measurements.
    public var sumMilliseconds: Double
    public var p50Milliseconds: Double?
    public var p99Milliseconds: Double?
    public var maxMilliseconds: Double?

    public init(
        count: UInt64, sumMilliseconds: Double, p50Milliseconds: Double?, p99Milliseconds: Double?,
        maxMilliseconds: Double?
    ) {
        self.count = count
        self.sumMilliseconds = sumMilliseconds
        self.p50Milliseconds = p50Milliseconds
        self.p99Milliseconds = p99Milliseconds
        self.maxMilliseconds = maxMilliseconds
    }
}
