import ReflectorModel

/// The sequence numbers of one incarnation that are known to exist and have not come, in order, with when to ask for
/// each. Empty on a good link, and then it costs nothing.
struct GapTable {
    struct Gap {
        var sequence: UInt64
        var detected: MonotonicInstant
        /// When to ask for it (again).
        var due: MonotonicInstant
        /// Link packet number at which reordering no longer explains it, on the link that lost it.
        var dueLinkNumber: UInt32
        /// A link-number gap says that the link itself lost it, so the parent has it.
        var isCovered: Bool
        var tries: UInt8 = 0
    }

    private(set) var gaps: [Gap] = []
    /// No gap is due before this.
    private(set) var nextDue: MonotonicInstant = .distantFuture
    /// Some gap waits only for k later link packets.
    private(set) var awaitsReordering = false

    var isEmpty: Bool { gaps.isEmpty }
    var count: Int { gaps.count }
    var first: Gap? { gaps.first }

    func contains(_ sequence: UInt64) -> Bool {
        let index = position(of: sequence)
        return index < gaps.count && gaps[index].sequence == sequence
    }

    /// Adds a gap, or makes a known one covered. False if the table is full.
    mutating func add(_ gap: Gap, max: Int) -> Bool {
        let index = gaps.last.map { $0.sequence < gap.sequence } == true ? gaps.count : position(of: gap.sequence)
        if index < gaps.count, gaps[index].sequence == gap.sequence {
            if gap.isCovered, !gaps[index].isCovered {
                gaps[index].isCovered = true
                gaps[index].due = min(gaps[index].due, gap.due)
                gaps[index].dueLinkNumber = gap.dueLinkNumber
                noteDue(gaps[index])
            }
            return true
        }
        guard gaps.count < max else { return false }
        gaps.insert(gap, at: index)
        noteDue(gap)
        return true
    }

    /// Takes a number out because its packet has come. Returns the gap it closes.
    mutating func remove(_ sequence: UInt64) -> Gap? {
        let index = position(of: sequence)
        guard index < gaps.count, gaps[index].sequence == sequence else { return nil }
        let gap = gaps.remove(at: index)
        if gaps.isEmpty { reset() }
        return gap
    }

    /// Drops every gap below `sequence` and those detected before `horizon`.
    mutating func giveUp(below sequence: UInt64, detectedBefore horizon: MonotonicInstant) {
        guard let first = gaps.first, first.sequence < sequence || gaps.contains(where: { $0.detected < horizon })
        else { return }
        gaps.removeAll { $0.sequence < sequence || $0.detected < horizon }
        if gaps.isEmpty { reset() }
    }

    mutating func removeAll() {
        gaps.removeAll()
        reset()
    }

    /// The path that covered the gaps has gone; what a new path brings by itself is waited for until `due`.
    mutating func uncoverAll(due: MonotonicInstant) {
        for index in gaps.indices {
            gaps[index].isCovered = false
            gaps[index].due = due
            gaps[index].tries = 0
        }
        refreshDue()
    }

    /// Tries before asking becomes rarer: whoever has it would have sent it.
    private static let eagerTries: UInt8 = 5

    /// Calls `ask` for every gap that is due now, in order, and re-arms it `retry` later, after `eagerTries` doubling.
    mutating func takeDue(
        at now: MonotonicInstant, linkHighest: UInt32, retry: TimeSpan, _ ask: (UInt64, UInt8) -> Void
    ) {
        guard now >= nextDue || awaitsReordering else { return }
        for index in gaps.indices {
            let gap = gaps[index]
            let reordered =
                gap.isCovered && gap.tries == 0 && Int32(bitPattern: linkHighest &- gap.dueLinkNumber) >= 0
            guard now >= gap.due || reordered else { continue }
            gaps[index].tries = gap.tries == .max ? .max : gap.tries + 1
            gaps[index].due =
                now + retry * (1 << Int64(min(gaps[index].tries - min(gaps[index].tries, Self.eagerTries), 4)))
            ask(gap.sequence, gaps[index].tries)
        }
        refreshDue()
    }

    private mutating func refreshDue() {
        nextDue = .distantFuture
        awaitsReordering = false
        for gap in gaps { noteDue(gap) }
    }

    private mutating func noteDue(_ gap: Gap) {
        nextDue = min(nextDue, gap.due)
        if gap.isCovered, gap.tries == 0 { awaitsReordering = true }
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
