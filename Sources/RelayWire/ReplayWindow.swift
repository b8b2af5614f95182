/// Which counters of one direction of a link have been seen (RFC 4303 §3.4.3): the highest and the 63 below it. Check a
/// counter only after the MAC has been verified; otherwise a forger could move the window past genuine messages.
public struct ReplayWindow: Hashable, Sendable {
    private var highest: UInt64 = 0
    /// Bit n: `highest` − n was seen.
    private var seen: UInt64 = 0

    public init() {}

    /// True once for each counter; false for a repeated one, for one 64 or more below the highest, and for 0.
    public mutating func accept(_ counter: UInt64) -> Bool {
        guard counter > 0 else { return false }
        if counter > highest {
            let step = counter - highest
            seen = step < 64 ? seen << step | 1 : 1
            highest = counter
            return true
        }
        let age = highest - counter
        guard age < 64, seen & (1 << age) == 0 else { return false }
        seen |= 1 << age
        return true
    }
}
