/// Which sequence numbers were sealed with a key, so that none is sealed twice: two payloads under one number would
/// reveal each other and the key that authenticates them. 8 KB, for a window that is as wide as `SequenceIndex` allows.
struct SealedNumbers {
    private static let span = SequenceIndex.windowMax
    private var words = [UInt64](repeating: 0, count: Int(span / 64))
    private var highest: UInt64 = 0

    /// True if the number may be sealed. From then on it counts as sealed. A number below the window may have been
    /// sealed, so it is refused.
    mutating func admit(_ number: UInt64) -> Bool {
        if number > highest {
            advance(to: number)
        } else if highest - number >= Self.span {
            return false
        }
        let (word, bit) = Self.place(number)
        guard words[word] & bit == 0 else { return false }
        words[word] |= bit
        return true
    }

    private mutating func advance(to number: UInt64) {
        if number - highest >= Self.span {
            for word in words.indices { words[word] = 0 }
        } else {
            for skipped in highest + 1...number {
                let (word, bit) = Self.place(skipped)
                words[word] &= ~bit
            }
        }
        highest = number
    }

    private static func place(_ number: UInt64) -> (word: Int, bit: UInt64) {
        let place = number & (span - 1)
        return (Int(place >> 6), 1 << (place & 63))
    }
}
