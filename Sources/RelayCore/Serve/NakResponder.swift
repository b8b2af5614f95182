import ReflectorModel
import RelayWire

/// Decides which retransmits a child gets: at most one for each try, and in all no more than a token bucket allows. The
/// bucket fills at a quarter of the live rate of the child's streams (design §8).
struct NakResponder {
    enum Verdict: Equatable {
        case serve
        /// This try was answered already, or an answer that the child cannot have seen yet is in transit.
        case repeated
        case overBucket
    }

    /// The bucket's content in packets, scaled by 1024.
    private var tokens: Int64 = 0
    private var refilledAt: MonotonicInstant
    /// Packets a second of all streams of the link, and when that was last counted.
    private var liveRate = 0.0
    private var ratedAt: MonotonicInstant?
    private var duplicates = DuplicateNakFilter()

    private static let ratingInterval: TimeSpan = .milliseconds(100)
    /// The bucket fills by at least this many packets a second.
    private static let rateMin = 100.0
    /// The bucket starts with this many seconds of its rate, enough for a short outage of a whole link.
    private static let startSeconds = 2.0

    init(now: MonotonicInstant) { refilledAt = now }

    /// True if the rates of the streams must be added up again. A link may have thousands of streams, so this is done
    /// at most ten times a second.
    func needsRate(at now: MonotonicInstant) -> Bool {
        guard let ratedAt else { return true }
        return now - ratedAt >= Self.ratingInterval
    }

    mutating func note(liveRate: Double, at now: MonotonicInstant) {
        self.liveRate = liveRate
        ratedAt = now
    }

    /// Fills the bucket for the time since the last call.
    ///
    /// - Parameter isFirst: whether no retransmit has been sent on the link yet.
    mutating func refill(isFirst: Bool, at now: MonotonicInstant) {
        let rate = max(liveRate / 4, Self.rateMin)
        let elapsed = tokens == 0 && isFirst ? Self.startSeconds : (now - refilledAt).seconds
        refilledAt = now
        tokens = min(tokens + Int64(rate * elapsed * 1_024), Int64(max(rate * 8, 512)) << 10)
    }

    /// Decides about one number of a NAK. If the verdict is `.serve`, its token has been taken.
    mutating func admit(
        _ sequence: UInt64, of nak: Nak, roundTrip: TimeSpan, at now: MonotonicInstant
    ) -> Verdict {
        let isNew = duplicates.admits(
            sequence, of: nak.subscription, tryNumber: nak.tryNumber, isLast: nak.isLast,
            roundTrip: roundTrip, at: now)
        guard isNew else { return .repeated }
        guard tokens >= 1_024 else { return .overBucket }
        tokens -= 1_024
        return .serve
    }

    /// Records that a packet goes to the child without a NAK, because it was repaired here. If the child's NAK is in
    /// transit, it needs no other answer.
    mutating func noteRepair(_ sequence: UInt64, of subscription: UInt32, at now: MonotonicInstant) {
        duplicates.noteRepair(sequence, of: subscription, at: now)
    }
}
