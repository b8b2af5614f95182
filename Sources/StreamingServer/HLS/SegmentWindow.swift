import DequeModule
import NIOCore

/// The newest finished segments of one stream and the media playlist that lists them (RFC 8216 §4.3.3). Segments that
/// have left the playlist stay readable a while for late readers (RFC 8216 §6.2.2).
struct SegmentWindow {
    /// A finished segment with its bytes, which are shared with the stream's buffer.
    struct Entry {
        var slot: Int64
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
    private var nextSequence: Int64?
    private var byteCount = 0
    private var discontinuitiesGone = 0
    private var longestSeconds: Int

    /// - Parameters:
    ///   - targetSeconds: shortest `EXT-X-TARGETDURATION` told.
    ///   - listedMax: segments in the playlist.
    ///   - keptMax: segments readable, those in the playlist included.
    ///   - bytesMax: bytes of all segments kept; the oldest go first.
    init(targetSeconds: Int, listedMax: Int, keptMax: Int, bytesMax: Int) {
        self.targetSeconds = targetSeconds
        self.listedMax = max(listedMax, 1)
        self.keptMax = max(keptMax, listedMax)
        self.bytesMax = bytesMax
        longestSeconds = targetSeconds
    }

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }
    /// `EXT-X-TARGETDURATION`: never less than the longest segment, and never less than it was.
    var targetDurationSeconds: Int { longestSeconds }

    /// Appends a finished segment; `bytes` begin with the tables.
    mutating func append(_ segment: SegmentCutter.Segment, bytes: [ByteBuffer]) {
        // A slot may come again when the encoder starts over: the name then stands for the newer one.
        while entries.contains(where: { $0.slot == segment.slot }) { removeFirst() }
        let entry = Entry(
            slot: segment.slot, sequence: nextSequence ?? segment.slot, durationTicks: segment.durationTicks,
            isDiscontinuous: segment.isDiscontinuous && nextSequence != nil, bytes: bytes,
            byteCount: bytes.reduce(0) { $0 + $1.readableBytes })
        nextSequence = entry.sequence + 1
        byteCount += entry.byteCount
        let ticks = TimestampUnwrapper.ticksPerSecond
        longestSeconds = max(longestSeconds, Int((entry.durationTicks + ticks / 2) / ticks))
        entries.append(entry)
        while entries.count > keptMax || (byteCount > bytesMax && entries.count > 1) { removeFirst() }
    }

    /// The segment of a slot, if it is still held.
    func segment(slot: Int64) -> Entry? { entries.last { $0.slot == slot } }

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
            text += "#EXTINF:\(Self.seconds(entry.durationTicks)),\nseg\(entry.slot).ts\n"
        }
        return text
    }

    private mutating func removeFirst() {
        guard let gone = entries.popFirst() else { return }
        byteCount -= gone.byteCount
        if gone.isDiscontinuous { discontinuitiesGone += 1 }
    }

    /// Seconds with three decimals.
    private static func seconds(_ ticks: Int64) -> String {
        let milliseconds = max(ticks, 0) / 90
        let fraction = String(milliseconds % 1000)
        return "\(milliseconds / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)"
    }
}
