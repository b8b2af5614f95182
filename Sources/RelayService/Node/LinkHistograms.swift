import Histogram
import ReflectorModel
import RelayCore

/// The measurements of one link as HDR histograms, one for each measure: 1 µs to 10 s at two significant digits. Each
/// uses 9 kB from its first sample on.
public final class LinkHistograms: LinkMeasurements {
    private var histograms = [MinuteHistogram?](repeating: nil, count: LinkMeasure.allCases.count)

    public init() {}

    public func record(_ measure: LinkMeasure, _ span: TimeSpan, count: Int, at now: MonotonicInstant) {
        if histograms[measure.rawValue] == nil { histograms[measure.rawValue] = MinuteHistogram(since: now) }
        histograms[measure.rawValue]?.record(span, count: count, at: now)
    }

    public func summary(of measure: LinkMeasure, at now: MonotonicInstant) -> DelaySummary? {
        histograms[measure.rawValue]?.summary(at: now)
    }
}

/// A histogram that starts again each minute and keeps the quantiles of the minute before: it shows recent values, and
/// no count can overflow.
struct MinuteHistogram {
    static let span = TimeSpan.seconds(60)
    /// Longer spans are counted as this value.
    static let most = TimeSpan.seconds(10)

    private struct Quantiles {
        var p50: Double
        var p99: Double
        var max: Double
    }

    /// In microseconds.
    private var values = Histogram<UInt32>(
        highestTrackableValue: UInt64(Self.most.nanoseconds / 1_000), numberOfSignificantValueDigits: .two)
    private var since: MonotonicInstant
    private var minuteBefore: Quantiles?
    private var count: UInt64 = 0
    private var sumMicroseconds: UInt64 = 0

    init(since now: MonotonicInstant) { since = now }

    mutating func record(_ span: TimeSpan, count: Int, at now: MonotonicInstant) {
        guard count > 0 else { return }
        if now - since >= Self.span { turn(at: now) }
        let microseconds = UInt64((min(max(span, .zero), Self.most).nanoseconds + 500) / 1_000)
        values.record(microseconds, count: UInt32(clamping: count))
        self.count &+= UInt64(count)
        sumMicroseconds &+= microseconds &* UInt64(count)
    }

    private mutating func turn(at now: MonotonicInstant) {
        minuteBefore = now - since < Self.span * 2 ? quantiles : nil
        values.reset()
        since = now
    }

    func summary(at now: MonotonicInstant) -> DelaySummary {
        let age = now - since
        // Only a sample starts a new minute. If none has come since the current minute ended, the current histogram
        // holds a complete minute.
        let recent = age < Self.span ? minuteBefore ?? quantiles : age < Self.span * 2 ? quantiles : nil
        return DelaySummary(
            count: count, sumMilliseconds: Double(sumMicroseconds) / 1_000, p50Milliseconds: recent?.p50,
            p99Milliseconds: recent?.p99, maxMilliseconds: recent?.max)
    }

    private var quantiles: Quantiles? {
        guard values.totalCount > 0 else { return nil }
        func milliseconds(_ microseconds: UInt64) -> Double { Double(microseconds) / 1_000 }
        return Quantiles(
            p50: milliseconds(values.valueAtPercentile(50)), p99: milliseconds(values.valueAtPercentile(99)),
            max: milliseconds(values.maxRecorded))
    }
}
