/// Which link packet numbers came, at the child's end: tells loss on this very link from what the parent never had.
struct LinkNumberWindow {
    /// Numbers remembered behind the highest.
    static let width: UInt32 = 4_096

    private var bits = [UInt64](repeating: 0, count: Int(width / 64))
    /// Highest number seen or announced; 0 before the first.
    private(set) var highest: UInt32 = 0
    /// Numbers that came, each once.
    private(set) var received: UInt32 = 0
    /// Largest distance behind the highest at which a number still came: how far this link reorders.
    private(set) var reorderExtent: UInt32 = 0

    /// Link numbers that should have come by now and have not.
    var missing: UInt32 { highest &- received }

    /// Notes a number. False if it had come before or is too old to tell.
    mutating func note(_ number: UInt32) -> Bool {
        let ahead = Int32(bitPattern: number &- highest)
        if ahead > 0 {
            advance(to: number)
        } else {
            let behind = UInt32(bitPattern: -ahead)
            guard behind < Self.width, !contains(number) else { return false }
            reorderExtent = max(behind, reorderExtent)
        }
        bits[Int((number / 64) % (Self.width / 64))] |= 1 << UInt64(number % 64)
        received &+= 1
        return true
    }

    /// The parent says that it has sent all numbers below `next`.
    mutating func expect(next: UInt32) {
        let last = next &- 1
        if Int32(bitPattern: last &- highest) > 0 { advance(to: last) }
    }

    /// True if any number strictly between the two has not come.
    func hasMissing(after low: UInt32, before high: UInt32) -> Bool {
        var number = low &+ 1
        if high &- low > Self.width { number = high &- Self.width }
        while Int32(bitPattern: high &- number) > 0 {
            if number != 0, !contains(number) { return true }
            number = number &+ 1
        }
        return false
    }

    /// Reordering is forgotten slowly, halving at each call.
    mutating func decayReordering() { reorderExtent /= 2 }

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
    }
}
