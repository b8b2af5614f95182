import ReflectorModel

/// What is remembered of the segments of streams that are not at the hub now, so that a stream that comes back goes on
/// where it was: its newest segments for a while, its numbers for as long as there is room.
struct SegmentHistory {
    private struct Past {
        var window: SegmentWindow
        /// When its playlist was last asked for.
        var watched: ContinuousClock.Instant?
    }

    private struct Number {
        var numbering: SegmentNumbering
        /// The larger, the newer.
        var order: UInt64
    }

    /// A player that has asked within this time still follows the playlist.
    static let followedMax = Duration.seconds(60)
    /// Streams whose segments are kept; the one that was watched longest ago goes first.
    private static let pastMax = 1_024
    /// Streams whose numbers are kept; the oldest go first.
    private static let numbersMax = 16_384

    private let limits: SegmentWindow.Limits
    private var past: [StreamName: Past] = [:]
    private var numbers: [StreamName: Number] = [:]
    private var order: UInt64 = 0
    /// Least number of a stream that is not known: beyond those that were forgotten.
    private var sequenceMin: Int64
    /// Streams whose segments or numbers were given up for others.
    private(set) var evicted: UInt64 = 0

    /// - Parameters:
    ///   - numbers: as they were kept over a restart.
    ///   - sequenceMin: least number of a stream that is not among them.
    init(limits: SegmentWindow.Limits, numbers: [StreamName: SegmentNumbering] = [:], sequenceMin: Int64) {
        self.limits = limits
        self.sequenceMin = sequenceMin
        for (name, numbering) in numbers { remember(numbering, of: name) }
    }

    /// The segments with which a stream goes on, and when its playlist was last asked for; they are the caller's from now
    /// on.
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

    /// Keeps what a stream had when it went.
    mutating func put(
        _ window: SegmentWindow, of name: StreamName, watched: ContinuousClock.Instant?, at now: ContinuousClock.Instant
    ) {
        if let numbering = window.lastingNumbering { remember(numbering, of: name) }
        guard !window.isEmpty, Self.isFollowed(watched, at: now) else { return }
        if past.count >= Self.pastMax { evictPast() }
        past[name] = Past(window: window, watched: watched)
    }

    /// The segments of a stream that is away, for players that still follow its playlist.
    mutating func window(of name: StreamName, watchedAt now: ContinuousClock.Instant) -> SegmentWindow? {
        guard past[name] != nil else { return nil }
        past[name]?.watched = now
        return past[name]?.window
    }

    /// True if segments of a stream that is away are kept.
    func holds(_ name: StreamName) -> Bool { past[name] != nil }

    /// Lets segments go that nobody has asked for lately.
    mutating func sweep(at now: ContinuousClock.Instant) {
        for name in past.filter({ !Self.isFollowed($0.value.watched, at: now) }).keys { forget(name) }
    }

    /// Bytes of all segments kept.
    var byteCount: Int { past.values.reduce(0) { $0 + $1.window.byteCount } }

    /// True when nothing needs a sweep.
    var isIdle: Bool { past.isEmpty }

    /// Gives up the segments of the stream that was watched longest ago. False if there are none.
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

    /// The numbers to keep over a restart, of streams that are not at the hub.
    var lasting: [StreamName: SegmentNumbering] { numbers.mapValues(\.numbering) }

    private mutating func forget(_ name: StreamName) {
        past[name] = nil
        numbers[name]?.numbering.targetSeconds = nil
    }

    private mutating func remember(_ numbering: SegmentNumbering, of name: StreamName) {
        if numbers[name] == nil, numbers.count >= Self.numbersMax {
            // An eighth at a time, so that the search is seldom.
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
