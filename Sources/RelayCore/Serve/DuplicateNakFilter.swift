import ReflectorModel
import RelayWire

/// Which retransmits were sent to a child in the last second. Each try of the child is answered at most once. While an
/// answer is in transit that the child cannot have seen yet, only a last try is answered. The table is allocated at the
/// child's first NAK. Two numbers may share a place: the newer one overwrites the other, which at worst costs one extra
/// retransmit.
struct DuplicateNakFilter {
    private struct Entry {
        var key: UInt64 = 0
        var tryNumber: UInt8 = 0
        var sent = MonotonicInstant.zero
        /// When it was sent the time before that. A last try is compared with this time, so one answer in transit does
        /// not block it.
        var sentBefore = MonotonicInstant.zero
    }

    /// Number of entries; a power of two.
    private static let count = 512
    /// A send is forgotten after this time. Otherwise a child that counts its tries from 1 again would get no answer.
    private static let span = TimeSpan.seconds(1)
    private var entries: [Entry] = []

    /// - Parameter isEager: whether repairs are recorded before the first NAK, too.
    init(isEager: Bool = false) { if isEager { entries = Array(repeating: Entry(), count: Self.count) } }

    /// True if the packet with this number should be sent now. If so, records that it is sent.
    mutating func admits(
        _ sequence: UInt64, of subscription: UInt32, tryNumber: UInt8, isLast: Bool, roundTrip: TimeSpan,
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

    /// Records that a packet goes to the child without a NAK, because it was repaired here. If the child's NAK is in
    /// transit, it needs no other answer.
    mutating func noteRepair(_ sequence: UInt64, of subscription: UInt32, at now: MonotonicInstant) {
        guard !entries.isEmpty else { return }
        let (place, key) = Self.place(sequence, subscription)
        entries[place] = Entry(key: key, tryNumber: 0, sent: now)
    }

    private static func place(_ sequence: UInt64, _ subscription: UInt32) -> (place: Int, key: UInt64) {
        // Consecutive numbers of one stream have adjacent places, and never the same one.
        let start = FixedHash.mix(UInt64(subscription))
        return (Int(truncatingIfNeeded: start &+ sequence) & (count - 1), start ^ sequence)
    }
}
