/// The summary of a delay that is measured on a link. The quantiles are those of the last whole minute, or of what
/// there is so far in the first; nil if nothing was measured for two minutes.
public struct DelaySummary: Codable, Sendable, Equatable {
    /// Measurements since the link was opened.
    public var count: UInt64
    /// Of all of them.
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
