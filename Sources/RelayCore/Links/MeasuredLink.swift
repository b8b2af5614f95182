import ReflectorModel

/// Either end of a link, as far as delay measurements need it: round trips from echoed timestamps, and the variation of
/// the incoming delay.
protocol MeasuredLink: AnyObject {
    var echo: TimestampEcho { get set }
    var roundTrip: RoundTrip { get set }
    var delayVariation: DelayVariation { get set }
    /// Nil while there is nothing to measure, or no storage for it.
    var measurements: (any LinkMeasurements)? { get set }
}

extension ParentLink: MeasuredLink {}
extension ChildLink: MeasuredLink {}

extension MeasuredLink {
    /// Processes a timestamp that the peer has returned at once.
    func noteEcho(_ timestamp: UInt64, at now: MonotonicInstant) {
        if let sample = TimestampEcho.roundTrip(timestamp, delayMicroseconds: 0, at: now) { roundTrip.sample(sample) }
    }

    /// Processes the timestamps of a control message.
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
