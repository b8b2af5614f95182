import ReflectorModel

/// The sequence numbers of one incarnation that are known to exist and have not arrived, in order, with what is known
/// about each and when its next action is due. On a good link the table is empty and costs nothing.
struct GapTable {
    struct Gap {
        let sequence: UInt64
        let detected: MonotonicInstant
        /// When to request the number, to repeat that request, or to begin another try.
        var due: MonotonicInstant
        /// Paths (`StreamPath.bit`) on which later packets arrived, but not this one.
        var passedOn: UInt8 = 0
        /// Those of these paths whose link lost the packet, as its link numbers show: their parents have the packet.
        var lostOn: UInt8 = 0
        /// Before the first request: the link packet number at which reordering no longer explains the gap, and the
        /// path (`reorderedOn`) to which that number belongs; 0 for no path, if only time decides.
        var reorderedUntil: UInt32 = 0
        var reorderedOn: UInt8 = 0
        /// How often the number was requested, not counting the repeats of a try.
        var tries: UInt8 = 0
        var triedAt = MonotonicInstant.zero
        /// How often the current try was repeated.
        var copies: UInt8 = 0
        /// How many of the tries were last tries, which can only just be answered in time.
        var lastTries: UInt8 = 0
        /// The path of the newest try.
        var askedOn: UInt8 = 0

        init(sequence: UInt64, detected: MonotonicInstant, due: MonotonicInstant) {
            self.sequence = sequence
            self.detected = detected
            self.due = due
        }
    }

    private(set) var gaps: [Gap] = []
    /// No gap is due by time before this instant.
    private(set) var nextDue: MonotonicInstant = .distantFuture
    /// Some gap becomes due, even before its time, once a link packet number is reached (`Gap.reorderedUntil`).
    private(set) var awaitsReordering = false

    var isEmpty: Bool { gaps.isEmpty }
    var count: Int { gaps.count }
    var first: Gap? { gaps.first }

    func contains(_ sequence: UInt64) -> Bool {
        let index = position(of: sequence)
        return index < gaps.count && gaps[index].sequence == sequence
    }

    /// Changes the gap of a number. If the number has no gap yet, an empty one is added first; it is not due until
    /// `change` sets a time. False if the table is full.
    mutating func note(
        _ sequence: UInt64, max: Int, at now: MonotonicInstant, _ change: (inout Gap) -> Void
    ) -> Bool {
        let index =
            gaps.last.map { $0.sequence < sequence } == true ? gaps.count : position(of: sequence)
        if index == gaps.count || gaps[index].sequence != sequence {
            guard gaps.count < max else { return false }
            gaps.insert(Gap(sequence: sequence, detected: now, due: .distantFuture), at: index)
        }
        change(&gaps[index])
        noteDue(gaps[index])
        return true
    }

    /// Removes a number because its packet has arrived. Returns the gap that it closes.
    mutating func remove(_ sequence: UInt64) -> Gap? {
        let index = position(of: sequence)
        guard index < gaps.count, gaps[index].sequence == sequence else { return nil }
        let gap = gaps.remove(at: index)
        if gaps.isEmpty { reset() }
        return gap
    }

    /// Drops every gap below `sequence` and every gap detected before `horizon`.
    mutating func giveUp(below sequence: UInt64, detectedBefore horizon: MonotonicInstant) {
        guard let first = gaps.first,
            first.sequence < sequence || gaps.contains(where: { $0.detected < horizon })
        else { return }
        gaps.removeAll { $0.sequence < sequence || $0.detected < horizon }
        if gaps.isEmpty { reset() }
    }

    /// Drops every gap below `sequence`.
    mutating func giveUp(below sequence: UInt64) {
        let count = position(of: sequence)
        guard count > 0 else { return }
        gaps.removeFirst(count)
        if gaps.isEmpty { reset() }
    }

    mutating func removeAll() {
        gaps.removeAll(keepingCapacity: true)
        reset()
    }

    /// Calls `change` for every gap, in order.
    mutating func updateAll(_ change: (inout Gap) -> Void) {
        for index in gaps.indices { change(&gaps[index]) }
        refreshDue()
    }

    /// Forgets what the path with this bit has shown: the bit identifies another path from now on.
    mutating func forgetPath(_ bit: UInt8) {
        updateAll { gap in
            gap.passedOn &= ~bit
            gap.lostOn &= ~bit
            if gap.reorderedOn == bit { gap.reorderedOn = 0 }
            if gap.askedOn == bit { gap.askedOn = 0 }
        }
    }

    /// The set of paths has changed: what is known about the old ones no longer applies, and packets that a new path
    /// carries without a request are awaited until `due`. The numbers of the tries continue, because a parent answers
    /// no try number twice.
    mutating func forgetPaths(due: MonotonicInstant) {
        updateAll { gap in
            gap.passedOn = 0
            gap.lostOn = 0
            gap.reorderedOn = 0
            gap.lastTries = 0
            gap.due = due
        }
    }

    /// True if a gap is due by time, or by the link packet number that a path has reached.
    @inline(__always)
    func mayBeDue(at now: MonotonicInstant) -> Bool { now >= nextDue || awaitsReordering }

    /// Calls `ask` for every gap that is due now, in order. `ask` sets when the gap is due again.
    ///
    /// - Parameters:
    ///   - path: bit of the path on which a packet has just arrived, 0 for none.
    ///   - linkHighest: the highest link packet number on that path so far.
    mutating func takeDue(
        at now: MonotonicInstant, path: UInt8, linkHighest: UInt32, _ ask: (inout Gap) -> Void
    ) {
        guard mayBeDue(at: now) else { return }
        var isChanged = false
        for index in gaps.indices {
            let isNoReordering =
                path != 0 && gaps[index].reorderedOn == path && gaps[index].tries == 0
                && Int32(bitPattern: linkHighest &- gaps[index].reorderedUntil) >= 0
            guard now >= gaps[index].due || isNoReordering else { continue }
            gaps[index].reorderedOn = 0
            ask(&gaps[index])
            isChanged = true
        }
        if isChanged || now >= nextDue { refreshDue() }
    }

    private mutating func refreshDue() {
        reset()
        for gap in gaps { noteDue(gap) }
    }

    private mutating func noteDue(_ gap: Gap) {
        nextDue = min(nextDue, gap.due)
        if gap.reorderedOn != 0, gap.tries == 0 { awaitsReordering = true }
    }

    private mutating func reset() {
        nextDue = .distantFuture
        awaitsReordering = false
    }

    private func position(of sequence: UInt64) -> Int {
        var low = 0
        var high = gaps.count
        while low < high {
            let middle = (low + high) / 2
            if gaps[middle].sequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
