import ReflectorModel
import RelayWire

/// One stream's feed on the LAN, at the member from which the others fetch the stream: every packet goes to the stream's
/// group once, and so does every retransmit that any of them asks for.
final class LanOutlet: EgressLine {
    let place: LanFeed.Place
    /// Number of our own address from which the feed is sent, which the members know.
    let local: UInt8
    var queues = ChildQueues()
    private var repairs = DuplicateNakFilter(isEager: true)
    private var sentAt = MonotonicInstant.zero

    init(_ place: LanFeed.Place, local: UInt8) {
        self.place = place
        self.local = local
    }

    var endpoint: Endpoint { place.group }
    var token: UInt64 { place.token }

    func noteSent(at now: MonotonicInstant) { sentAt = now }
    func noteResidence(_ span: TimeSpan, count: Int, at now: MonotonicInstant) {}

    /// Whether a retransmit that a member asks for is still to be sent: others may have asked for it just now.
    func admits(_ sequence: UInt64, of nak: Nak, at now: MonotonicInstant) -> Bool {
        repairs.admits(
            sequence, of: 0, tryNumber: nak.tryNumber, isLast: false, roundTrip: Self.roundTrip, at: now)
    }

    /// A packet goes out because it was repaired here.
    func noteRepair(_ sequence: UInt64, at now: MonotonicInstant) { repairs.noteRepair(sequence, of: 0, at: now) }

    /// Whether packets go out so often that each member sees from them what it lacks.
    func isFlowing(at now: MonotonicInstant) -> Bool { now - sentAt < .milliseconds(50) }

    /// The requests of all members for one packet come within this time.
    private static let roundTrip = TimeSpan.milliseconds(8)
}
