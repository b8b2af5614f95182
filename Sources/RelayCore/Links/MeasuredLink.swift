import ReflectorModel

/// Either end of a link, as far as its delays go: round trips by echoed timestamps, and the variation of the delay on the
/// way here.
protocol MeasuredLink: AnyObject {
    var echo: TimestampEcho { get set }
    var roundTrip: RoundTrip { get set }
    var delayVariation: DelayVariation { get set }
    /// Nil while there is nothing to measure for, or nothing that keeps it.
    var measurements: (any LinkMeasurements)? { get set }
}

extension ParentLink: MeasuredLink {}
extension ChildLink: MeasuredLink {}

extension MeasuredLink {
    /// Takes the timestamps of a control message.
    func noteTimes(
        _ timestamp: UInt64, echoed: UInt64, echoDelayMicroseconds: UInt32, at now: MonotonicInstant
    ) {
        echo.note(timestamp, at: now)
        if let variation = delayVariation.sample(timestamp, at: now) {
            measurements?.record(.delayVariation, variation, count: 1, at: now)
        }
        if let sample = TimestampEcho.roundTrip(
            echoed, delayMicroseconds: echoDelayMicroseconds, at: now)
        {
            roundTrip.sample(sample)
            measurements?.record(.roundTrip, sample, count: 1, at: now)
        }
    }
}
