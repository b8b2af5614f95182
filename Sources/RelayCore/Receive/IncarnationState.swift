import ReflectorModel
import RelayWire

/// The packets of one (source, incarnation) that a node holds or waits for, and the keys that seal them. It is a class:
/// if it were a struct, a part that still holds what it has read would make the next write copy the index.
///
/// The parts that serve, fetch and deliver read everything; only the methods in this file change it.
final class IncarnationState {
    let source: NodeID
    let incarnation: Incarnation
    let tag: IncarnationTag
    let key: SealKey
    /// The key of packets that come from a twin feed; nil until there is one. Set by `takeTwinKey`.
    private(set) var twinKey: SealKey?
    /// The slot in the log of each packet held.
    private(set) var index: SequenceIndex
    /// The missing numbers.
    private(set) var gaps = GapTable()
    /// Lowest number that was promised or arrived; numbers below it do not count as missing.
    private(set) var start: UInt64
    /// At an edge: the next number to deliver; 0 until the start is known.
    private(set) var nextToDeliver: UInt64 = 0
    /// The number that was next to deliver when the numbers first jumped (`giveUp`); 0 if they never did. Delivery
    /// resumes here, at the earliest, if the jump was a mistake (`rewind`).
    private(set) var soundFrom: UInt64 = 0

    init(
        source: NodeID, incarnation: Incarnation, tag: IncarnationTag, key: SealKey, start: UInt64 = 0
    ) {
        self.source = source
        self.incarnation = incarnation
        self.tag = tag
        self.key = key
        self.start = start
        index = SequenceIndex(tag: tag)
    }

    /// The lowest number at or above the start that is not held: where a new parent should resume.
    var resumePoint: UInt64 {
        if nextToDeliver != 0 { return nextToDeliver }
        if let gap = gaps.first { return gap.sequence }
        return index.isEmpty ? start : index.highest + 1
    }

    // MARK: Packets

    @inline(__always) func insert(_ sequence: UInt64, slot: Int32) { index.insert(sequence, slot: slot) }

    /// Forgets packets that the log has overwritten or that arrived before `horizon`. Returns the lowest number left.
    func trim(_ log: PacketLog, horizon: MonotonicInstant) -> UInt64 { index.trim(log, horizon: horizon) }

    /// Packets are expected from this number on, or from the present start if that is lower.
    func lowerStart(to sequence: UInt64) { start = start == 0 ? sequence : min(start, sequence) }

    /// Forgets the packets held: the incarnation continues at `start`.
    func restart(at start: UInt64) {
        index = SequenceIndex(tag: tag)
        gaps.removeAll()
        self.start = start
    }

    // MARK: Delivery

    /// Nothing below this number is delivered any more: an earlier session with this incarnation ended there.
    func resumeDelivery(at sequence: UInt64) { nextToDeliver = max(sequence, start) }

    /// Begins delivery at `start`, unless it has already begun.
    @inline(__always) func beginDelivery() {
        if nextToDeliver == 0 { nextToDeliver = start }
    }

    /// Everything below this number is delivered or given up. Returns how many numbers delivery advances by this.
    @discardableResult
    @inline(__always) func advanceDelivery(to sequence: UInt64) -> UInt64 {
        defer { nextToDeliver = sequence }
        return sequence - nextToDeliver
    }

    /// Everything below `sequence` that was not delivered is lost. Returns the number of packets; nil if this node
    /// delivers nothing.
    func giveUp(below sequence: UInt64) -> UInt64? {
        defer { restart(at: sequence) }
        guard nextToDeliver != 0 else { return nil }
        if soundFrom == 0 { soundFrom = nextToDeliver }
        return advanceDelivery(to: sequence)
    }

    /// The numbers jumped by mistake: the incarnation continues at `start`, and what was delivered before the first
    /// jump is not delivered again.
    func rewind(to start: UInt64) {
        restart(at: start)
        if nextToDeliver != 0 { nextToDeliver = max(soundFrom, start) }
    }

    // MARK: Gaps

    /// Whether the number is missing. A number up to the highest one held that is neither held nor in the gap table has
    /// arrived and been overwritten since, or was given up.
    func lacks(_ sequence: UInt64, _ log: PacketLog) -> Bool {
        sequence > index.highest || index.slot(sequence, in: log) == nil && gaps.contains(sequence)
    }

    /// Changes the gap of a missing number, and adds it first if there is none. False if the table is full.
    func noteGap(
        _ sequence: UInt64, max: Int, at now: MonotonicInstant, _ change: (inout GapTable.Gap) -> Void
    ) -> Bool { gaps.note(sequence, max: max, at: now, change) }

    /// The number has arrived. Returns the gap that it closes.
    @inline(__always) func closeGap(_ sequence: UInt64) -> GapTable.Gap? { gaps.remove(sequence) }

    func updateGaps(_ change: (inout GapTable.Gap) -> Void) { gaps.updateAll(change) }

    /// See `GapTable.takeDue`.
    func takeDueGaps(
        at now: MonotonicInstant, path: UInt8, linkHighest: UInt32, _ ask: (inout GapTable.Gap) -> Void
    ) { gaps.takeDue(at: now, path: path, linkHighest: linkHighest, ask) }

    func giveUpGaps(below sequence: UInt64) { gaps.giveUp(below: sequence) }
    func giveUpGaps(detectedBefore horizon: MonotonicInstant) { gaps.giveUp(below: 0, detectedBefore: horizon) }

    /// See `GapTable.forgetPath`.
    func forgetPath(_ bit: UInt8) { gaps.forgetPath(bit) }
    /// See `GapTable.forgetPaths`.
    func forgetPaths(due: MonotonicInstant) { gaps.forgetPaths(due: due) }

    // MARK: Keys

    /// The key of packets that come from a twin feed. It is derived when the first such packet is opened or sealed, so that
    /// other streams need no room for it. Nil if there is no room.
    func takeTwinKey(_ crypto: any PacketCrypto) -> SealKey? {
        if let twinKey { return twinKey }
        twinKey = crypto.deriveTwinKey(key)
        return twinKey
    }

    func releaseKey(_ crypto: any PacketCrypto) {
        crypto.release(key)
        if let twinKey { crypto.release(twinKey) }
        twinKey = nil
    }
}
