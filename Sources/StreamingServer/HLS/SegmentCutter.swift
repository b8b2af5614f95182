/// Decides where HLS segments begin and end (RFC 8216 §3), from the access units of the leading stream alone, so that
/// every edge that carries the same bytes cuts at the same bytes and gives the same names.
///
/// Time is divided into slots of the target duration, counted in unwrapped time stamps. A segment begins at the first
/// random access point of a slot, has the slot's number, and ends where the next begins. An edge that joins in the
/// middle of a slot cannot know whether the first random access point it sees is the slot's first; it leaves that one
/// out unless it has watched the second before the slot began.
struct SegmentCutter {
    /// A finished segment: bytes `range` of the stream.
    struct Segment: Equatable {
        /// Number of its slot; names the segment.
        var slot: Int64
        var range: Range<UInt64>
        /// 90 kHz.
        var durationTicks: Int64
        /// Longest time between two random access points in it and at its end, 90 kHz; 0 if not known.
        var groupTicks: Int64 = 0
        /// It does not continue the segment before it in time or content.
        var isDiscontinuous: Bool
    }

    /// What an access unit brought about.
    struct Outcome: Equatable {
        /// The segment that ends before this access unit.
        var finished: Segment?
        /// A segment begins with this access unit.
        var begins = false
    }

    /// A step of the time stamps larger than this begins a new time line.
    private static let stepMax = 10 * TimestampUnwrapper.ticksPerSecond
    /// Longer than any picture is reordered: a step back by more begins a new time line, and one must have watched this
    /// long before a slot to know its first random access point.
    private static let reorderMax = TimestampUnwrapper.ticksPerSecond

    private struct Open {
        var slot: Int64
        var start: UInt64
        var startTicks: Int64
        var highestTicks: Int64
        var randomAccessTicks: Int64
        var groupTicks: Int64 = 0
        var unitCount: Int64
        var isDiscontinuous: Bool
    }

    let slotTicks: Int64
    private var unwrapper = TimestampUnwrapper()
    private var open: Open?
    /// Slot of the newest random access point, or the one that is known to have none before it.
    private var seenSlot: Int64?
    private var nextIsDiscontinuous = false

    /// - Parameter targetSeconds: length of a slot, at least 1.
    init(targetSeconds: Int) {
        slotTicks = Int64(max(targetSeconds, 1)) * TimestampUnwrapper.ticksPerSecond
    }

    /// First byte of the segment under way, which must be kept until it is finished.
    var openStart: UInt64? { open?.start }

    /// Another source follows from byte `offset` on: the segment under way ends there, and the next begins a new time
    /// line with the first random access point.
    mutating func onSourceChange(at offset: UInt64) -> Segment? {
        let finished = close(at: offset, ticks: nil)
        nextIsDiscontinuous = true
        if unwrapper.hasBegun {
            unwrapper.restart()
            seenSlot = Int64.min
        }
        return finished
    }

    /// Gives up the segment under way, whose bytes are no longer held.
    mutating func dropOpenSegment() {
        open = nil
        nextIsDiscontinuous = true
    }

    /// Takes the next access unit of the leading stream.
    /// - Parameter wallClockSeconds: seconds since 1970; anchors a new time line.
    mutating func onAccessUnit(
        _ unit: TransportStreamScanner.AccessUnit, wallClockSeconds: Int64
    ) -> Outcome {
        var outcome = Outcome()
        var startsAnew = false
        if let step = unwrapper.step(to: unit.timestamp), step > Self.stepMax || step < -Self.reorderMax {
            outcome.finished = close(at: unit.offset, ticks: nil)
            unwrapper.restart()
            nextIsDiscontinuous = true
            startsAnew = true
        }
        let ticks = unwrapper.unwrap(unit.timestamp, wallClockSeconds: wallClockSeconds)
        if startsAnew { seenSlot = Int64.min }
        guard let seen = seenSlot else {
            seenSlot = slot(of: ticks &+ Self.reorderMax)
            return outcome
        }
        guard unit.randomAccess else {
            note(ticks)
            return outcome
        }
        let slot = slot(of: ticks)
        noteGroup(ticks)
        guard slot > seen else {
            note(ticks)
            return outcome
        }
        seenSlot = slot
        if let finished = close(at: unit.offset, ticks: ticks) { outcome.finished = finished }
        open = Open(
            slot: slot, start: unit.offset, startTicks: ticks, highestTicks: ticks, randomAccessTicks: ticks,
            unitCount: 1, isDiscontinuous: nextIsDiscontinuous)
        nextIsDiscontinuous = false
        outcome.begins = true
        return outcome
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

    /// - Parameter ticks: when the next segment begins; nil if that is on another time line, where the length is that
    ///   of the access units seen.
    private mutating func close(at end: UInt64, ticks: Int64?) -> Segment? {
        guard let segment = open else { return nil }
        open = nil
        guard end > segment.start else { return nil }
        let seen = segment.highestTicks - segment.startTicks
        let duration = ticks.map { $0 - segment.startTicks } ?? seen + seen / max(segment.unitCount - 1, 1)
        return Segment(
            slot: segment.slot, range: segment.start..<end, durationTicks: duration, groupTicks: segment.groupTicks,
            isDiscontinuous: segment.isDiscontinuous)
    }
}
