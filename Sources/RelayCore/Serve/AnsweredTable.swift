import ReflectorModel
import RelayWire

/// Which retransmits a child was sent of late, so that each of its tries is answered once, and none while an answer that
/// it cannot have seen yet is on its way. Made at the child's first NAK; a place is taken over by the newer number, which
/// at worst costs one retransmit too many.
struct AnsweredTable {
    private struct Entry {
        var key: UInt64 = 0
        var tryNumber: UInt8 = 0
        var sent = MonotonicInstant.zero
        /// The one before, for the last possible try, which may be answered beside one on its way.
        var sentBefore = MonotonicInstant.zero
    }

    /// Numbers remembered; a power of two.
    private static let count = 512
    /// What was sent before this long is forgotten: a child that begins to count its tries anew is answered.
    private static let span = TimeSpan.seconds(1)
    private var entries: [Entry] = []

    /// True if the number is to be sent now, which is noted.
    mutating func admits(
        _ sequence: UInt64, of subscription: UInt32, tryNumber: UInt8, isLast: Bool,
        roundTrip: TimeSpan,
        at now: MonotonicInstant
    ) -> Bool {
        if entries.isEmpty { entries = Array(repeating: Entry(), count: Self.count) }
        let (place, key) = Self.place(sequence, subscription)
        if entries[place].key == key, now - entries[place].sent < Self.span {
            guard tryNumber > entries[place].tryNumber else { return false }
            let blocking = isLast ? entries[place].sentBefore : entries[place].sent
            guard blocking == .zero || now - blocking >= roundTrip else { return false }
        } else {
            entries[place] = Entry(key: key)
        }
        entries[place].tryNumber = tryNumber
        entries[place].sentBefore = entries[place].sent
        entries[place].sent = now
        return true
    }

    /// The number goes to the child unasked, because it has just been repaired here: what the child asks meanwhile is
    /// answered by that.
    mutating func noteRepair(_ sequence: UInt64, of subscription: UInt32, at now: MonotonicInstant) {
        guard !entries.isEmpty else { return }
        let (place, key) = Self.place(sequence, subscription)
        entries[place] = Entry(key: key, tryNumber: 0, sent: now)
    }

    private static func place(_ sequence: UInt64, _ subscription: UInt32) -> (place: Int, key: UInt64) {
        // Consecutive numbers of one stream lie side by side and never in each other's way.
        let start = FixedHash.mix(UInt64(subscription))
        return (Int(truncatingIfNeeded: start &+ sequence) & (count - 1), start ^ sequence)
    }
}
