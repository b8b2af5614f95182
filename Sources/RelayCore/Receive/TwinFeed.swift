import ReflectorModel
import RelayWire

/// A second feed of a hot stream: another entrypoint's incarnation, which carries the same payloads under other numbers.
/// It belongs to the path on which it arrives. It learns from equal payloads by how much its numbers are shifted against
/// those of the stream's own incarnation; once it is merged, its packets stand for packets of that incarnation.
///
/// ```
/// learning ──enough matches in a row, all with one shift──▶ merged
///     ▲                                                       │
///     └──── a number has different payloads in the two ───────┘
///     │
///     └─ no match although both flow, or too many mismatches ─▶ different: the path is dropped (`HotStream`)
/// ```
struct TwinFeed {
    enum State: Equatable {
        case learning
        case merged
    }

    let tag: IncarnationTag
    let key: SealKey
    private(set) var state = State.learning
    /// Number in the stream's own incarnation minus number in this feed.
    private(set) var shift: Int64 = 0
    /// Packets that this feed brought before the own incarnation did, or instead of it.
    private(set) var filled: UInt64 = 0
    /// Recent packets of this feed, by its own numbers.
    private let recent: PayloadRing
    /// Matches in a row with the same shift.
    private var matches = 0
    private var matchesNeeded = TwinFeed.matchesFirst
    private var mismatches = 0
    private var learningSince: MonotonicInstant
    /// Distinct payloads on either side since learning began.
    private var heardHere = 0
    private var heardThere = 0

    private static let matchesFirst = 16
    /// After each mismatch, twice as many matches are needed, up to this number.
    private static let matchesMax = 256
    /// With this many mismatches the feeds are different.
    private static let mismatchesMax = 4
    /// Mismatches before a time without any that is this long do not count any more: over hours, every feed has some.
    private static let forgivenAfter = TimeSpan.seconds(60)
    /// The feeds are different if they do not merge within this time, while both bring this many payloads.
    private static let patience = TimeSpan.seconds(5)
    private static let evidence = 64

    init(tag: IncarnationTag, key: SealKey, at now: MonotonicInstant) {
        self.tag = tag
        self.key = key
        recent = PayloadRing()
        learningSince = now
    }

    var isMerged: Bool { state == .merged }

    // MARK: Numbers

    /// The number in the stream's own incarnation for a number in this feed. Nil if it is out of range.
    func ownNumber(_ number: UInt64) -> UInt64? { Self.shifted(number, by: shift) }

    /// The number in this feed for a number in the stream's own incarnation. Nil if the feed has none.
    func feedNumber(_ number: UInt64) -> UInt64? { Self.shifted(number, by: -shift) }

    /// The own number of the feed's newest packet.
    var newest: UInt64? { ownNumber(recent.highest) }

    /// All three numbers are below 2⁶² in magnitude, or the sum of two such, so nothing overflows.
    private static func shifted(_ number: UInt64, by shift: Int64) -> UInt64? {
        guard number <= WireLimits.sequenceMax else { return nil }
        let result = Int64(number) + shift
        return result >= 1 && result <= Int64(WireLimits.sequenceMax) ? UInt64(result) : nil
    }

    // MARK: Learning

    /// A packet of this feed arrived. True if the feed is merged by it.
    ///
    /// - Parameters:
    ///   - own: recent packets of the stream's own incarnation.
    ///   - mark: how `own` marks the packets that came from this feed.
    mutating func note(_ number: UInt64, _ hash: UInt64, against own: PayloadRing, mark: UInt8) -> Bool {
        guard recent.note(number, hash, of: 0), state == .learning else { return false }
        let isDistinct = recent.isDistinct(number)
        // A payload that is always the same proves nothing, except after a mismatch.
        if isDistinct || mismatches > 0 { heardHere += 1 }
        guard isDistinct else { return false }
        guard let other = own.number(of: hash, notOf: mark) else { return false }
        return noteMatch(own: other, feed: number)
    }

    /// A packet of the stream's own incarnation arrived. True if the feed is merged by it.
    mutating func noteOwn(_ number: UInt64, _ hash: UInt64) -> Bool {
        guard state == .learning else { return false }
        heardThere += 1
        guard let other = recent.number(of: hash) else { return false }
        return noteMatch(own: number, feed: other)
    }

    private mutating func noteMatch(own: UInt64, feed: UInt64) -> Bool {
        guard own <= WireLimits.sequenceMax, feed <= WireLimits.sequenceMax else { return false }
        let found = Int64(own) - Int64(feed)
        matches = matches > 0 && found == shift ? matches + 1 : 1
        shift = found
        guard matches >= matchesNeeded else { return false }
        state = .merged
        return true
    }

    // MARK: Use

    mutating func noteFilled() { filled += 1 }

    /// A number has another payload in this feed than in the stream: the feed must learn again.
    mutating func noteMismatch(at now: MonotonicInstant) {
        if now - learningSince >= Self.forgivenAfter { (mismatches, matchesNeeded) = (0, Self.matchesFirst) }
        mismatches += 1
        matchesNeeded = min(matchesNeeded * 2, Self.matchesMax)
        learn(at: now)
    }

    /// The stream has another incarnation of its own now: what was learned is void.
    mutating func learn(at now: MonotonicInstant) {
        state = .learning
        (matches, heardHere, heardThere) = (0, 0, 0)
        learningSince = now
    }

    /// Whether the feeds are not the same, and waiting will not help.
    func isDifferent(at now: MonotonicInstant) -> Bool {
        guard state == .learning else { return false }
        if mismatches >= Self.mismatchesMax { return true }
        return now - learningSince >= Self.patience && min(heardHere, heardThere) >= Self.evidence
    }
}
