import DequeModule
import NIOCore
import ReflectorModel

/// The newest finished segments of one stream and the media playlist that lists them (RFC 8216 §4.3.3). Segments that
/// have left the playlist stay readable a while for late readers (RFC 8216 §6.2.2).
///
/// What players and caches may rely on, and what not:
/// - A name stands for the same bytes for ever, at every edge: it is made of slot and content. An encoder that starts
///   over, or another source that repeats a little, gives other names for the same slots.
/// - At one edge, media sequence numbers go on by ones whatever happens to the stream, also while it is away. They begin with the number of the
///   first segment's slot, so edges that serve one undisturbed stream number alike; after a slot without a random access
///   point, or an encoder that started over, they may not. A player should stay at its edge while that lives.
/// - An edge that was started again begins with the slot's number once more. That is never less than before while the
///   encoder's time stamps go on; if they have begun anew meanwhile, players must load the playlist afresh.
struct SegmentWindow {
    /// What the URL of a segment says: its slot, and a mark of its content.
    struct Name: Hashable {
        var slot: Int64
        var mark: UInt32

        init(slot: Int64, mark: UInt32) {
            self.slot = slot
            self.mark = mark
        }

        /// - Parameter bytes: of the segment, without the tables.
        init(slot: Int64, bytes: [ByteBuffer]) {
            var hash = UInt64(bytes.reduce(0) { $0 + $1.readableBytes })
            var left = Self.markedBytesMax
            for buffer in bytes where left > 0 {
                for byte in buffer.readableBytesView.prefix(left) { hash = (hash ^ UInt64(byte)) &* Self.prime }
                left -= buffer.readableBytes
            }
            self.init(slot: slot, mark: UInt32(truncatingIfNeeded: FixedHash.mix(hash)))
        }

        /// The length and the first packets of the picture at the front tell contents apart.
        private static let markedBytesMax = 4 * TransportPacket.length
        /// Of FNV-1a.
        private static let prime: UInt64 = 0x0000_0100_0000_01b3

        /// `seg123-0f3a9c55.ts`.
        var file: String {
            let digits = String(mark, radix: 16)
            return "seg\(slot)-\(String(repeating: "0", count: 8 - digits.count))\(digits).ts"
        }

        /// Nil for anything but what `file` gives.
        init?(file: some StringProtocol) {
            guard file.hasPrefix("seg"), file.hasSuffix(".ts") else { return nil }
            let parts = file.dropFirst(3).dropLast(3).split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 2, let slot = Int64(parts[0]), let mark = UInt32(parts[1], radix: 16) else {
                return nil
            }
            self.init(slot: slot, mark: mark)
            guard self.file == file else { return nil }
        }
    }

    /// A finished segment with its bytes, which are shared with the stream's buffer.
    struct Entry {
        var name: Name
        /// Media sequence number. The first is the slot's number, and so the same at every edge; it goes on by ones,
        /// as RFC 8216 §4.3.2 demands, even where a slot had no random access point.
        var sequence: Int64
        var durationTicks: Int64
        var isDiscontinuous: Bool
        var bytes: [ByteBuffer]
        var byteCount: Int
    }

    private let targetSeconds: Int
    private let listedMax: Int
    private let keptMax: Int
    private let bytesMax: Int
    private var entries: Deque<Entry> = []
    private let sequenceMin: Int64
    /// Media sequence number after the newest; nil before the first segment.
    private(set) var nextSequence: Int64?
    private var byteCount = 0
    private var discontinuitiesGone = 0
    private var longestSeconds: Int

    /// - Parameters:
    ///   - targetSeconds: shortest `EXT-X-TARGETDURATION` told.
    ///   - listedMax: segments in the playlist.
    ///   - keptMax: segments readable, those in the playlist included.
    ///   - bytesMax: bytes of all segments kept; the oldest go first.
    ///   - sequenceMin: least media sequence number.
    init(targetSeconds: Int, listedMax: Int, keptMax: Int, bytesMax: Int, sequenceMin: Int64 = 0) {
        self.sequenceMin = sequenceMin
        self.targetSeconds = targetSeconds
        self.listedMax = max(listedMax, 1)
        self.keptMax = max(keptMax, listedMax)
        self.bytesMax = bytesMax
        longestSeconds = targetSeconds
    }

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }
    /// `EXT-X-TARGETDURATION`, which must not change (RFC 8216 §6.2.1): so the first segment decides it, for as long as
    /// segments can become at its distance of random access points. If one is longer after all, it must be raised.
    var targetDurationSeconds: Int { longestSeconds }

    /// Appends a finished segment.
    /// - Parameter tables: go in front of its bytes.
    mutating func append(_ segment: SegmentCutter.Segment, tables: ByteBuffer = ByteBuffer(), bytes: [ByteBuffer]) {
        let name = Name(slot: segment.slot, bytes: bytes)
        let bytes = [tables] + bytes
        if nextSequence == nil { longestSeconds = max(longestSeconds, Self.seconds(bound(of: segment))) }
        let entry = Entry(
            name: name, sequence: nextSequence ?? max(segment.slot, sequenceMin), durationTicks: segment.durationTicks,
            isDiscontinuous: segment.isDiscontinuous && nextSequence != nil, bytes: bytes,
            byteCount: bytes.reduce(0) { $0 + $1.readableBytes })
        nextSequence = entry.sequence + 1
        byteCount += entry.byteCount
        longestSeconds = max(longestSeconds, Self.seconds(entry.durationTicks))
        entries.append(entry)
        while entries.count > keptMax || (byteCount > bytesMax && entries.count > 1) { removeFirst() }
    }

    /// The segment of that name, if it is still held.
    func segment(_ name: Name) -> Entry? { entries.last { $0.name == name } }

    /// How long segments become if random access points go on at the distance seen: a slot's first to the next slot's
    /// first, which is a whole number of groups, and the fewest that are a slot.
    private func bound(of segment: SegmentCutter.Segment) -> Int64 {
        guard segment.groupTicks > 0 else { return segment.durationTicks }
        let slot = Int64(targetSeconds) * TimestampUnwrapper.ticksPerSecond - Self.toleranceTicks
        return (slot + segment.groupTicks - 1) / segment.groupTicks * segment.groupTicks
    }

    /// Encoders round their time stamps: 10 ms.
    private static let toleranceTicks = TimestampUnwrapper.ticksPerSecond / 100

    /// To the nearest second, as RFC 8216 §4.3.3.1 compares.
    private static func seconds(_ ticks: Int64) -> Int {
        let second = TimestampUnwrapper.ticksPerSecond
        return Int((ticks + second / 2) / second)
    }

    /// The media playlist, nil before the first segment.
    var playlist: String? {
        let listed = entries.suffix(listedMax)
        guard let first = listed.first else { return nil }
        let gone = discontinuitiesGone + entries.dropLast(listed.count).count { $0.isDiscontinuous }
        var text = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:\(targetDurationSeconds)\n"
        text += "#EXT-X-MEDIA-SEQUENCE:\(first.sequence)\n"
        if gone > 0 { text += "#EXT-X-DISCONTINUITY-SEQUENCE:\(gone)\n" }
        for entry in listed {
            if entry.isDiscontinuous { text += "#EXT-X-DISCONTINUITY\n" }
            text += "#EXTINF:\(Self.decimal(entry.durationTicks)),\n\(entry.name.file)\n"
        }
        return text
    }

    private mutating func removeFirst() {
        guard let gone = entries.popFirst() else { return }
        byteCount -= gone.byteCount
        if gone.isDiscontinuous { discontinuitiesGone += 1 }
    }

    /// Seconds with three decimals.
    private static func decimal(_ ticks: Int64) -> String {
        let milliseconds = max(ticks, 0) / 90
        let fraction = String(milliseconds % 1000)
        return "\(milliseconds / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)"
    }
}
