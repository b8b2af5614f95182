import ReflectorModel

/// How much longer than at best something is on its way, from the other end's timestamps alone: local time − timestamp is
/// the one-way delay and the unknown difference of the two clocks; less the lowest recent one, which has the same
/// difference, what remains is time spent in queues (RFC 6817 §2.2 calls it queuing delay, its lowest the base delay).
///
/// The lowest is that of the half window under way and of the one before, 10 to 20 s: clocks that drift apart by 100 ppm
/// make an error of 2 ms at most, and a longer route is the new normal after 20 s.
struct DelayVariation {
    static let halfWindow = TimeSpan.seconds(10)
    /// More than this is no queue: the other end's clock was set, or it is another clock.
    static let most = TimeSpan.seconds(10)

    /// Lowest local time − timestamp, in microseconds, modulo 2⁶⁴; nil before the first.
    private var lowest: Int64?
    private var lowestBefore: Int64?
    private var halfBegan = MonotonicInstant.zero

    /// Takes a timestamp (`TimestampEcho.stamp`) that came now. Nil for none, and for the first after a step of the other
    /// clock.
    mutating func sample(_ timestamp: UInt64, at now: MonotonicInstant) -> TimeSpan? {
        guard timestamp != 0 else { return nil }
        let difference = Int64(bitPattern: TimestampEcho.stamp(now) &- timestamp)
        turn(at: now)
        let reference = min(lowest ?? difference, lowestBefore ?? difference)
        lowest = min(lowest ?? difference, difference)
        guard difference > reference else { return .zero }
        let (variation, isTooMuch) = difference.subtractingReportingOverflow(reference)
        guard !isTooMuch, variation <= Self.most.nanoseconds / 1_000 else {
            (lowest, lowestBefore, halfBegan) = (difference, nil, now)
            return nil
        }
        return .microseconds(variation)
    }

    private mutating func turn(at now: MonotonicInstant) {
        let age = now - halfBegan
        guard age >= Self.halfWindow else { return }
        lowestBefore = age < Self.halfWindow * 2 ? lowest : nil
        lowest = nil
        halfBegan = now
    }
}
