import ReflectorModel
import RelayWire

/// Which retransmits a child gets of those that it asks for: each of its tries once, and no more in all than its bucket
/// holds, a quarter of the live rate of its streams (design §8).
struct NakResponder {
    enum Verdict: Equatable {
        case serve
        /// This try was answered already, or an answer that the child cannot have seen yet is on its way.
        case repeated
        case overBucket
    }

    /// The bucket's content in packets, scaled by 1024.
    private var tokens: Int64 = 0
    private var refilledAt: MonotonicInstant
    /// Packets a second of all streams of the link, and when they were last added up.
    private var liveRate = 0.0
    private var ratedAt: MonotonicInstant?
    private var duplicates = DuplicateNakFilter()

    private static let ratingInterval: TimeSpan = .milliseconds(100)
    /// Packets a second that a bucket fills by at least.
    private static let rateMin = 100.0
    /// A bucket starts with this many seconds of its rate: what a short outage of a whole link costs.
    private static let startSeconds = 2.0

    init(now: MonotonicInstant) { refilledAt = now }

    /// True if the streams' rates must be added up again: ten times a second at most, since a link may have thousands.
    func needsRate(at now: MonotonicInstant) -> Bool {
        guard let ratedAt else { return true }
        return now - ratedAt >= Self.ratingInterval
    }

    mutating func note(liveRate: Double, at now: MonotonicInstant) {
        self.liveRate = liveRate
        ratedAt = now
    }

    /// Fills the bucket for the time since it was last called.
    ///
    /// - Parameter isFirst: no retransmit was ever sent on the link.
    mutating func refill(isFirst: Bool, at now: MonotonicInstant) {
        let rate = max(liveRate / 4, Self.rateMin)
        let elapsed = tokens == 0 && isFirst ? Self.startSeconds : (now - refilledAt).seconds
        refilledAt = now
        tokens = min(tokens + Int64(rate * elapsed * 1_024), Int64(max(rate * 8, 512)) << 10)
    }

    /// Decides about one number of a NAK. `.serve` has taken its token.
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

    /// The number goes to the child because it was repaired here: a NAK for it that is on its way is answered by that.
    mutating func noteRepair(_ sequence: UInt64, of subscription: UInt32, at now: MonotonicInstant) {
        duplicates.noteRepair(sequence, of: subscription, at: now)
    }
}
