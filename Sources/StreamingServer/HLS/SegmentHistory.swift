import ReflectorModel

/// Remembers the segments and numbers of streams that have left the hub, so that a stream that returns continues where
/// it stopped: its newest segments for a while, its numbers as long as there is room.
struct SegmentHistory {
    private struct Past {
        var window: SegmentWindow
        /// When its playlist was last requested.
        var watched: ContinuousClock.Instant?
    }

    private struct Number {
        var numbering: SegmentNumbering
        /// Larger is newer.
        var order: UInt64
    }

    /// A player that has requested the playlist within this time still follows it.
    static let followedMax = Duration.seconds(60)
    /// Maximum number of streams whose segments are kept; the stream watched longest ago is evicted first.
    private static let pastMax = 1_024
    /// Maximum number of streams whose numbers are kept; the numbers stored longest ago are evicted first.
    private static let numbersMax = 16_384

    private let limits: SegmentWindow.Limits
    private var past: [StreamName: Past] = [:]
    private var numbers: [StreamName: Number] = [:]
    private var order: UInt64 = 0
    /// Lowest number of an unknown stream: above all evicted numbers.
    private var sequenceMin: Int64
    /// Streams whose segments or numbers were evicted to make room.
    private(set) var evicted: UInt64 = 0

    /// - Parameters:
    ///   - numbers: numbers kept across a restart.
    ///   - sequenceMin: lowest number of a stream that is not among them.
    init(limits: SegmentWindow.Limits, numbers: [StreamName: SegmentNumbering] = [:], sequenceMin: Int64) {
        self.limits = limits
        self.sequenceMin = sequenceMin
        for (name, numbering) in numbers { remember(numbering, of: name) }
    }

    /// Removes and returns the segments with which a stream continues, and when its playlist was last requested.
    mutating func take(
        _ name: StreamName, at now: ContinuousClock.Instant
    ) -> (window: SegmentWindow, watched: ContinuousClock.Instant?) {
        let numbering = numbers.removeValue(forKey: name)?.numbering
        guard var found = past.removeValue(forKey: name) else {
            return (SegmentWindow(limits: limits, numbering: numbering, sequenceMin: sequenceMin), nil)
        }
        found.window.breakOff()
        if !Self.isFollowed(found.watched, at: now) { found.window.clear() }
        return (found.window, found.watched)
    }

    /// Stores the segments and numbers of a stream that leaves.
    mutating func put(
        _ window: SegmentWindow, of name: StreamName, watched: ContinuousClock.Instant?, at now: ContinuousClock.Instant
    ) {
        if let numbering = window.lastingNumbering { remember(numbering, of: name) }
        guard !window.isEmpty, Self.isFollowed(watched, at: now) else { return }
        if past.count >= Self.pastMax { evictPast() }
        past[name] = Past(window: window, watched: watched)
    }

    /// The segments of an absent stream, for players that still follow its playlist.
    mutating func window(of name: StreamName, watchedAt now: ContinuousClock.Instant) -> SegmentWindow? {
        guard past[name] != nil else { return nil }
        past[name]?.watched = now
        return past[name]?.window
    }

    /// True if segments of an absent stream are kept.
    func holds(_ name: StreamName) -> Bool { past[name] != nil }

    /// Drops the segments of streams whose playlist has not been requested recently.
    mutating func sweep(at now: ContinuousClock.Instant) {
        for name in past.filter({ !Self.isFollowed($0.value.watched, at: now) }).keys { forget(name) }
    }

    /// Bytes of all segments kept.
    var byteCount: Int { past.values.reduce(0) { $0 + $1.window.byteCount } }

    /// True if there is nothing to sweep.
    var isIdle: Bool { past.isEmpty }

    /// Evicts the segments of the stream watched longest ago. False if there are none.
    @discardableResult
    mutating func evictPast() -> Bool {
        let oldest = past.min { first, second in
            guard let other = second.value.watched else { return false }
            return first.value.watched.map { $0 < other } ?? true
        }
        guard let name = oldest?.key else { return false }
        forget(name)
        evicted += 1
        return true
    }

    /// The numbers to keep across a restart, for streams that are not at the hub.
    var lasting: [StreamName: SegmentNumbering] { numbers.mapValues(\.numbering) }

    private mutating func forget(_ name: StreamName) {
        past[name] = nil
        numbers[name]?.numbering.targetSeconds = nil
    }

    private mutating func remember(_ numbering: SegmentNumbering, of name: StreamName) {
        if numbers[name] == nil, numbers.count >= Self.numbersMax {
            // Evict an eighth at a time, so that the sort is rare.
            for old in numbers.sorted(by: { $0.value.order < $1.value.order }).prefix(Self.numbersMax / 8) {
                sequenceMin = max(sequenceMin, old.value.numbering.next)
                numbers[old.key] = nil
                evicted += 1
            }
        }
        order += 1
        numbers[name] = Number(numbering: numbering, order: order)
    }

    private static func isFollowed(_ watched: ContinuousClock.Instant?, at now: ContinuousClock.Instant) -> Bool {
        watched.map { now - $0 <= followedMax } ?? false
    }
}
