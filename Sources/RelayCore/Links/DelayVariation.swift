import ReflectorModel

/// How much longer than the minimum a message was in transit, measured from the other end's timestamps alone. Local
/// time − timestamp is the one-way delay plus the unknown offset between the two clocks. The lowest recent value
/// contains the same offset; the difference from it is queuing delay (RFC 6817 §2.2, which calls the lowest value the
/// base delay).
///
/// The lowest value covers the current half window and the one before, 10 to 20 s: clocks that drift apart by 100 ppm
/// cause an error of 2 ms at most, and a longer route becomes the new base delay after 20 s.
struct DelayVariation {
    static let halfWindow = TimeSpan.seconds(10)
    /// A larger value is not queuing delay: the other end's clock was set, or the timestamps come from another clock.
    static let most = TimeSpan.seconds(10)

    /// Lowest local time − timestamp, in microseconds, modulo 2⁶⁴; nil before the first.
    private var lowest: Int64?
    private var lowestBefore: Int64?
    private var halfBegan = MonotonicInstant.zero

    /// Takes a timestamp (`TimestampEcho.stamp`) that has arrived now, and returns its variation. Nil if there is no
    /// timestamp, and for the first one after the other clock was set back by more than `most`.
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
