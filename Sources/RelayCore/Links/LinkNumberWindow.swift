/// Which link packet numbers have arrived, as recorded at the child's end. This distinguishes packets lost on this link
/// from packets that the parent never had.
struct LinkNumberWindow {
    /// How many numbers below the highest are remembered.
    static let width: UInt32 = 4_096

    private var bits = [UInt64](repeating: 0, count: Int(width / 64))
    /// Highest number received or announced; 0 before the first.
    private(set) var highest: UInt32 = 0
    /// How many numbers were sent, as far as is known: `highest`, but beyond 2³² too.
    private(set) var sent: UInt64 = 0
    /// How many distinct numbers arrived, modulo 2³².
    private(set) var received: UInt32 = 0
    /// The highest number that has not arrived; 0 if none is missing. Most queries can be answered with it alone.
    private var newestMissing: UInt32 = 0

    init() {}

    /// A window whose first number is about to be noted: no earlier one is missing.
    init(before number: UInt32) { (highest, received) = (number &- 1, number &- 1) }

    /// Whether the number is too far from the newest one to be recorded.
    func isFar(_ number: UInt32) -> Bool { Int32(bitPattern: number &- highest).magnitude >= Self.width }

    /// How many link numbers should have arrived by now but have not.
    var missing: UInt32 { highest &- received }

    /// How many distinct numbers arrived.
    var arrived: UInt64 { sent - min(UInt64(missing), sent) }
    /// The share of the numbers sent that are missing.
    var lossPercent: Double { sent == 0 ? 0 : 100 * Double(missing) / Double(sent) }

    /// Notes a number. Returns how far below the highest it was: 0 if it is a new highest, or if it is so far from the
    /// highest that it is not recorded. Nil for a duplicate.
    ///
    /// Link numbers are not authenticated, because they differ from child to child while the sealed packet is the same.
    /// So anyone who overhears a packet can resend it with another number. Therefore a packet moves the window by less
    /// than the window's width; only the parent's heartbeat moves it further (`expect`).
    mutating func note(_ number: UInt32) -> UInt32? {
        let ahead = Int32(bitPattern: number &- highest)
        guard ahead.magnitude < Self.width else { return 0 }
        var behind: UInt32 = 0
        if ahead > 0 {
            if ahead > 1 { newestMissing = number &- 1 }
            advance(to: number)
        } else {
            behind = ahead.magnitude
            // Numbers before the first one were never sent.
            guard UInt64(behind) < sent else { return 0 }
            guard !contains(number) else { return nil }
        }
        bits[Int((number / 64) % (Self.width / 64))] |= 1 << UInt64(number % 64)
        received &+= 1
        if number == newestMissing { newestMissing = missing(below: number) }
        return behind
    }

    /// The parent says that it has sent all numbers below `next`, and no others.
    mutating func expect(next: UInt32) {
        let last = next &- 1
        let ahead = Int32(bitPattern: last &- highest)
        if ahead > 0 {
            advance(to: last)
            newestMissing = last
        } else if ahead.magnitude >= Self.width {
            // Reordering cannot explain this: somebody has forged numbers that were never sent.
            for index in bits.indices { bits[index] = 0 }
            sent -= min(UInt64(ahead.magnitude), sent)
            (highest, received, newestMissing) = (last, last, 0)
        }
    }

    /// True if any number strictly between the two has not arrived.
    func hasMissing(after low: UInt32, before high: UInt32) -> Bool {
        guard newestMissing != 0, Int32(bitPattern: newestMissing &- low) > 0 else { return false }
        if Int32(bitPattern: high &- newestMissing) > 0 { return true }
        var number = low &+ 1
        if high &- low > Self.width { number = high &- Self.width }
        while Int32(bitPattern: high &- number) > 0 {
            if number != 0, !contains(number) { return true }
            number = number &+ 1
        }
        return false
    }

    /// The highest number below `number` that has not arrived; 0 if none of those remembered is missing.
    private func missing(below number: UInt32) -> UInt32 {
        var candidate = number &- 1
        while highest &- candidate < min(Self.width, UInt32(clamping: sent)) {
            if !contains(candidate) { return candidate }
            candidate = candidate &- 1
        }
        return 0
    }

    private func contains(_ number: UInt32) -> Bool {
        bits[Int((number / 64) % (Self.width / 64))] & (1 << UInt64(number % 64)) != 0
    }

    private mutating func advance(to number: UInt32) {
        let distance = number &- highest
        if distance >= Self.width {
            for index in bits.indices { bits[index] = 0 }
        } else {
            var cleared = highest &+ 1
            while cleared != number &+ 1 {
                bits[Int((cleared / 64) % (Self.width / 64))] &= ~(1 << UInt64(cleared % 64))
                cleared = cleared &+ 1
            }
        }
        highest = number
        sent += UInt64(distance)
    }
}
