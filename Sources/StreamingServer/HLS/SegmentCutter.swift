/// Decides where HLS segments begin and end (RFC 8216 §3), using only the access units of the leading stream. So all
/// edges that receive the same bytes cut at the same bytes and give segments the same names.
///
/// Time is divided into slots of the target duration, counted in unwrapped time stamps. A segment begins at the first
/// random access point of a slot, has the slot's number, and ends where the next begins. An edge that joins in the
/// middle of a slot cannot know which random access point is the slot's first, so it begins no segment there. It begins
/// one in the next slot only if it has received the stream for at least one second before that slot.
///
/// Where random access points are missing or too far apart, a segment is cut at another access unit: otherwise it would
/// become longer than the announced target duration, or too large to store.
struct SegmentCutter {
    /// A finished segment: bytes `range` of the stream.
    struct Segment: Equatable {
        /// Number of its slot; names the segment.
        var slot: Int64
        var range: Range<UInt64>
        /// 90 kHz.
        var durationTicks: Int64
        /// Longest time between two successive random access points of the segment, including the one that ends it,
        /// 90 kHz; 0 if not known.
        var groupTicks: Int64 = 0
        /// The segment does not continue the previous one in time or content.
        var isDiscontinuous: Bool
        /// The segment does not begin with a random access point: it can be played only after the previous one.
        var isDependent = false
    }

    /// Result of an access unit.
    struct Outcome: Equatable {
        /// The segment that ends before this access unit.
        var finished: Segment?
        /// A segment begins with this access unit.
        var begins = false
        /// The time stamps do not continue the previous ones.
        var isTimeBreak = false
        /// A segment was cut where there is no random access point.
        var isForced = false
    }

    /// A step of the time stamps larger than this always begins a new time line.
    private static let stepMax = 10 * TimestampUnwrapper.ticksPerSecond
    /// After the first two steps, a step larger than both this and four times the longest step so far also begins a new
    /// time line.
    private static let stepUsual = TimestampUnwrapper.ticksPerSecond * 3 / 2
    /// Longer than the reordering of any pictures. A larger backward step begins a new time line. An edge must have
    /// received the stream this long before a slot to know which random access point is the slot's first.
    private static let reorderMax = TimestampUnwrapper.ticksPerSecond
    /// Longest segment before a target duration is announced, and longest wait for a random access point.
    static let durationMax = 12 * TimestampUnwrapper.ticksPerSecond

    /// A shorter segment at the end of a time line is left out.
    private static let durationMin = TimestampUnwrapper.ticksPerSecond / 5

    private struct Open {
        var slot: Int64
        var start: UInt64
        var startTicks: Int64
        var highestTicks: Int64
        var randomAccessTicks: Int64
        var groupTicks: Int64 = 0
        var unitCount: Int64
        var isDiscontinuous: Bool
        var isDependent: Bool
    }

    let slotTicks: Int64
    /// Bytes after which a segment is cut at the next access unit.
    private let bytesMax: UInt64
    /// Segments may not become longer than this, 90 kHz.
    var durationMax = Self.durationMax
    private var unwrapper = TimestampUnwrapper()
    private var open: Open?
    /// A random access point begins a segment only if its slot is later than this one. Nil before the first access
    /// unit.
    private var seenSlot: Int64?
    private var nextIsDiscontinuous = false
    /// The next step may be longer than usual: the time line continues after it.
    private var isGapNext = false
    /// Longest usual step of the time line, and number of steps seen.
    private var longestStep: Int64 = 0
    private var stepCount = 0
    /// Start of the wait for a random access point.
    private var waitsSince: Int64?

    /// - Parameters:
    ///   - targetSeconds: length of a slot, at least 1.
    ///   - bytesMax: bytes after which a segment is cut at the next access unit.
    init(targetSeconds: Int, bytesMax: Int = .max) {
        slotTicks = Int64(max(targetSeconds, 1)) * TimestampUnwrapper.ticksPerSecond
        self.bytesMax = UInt64(max(bytesMax, 1))
    }

    /// First byte of the open segment; keep the bytes from there until it is finished.
    var openStart: UInt64? { open?.start }

    /// Another source begins at byte `offset`: the open segment ends there, and the next begins a new time line with
    /// the first random access point.
    mutating func onSourceChange(at offset: UInt64) -> Segment? {
        let finished = close(at: offset, ticks: nil)
        nextIsDiscontinuous = true
        if unwrapper.hasBegun { beginTimeLine() }
        return finished
    }

    /// Another source continues the time line, after a gap before the next access unit.
    mutating func onSplice() { isGapNext = true }

    /// The tracks or their codecs change at byte `offset`; the time line continues.
    mutating func onTracksChange(at offset: UInt64) -> Segment? {
        let finished = close(at: offset, ticks: nil)
        nextIsDiscontinuous = true
        if seenSlot != nil { seenSlot = Int64.min }
        return finished
    }

    /// Drops the open segment, whose bytes are no longer held.
    mutating func dropOpenSegment() {
        open = nil
        nextIsDiscontinuous = true
    }

    /// Processes the next access unit of the leading stream.
    /// - Parameter wallClockSeconds: seconds since 1970; anchors a new time line.
    mutating func onAccessUnit(
        _ unit: TransportStreamScanner.AccessUnit, wallClockSeconds: Int64
    ) -> Outcome {
        var outcome = Outcome()
        let isGap = isGapNext
        isGapNext = false
        if let step = unwrapper.step(to: unit.timestamp) {
            if isGap, (0...Self.stepMax).contains(step) {
                // Neither a break, nor a usual step.
            } else if isBreak(step) {
                outcome.finished = close(at: unit.offset, ticks: nil)
                outcome.isTimeBreak = true
                nextIsDiscontinuous = true
                beginTimeLine()
            } else {
                longestStep = max(longestStep, step)
                stepCount += 1
            }
        }
        let ticks = unwrapper.unwrap(unit.timestamp, wallClockSeconds: wallClockSeconds)
        guard let seen = seenSlot else {
            seenSlot = slot(of: ticks &+ Self.reorderMax)
            waitsSince = ticks
            return outcome
        }
        let slot = slot(of: ticks)
        if isGap { open?.randomAccessTicks = ticks } else if unit.randomAccess { noteGroup(ticks) }
        let isForced = !(unit.randomAccess && slot > seen) && mustCut(at: unit.offset, ticks)
        guard (unit.randomAccess && slot > seen) || isForced else {
            note(ticks)
            return outcome
        }
        seenSlot = slot
        // A gap that is too long for the segment belongs to no segment.
        let isTooLong = isGap && open.map { ticks - $0.startTicks > durationMax } ?? false
        if let finished = close(at: unit.offset, ticks: isTooLong ? nil : ticks) { outcome.finished = finished }
        open = Open(
            slot: slot, start: unit.offset, startTicks: ticks, highestTicks: ticks, randomAccessTicks: ticks,
            unitCount: 1, isDiscontinuous: nextIsDiscontinuous, isDependent: !unit.randomAccess)
        nextIsDiscontinuous = false
        waitsSince = nil
        outcome.begins = true
        outcome.isForced = isForced
        return outcome
    }

    /// True when it is too late to wait for a random access point.
    private mutating func mustCut(at offset: UInt64, _ ticks: Int64) -> Bool {
        guard let segment = open else {
            guard let since = waitsSince else {
                waitsSince = ticks
                return false
            }
            return ticks - since >= Self.durationMax
        }
        // A segment without any random access point has no benefit from being longer than a slot.
        let limit = segment.isDependent && segment.groupTicks == 0 ? min(slotTicks, durationMax) : durationMax
        // The next access unit would come too late.
        let isLong = ticks - segment.startTicks + min(longestStep, TimestampUnwrapper.ticksPerSecond) > limit
        return isLong || offset - segment.start >= bytesMax
    }

    private func isBreak(_ step: Int64) -> Bool {
        if step < -Self.reorderMax { return true }
        guard step > Self.stepUsual else { return false }
        return step > (stepCount < 2 ? Self.stepMax : min(Self.stepMax, max(4 * longestStep, Self.stepUsual)))
    }

    private mutating func beginTimeLine() {
        unwrapper.restart()
        seenSlot = Int64.min
        longestStep = 0
        stepCount = 0
        waitsSince = nil
    }

    private func slot(of ticks: Int64) -> Int64 {
        let quotient = ticks / slotTicks
        return ticks % slotTicks < 0 ? quotient - 1 : quotient
    }

    private mutating func note(_ ticks: Int64) {
        open?.unitCount += 1
        if let highest = open?.highestTicks, ticks > highest { open?.highestTicks = ticks }
    }

    private mutating func noteGroup(_ ticks: Int64) {
        guard let segment = open else { return }
        open?.groupTicks = max(segment.groupTicks, ticks - segment.randomAccessTicks)
        open?.randomAccessTicks = ticks
    }

    /// - Parameter ticks: when the next segment begins; nil if that is not known or is on another time line. The
    ///   duration is then estimated from the access units seen.
    private mutating func close(at end: UInt64, ticks: Int64?) -> Segment? {
        guard let segment = open else { return nil }
        open = nil
        guard end > segment.start else {
            nextIsDiscontinuous = nextIsDiscontinuous || segment.isDiscontinuous
            return nil
        }
        let seen = segment.highestTicks - segment.startTicks
        let duration = ticks.map { $0 - segment.startTicks } ?? seen + seen / max(segment.unitCount - 1, 1)
        // Players stumble over a very short segment beside a discontinuity.
        if ticks == nil, duration < Self.durationMin {
            nextIsDiscontinuous = nextIsDiscontinuous || segment.isDiscontinuous
            return nil
        }
        return Segment(
            slot: segment.slot, range: segment.start..<end, durationTicks: max(duration, 0),
            groupTicks: segment.groupTicks, isDiscontinuous: segment.isDiscontinuous,
            isDependent: segment.isDependent)
    }
}
