import DequeModule
import NIOCore
import ReflectorModel

/// The newest finished segments of one stream and the media playlist that lists them (RFC 8216 §4.3.3). Segments that
/// have left the playlist stay readable a while for late readers (RFC 8216 §6.2.2).
///
/// Guarantees to players and caches:
/// - A name always means the same bytes, at every edge (`SegmentName`).
/// - At one edge, media sequence numbers and discontinuity sequence numbers never go back, whatever restarts: the
///   encoder, the entrypoint, or, with a state folder, the edge itself. They begin with the number of the first
///   segment's slot, so edges that serve one undisturbed stream use the same numbers; after a slot without a random
///   access point, or a restart of the encoder, they may differ.
/// - A playlist first appears when it lists three target durations, because players may not start with less (RFC 8216
///   §6.3.3); from then on it never lists less, and the target duration does not change (§6.2.1).
struct SegmentWindow {
    /// A finished segment with its bytes, which are shared with the stream's buffer.
    struct Entry {
        var name: SegmentName
        /// Media sequence number.
        var sequence: Int64
        var durationTicks: Int64
        var isDiscontinuous: Bool
        var bytes: [ByteBuffer]
        var byteCount: Int
    }

    /// Sizes and lengths.
    struct Limits {
        /// Shortest `EXT-X-TARGETDURATION`.
        var targetSeconds: Int
        /// Minimum number of segments in the playlist.
        var listedMin: Int
        /// Minimum number of segments that can be read, including those in the playlist; more are kept if the playlist
        /// is long.
        var keptMin: Int
        /// Maximum number of bytes of all segments kept; the oldest segments are evicted first.
        var bytesMax: Int
    }

    /// Shortest total length of the segments in a playlist, in target durations.
    static let targetsListed = 3
    /// Maximum number of segments kept, however short they are.
    private static let keptMax = 256

    private let limits: Limits
    private var entries: Deque<Entry> = []
    /// How many of the newest segments are in the playlist.
    private var listedCount = 0
    private(set) var byteCount = 0
    /// State of the numbers; nil before the first segment of a new stream.
    private(set) var numbering: SegmentNumbering?
    private let sequenceMin: Int64
    private var longestSeconds: Int
    /// The target duration of an earlier playlist, which its players still use.
    private var heldSeconds: Int?
    /// The announced target duration.
    private(set) var announcedSeconds: Int?
    /// The next segment does not continue the previous one.
    private var isBroken = false
    /// When the newest segment was finished.
    private(set) var newest: ContinuousClock.Instant?

    /// - Parameters:
    ///   - numbering: the numbers when the stream was last here.
    ///   - sequenceMin: lowest media sequence number of a stream that was never here.
    init(limits: Limits, numbering: SegmentNumbering? = nil, sequenceMin: Int64 = 0) {
        self.limits = limits
        self.numbering = numbering
        self.sequenceMin = sequenceMin
        isBroken = numbering != nil
        heldSeconds = numbering?.targetSeconds
        longestSeconds = heldSeconds ?? limits.targetSeconds
    }

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }
    /// True if there is a playlist.
    var isReady: Bool { announcedSeconds != nil && !entries.isEmpty }
    /// `EXT-X-TARGETDURATION` as announced, or as it would be announced now.
    var targetDurationSeconds: Int { announcedSeconds ?? longestSeconds }
    /// The target duration that new segments must keep to; nil as long as it may still grow.
    var fixedSeconds: Int? { announcedSeconds ?? heldSeconds }
    /// Seconds of segments held, for messages.
    var seconds: Int { Int(entries.reduce(0) { $0 + $1.durationTicks } / TimestampUnwrapper.ticksPerSecond) }
    /// The numbers to keep across a restart, after which all segments held now will be gone.
    var lastingNumbering: SegmentNumbering? {
        numbering.map { numbering in
            var lasting = numbering
            lasting.discontinuities += Int64(entries.count { $0.isDiscontinuous })
            lasting.targetSeconds = announcedSeconds
            return lasting
        }
    }

    /// Appends a finished segment.
    /// - Parameter tables: the tables to put in front of the segment's bytes.
    mutating func append(
        _ segment: SegmentCutter.Segment, tables: ByteBuffer = ByteBuffer(), bytes: [ByteBuffer],
        at now: ContinuousClock.Instant = .now
    ) {
        let name = SegmentName(slot: segment.slot, bytes: bytes)
        let bytes = [tables] + bytes
        let numbering = numbering ?? SegmentNumbering(next: max(segment.slot, sequenceMin))
        let sequence = entries.last.map { $0.sequence + 1 } ?? numbering.first(slot: segment.slot)
        let isFirstEver = self.numbering == nil
        var entry = Entry(
            name: name, sequence: sequence, durationTicks: segment.durationTicks,
            isDiscontinuous: (segment.isDiscontinuous || isBroken) && !isFirstEver, bytes: bytes,
            byteCount: bytes.reduce(0) { $0 + $1.readableBytes })
        isBroken = false
        noteTarget(segment, &entry)
        self.numbering = SegmentNumbering(
            next: sequence + 1, lead: sequence &- segment.slot, discontinuities: numbering.discontinuities)
        byteCount += entry.byteCount
        entries.append(entry)
        listedCount += 1
        newest = now
        trimList()
        while entries.count > keptCount || (byteCount > limits.bytesMax && entries.count > 1) { removeFirst() }
    }

    /// The next segment does not continue the previous one.
    mutating func breakOff() { isBroken = numbering != nil }

    /// Removes all segments: nobody has watched the playlist for so long that they are useless. The numbers stay, and a
    /// new target duration may be announced.
    mutating func clear() {
        while !entries.isEmpty { removeFirst() }
        announcedSeconds = nil
        heldSeconds = nil
        longestSeconds = limits.targetSeconds
        breakOff()
    }

    /// Evicts the oldest segment that no playlist lists, or, with `isListed`, the oldest of all. False if there is
    /// none.
    mutating func evictFirst(isListed: Bool) -> Bool {
        guard !entries.isEmpty, isListed || entries.count > listedCount else { return false }
        removeFirst()
        return true
    }

    /// The segment of that name, if it is still held.
    func segment(_ name: SegmentName) -> Entry? { entries.last { $0.name == name } }

    /// The media playlist; nil until there are segments of three target durations.
    var playlist: String? {
        guard let announcedSeconds else { return nil }
        let listed = entries.suffix(listedCount)
        guard let first = listed.first else { return nil }
        let unlisted = entries.dropLast(listed.count).count { $0.isDiscontinuous }
        let gone = (numbering?.discontinuities ?? 0) + Int64(unlisted)
        var text = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:\(announcedSeconds)\n"
        text += "#EXT-X-MEDIA-SEQUENCE:\(first.sequence)\n"
        if gone > 0 { text += "#EXT-X-DISCONTINUITY-SEQUENCE:\(gone)\n" }
        for entry in listed {
            if entry.isDiscontinuous { text += "#EXT-X-DISCONTINUITY\n" }
            text += "#EXTINF:\(Self.decimal(entry.durationTicks)),\n\(entry.name.file)\n"
        }
        return text
    }

    // MARK: The target duration

    /// The segments of the first playlist decide the target duration: it is the duration of the longest segment
    /// possible with their distance between random access points. After that, the cutter makes no segments that are
    /// longer. If a stream has no access unit to cut at, a segment may be longer, but the playlist states the longest
    /// duration allowed.
    private mutating func noteTarget(_ segment: SegmentCutter.Segment, _ entry: inout Entry) {
        if let fixedSeconds {
            entry.durationTicks = min(entry.durationTicks, Self.longest(roundedTo: fixedSeconds))
        } else {
            longestSeconds = max(longestSeconds, Self.seconds(bound(of: segment)), Self.seconds(entry.durationTicks))
        }
    }

    /// The duration of the longest segment if random access points continue at the distance seen. A segment lasts from
    /// a slot's first random access point to the next slot's first: a whole number of groups, the fewest that fill a
    /// slot.
    private func bound(of segment: SegmentCutter.Segment) -> Int64 {
        guard segment.groupTicks > 0 else { return segment.durationTicks }
        let slot = Int64(limits.targetSeconds) * TimestampUnwrapper.ticksPerSecond - Self.toleranceTicks
        return (slot + segment.groupTicks - 1) / segment.groupTicks * segment.groupTicks
    }

    /// Encoders round their time stamps by up to 10 ms.
    private static let toleranceTicks = TimestampUnwrapper.ticksPerSecond / 100

    /// Rounded to the nearest second, as in the comparison of RFC 8216 §4.3.3.1.
    private static func seconds(_ ticks: Int64) -> Int {
        let second = TimestampUnwrapper.ticksPerSecond
        return Int((ticks + second / 2) / second)
    }

    /// Longest duration that is rounded to this many seconds, with a margin for players that round decimals.
    static func longest(roundedTo seconds: Int) -> Int64 {
        Int64(seconds) * TimestampUnwrapper.ticksPerSecond + TimestampUnwrapper.ticksPerSecond * 49 / 100
    }

    // MARK: Listed and kept segments

    /// Lists the newest segments: at least `listedMin`, and at least three target durations.
    private mutating func trimList() {
        let target = Int64(targetDurationSeconds) * Int64(Self.targetsListed) * TimestampUnwrapper.ticksPerSecond
        var ticks = entries.suffix(listedCount).reduce(0) { $0 + $1.durationTicks }
        if announcedSeconds == nil, ticks + Self.toleranceTicks >= target { announcedSeconds = longestSeconds }
        while listedCount > limits.listedMin, listedCount <= entries.count {
            let first = entries[entries.count - listedCount]
            guard ticks - first.durationTicks + Self.toleranceTicks >= target else { return }
            ticks -= first.durationTicks
            listedCount -= 1
        }
    }

    /// Segments that left the playlist stay readable for about one more length of the playlist.
    private var keptCount: Int { min(max(limits.keptMin, 2 * listedCount), Self.keptMax) }

    private mutating func removeFirst() {
        guard let gone = entries.popFirst() else { return }
        byteCount -= gone.byteCount
        listedCount = min(listedCount, entries.count)
        if gone.isDiscontinuous { numbering?.discontinuities += 1 }
    }

    /// Seconds with three decimals.
    private static func decimal(_ ticks: Int64) -> String {
        let milliseconds = max(ticks, 0) / 90
        let fraction = String(milliseconds % 1000)
        return "\(milliseconds / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)"
    }
}
