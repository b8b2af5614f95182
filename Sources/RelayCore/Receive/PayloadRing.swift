/// The numbers of a feed's recent packets and the hashes of their payloads, by number and by hash. Bounded, and without
/// any allocation after its creation: 84 KB.
///
/// A payload that occurs twice in the ring, such as one of null packets, says nothing about numbers: it is not found by
/// its hash. Neither are a few others, because the index by hash keeps only the newest of those that share a place.
final class PayloadRing {
    /// Number of packets kept.
    static let span: UInt64 = 4_096
    private static let places = 8_192

    private struct Entry {
        /// 0 if there is none.
        var number: UInt64 = 0
        var hash: UInt64 = 0
        /// Which feed the payload came from, as the owner chose it.
        var feed: UInt8 = 0
        /// The ring has, or had, another packet with the same payload.
        var isRepeated = false
    }

    private var entries = [Entry](repeating: Entry(), count: Int(span))
    /// For each place of the index, the place in the ring of the newest packet with such a hash.
    private var index = [UInt16](repeating: 0, count: places)
    /// The highest number noted; 0 if there is none.
    private(set) var highest: UInt64 = 0

    /// Notes a packet. A packet that the ring has already, or that is older than what the ring holds, is ignored, unless
    /// it `replaces` the packet of the same number. True if it was noted.
    @discardableResult
    func note(_ number: UInt64, _ hash: UInt64, of feed: UInt8, replaces: Bool = false) -> Bool {
        let slot = Self.slot(number)
        let held = entries[slot].number
        guard number > held || replaces && number == held else { return false }
        let place = Self.place(hash)
        let other = Int(index[place])
        let isRepeated = other != slot && entries[other].hash == hash && isRecent(entries[other].number)
        if isRepeated { entries[other].isRepeated = true }
        entries[slot] = Entry(number: number, hash: hash, feed: feed, isRepeated: isRepeated)
        index[place] = UInt16(truncatingIfNeeded: slot)
        highest = max(highest, number)
        return true
    }

    /// The hash of a packet and the feed that it came from; nil if the ring does not have it.
    func packet(_ number: UInt64) -> (hash: UInt64, feed: UInt8)? {
        let entry = entries[Self.slot(number)]
        return number != 0 && entry.number == number ? (entry.hash, entry.feed) : nil
    }

    /// The number of the one packet with this payload; nil if there is none, if there are several, or if it came from
    /// the feed `excluded`.
    func number(of hash: UInt64, notOf excluded: UInt8? = nil) -> UInt64? {
        let entry = entries[Int(index[Self.place(hash)])]
        guard entry.hash == hash, !entry.isRepeated, isRecent(entry.number), entry.feed != excluded else { return nil }
        return entry.number
    }

    /// True if the payload of this packet occurs only once in the ring.
    func isDistinct(_ number: UInt64) -> Bool {
        let entry = entries[Self.slot(number)]
        return entry.number == number && !entry.isRepeated
    }

    /// The feed has ended; another one may get its mark later.
    func rename(_ feed: UInt8, to other: UInt8) {
        for slot in entries.indices where entries[slot].feed == feed { entries[slot].feed = other }
    }

    private func isRecent(_ number: UInt64) -> Bool { number != 0 && highest &- number < Self.span }

    private static func slot(_ number: UInt64) -> Int { Int(truncatingIfNeeded: number & (span - 1)) }
    private static func place(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (places - 1) }
}
