import ReflectorModel
import RelayWire

/// Either end of a link, as far as its delays go.
protocol MeasuredLink: AnyObject {
    var echo: TimestampEcho { get set }
    var roundTrip: RoundTrip { get set }
    var delayVariation: DelayVariation { get set }
    /// Nil while there is nothing to measure for, or nobody who keeps it.
    var measurements: (any LinkMeasurements)? { get set }
}

extension ParentLink: MeasuredLink {}
extension ChildLink: MeasuredLink {}

/// What a node measures of its links and of itself, without any clock but its own: round trips by echoed timestamps, the
/// variation of the delay on the way here, and how long packets stay.
extension RelayNode {
    // MARK: Links

    /// Called when a link gets a subscription: only those are measured, as far as `measuredLinksMax` goes.
    func measure(_ link: any MeasuredLink) {
        guard let makeMeasurements, link.measurements == nil else { return }
        guard linksMeasured < configuration.measuredLinksMax else { return counters.add(.droppedMeasurementsFull) }
        linksMeasured += 1
        link.measurements = makeMeasurements()
    }

    /// The link is about to go.
    func stopMeasuring(_ link: any MeasuredLink) {
        guard link.measurements != nil else { return }
        linksMeasured -= 1
        link.measurements = nil
    }

    /// Takes the timestamps of a control message.
    func noteTimes(
        _ timestamp: UInt64, echoed: UInt64, echoDelayMicroseconds: UInt32, on link: some MeasuredLink,
        at now: MonotonicInstant
    ) {
        link.echo.note(timestamp, at: now)
        if let variation = link.delayVariation.sample(timestamp, at: now) {
            link.measurements?.record(.delayVariation, variation, count: 1, at: now)
        }
        if let sample = TimestampEcho.roundTrip(echoed, delayMicroseconds: echoDelayMicroseconds, at: now) {
            link.roundTrip.sample(sample)
            link.measurements?.record(.roundTrip, sample, count: 1, at: now)
        }
    }

    // MARK: Residence

    /// A link's residence is sampled this often: a histogram costs as much as all else that we do for a packet and child.
    /// Each sample stands for all packets since the one before. A packet that stays as long as this is always one.
    private static var sampleInterval: TimeSpan { .milliseconds(10) }

    /// Live packets were sent on the link, the oldest of which arrived then.
    @inline(__always) func noteSent(
        _ count: Int, arrived: MonotonicInstant, on link: ChildLink, at now: MonotonicInstant
    ) {
        link.unsampled += count
        guard now - link.sampledAt >= Self.sampleInterval, arrived > link.caughtUp else { return }
        link.measurements?.record(.residence, now - arrived, count: link.unsampled, at: now)
        link.unsampled = 0
        link.sampledAt = now
    }

    /// A packet that arrived now waits for the next flush; all children get it then.
    func noteWaiting(_ stream: StreamState, at now: MonotonicInstant) {
        if stream.waiting == 0 {
            stream.waitingSince = now
            waitingStreams.append(stream.slot)
        }
        stream.waiting += 1
    }

    /// Everything that waited has been sent.
    func noteFlushed(at now: MonotonicInstant) {
        for slot in waitingStreams {
            guard let stream = streams[slot], stream.waiting > 0 else { continue }
            let span = now - stream.waitingSince
            stream.residence.note(span, count: stream.waiting)
            residence.note(span, count: stream.waiting)
            stream.waiting = 0
        }
        waitingStreams.removeAll(keepingCapacity: true)
    }

    /// An edge hands a packet out.
    func noteHandedOut(arrived: MonotonicInstant, of stream: StreamState, at now: MonotonicInstant) {
        stream.residence.note(now - arrived)
        residence.note(now - arrived)
    }
}
