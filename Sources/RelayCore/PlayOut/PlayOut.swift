import ReflectorModel

/// An edge's delivery: in order, without duplicates, and no later than the play-out deadline. `PlayOut` only decides
/// what comes next; the node delivers it, because the sink may call back into the node.
struct PlayOut: ~Copyable {
    enum Step: Equatable {
        /// The packet in this slot of the log is next.
        case handOut(Int32)
        /// This many numbers are given up.
        case skip(lost: UInt64)
        /// The next number is missing; wait for it until this instant.
        case wait(MonotonicInstant)
        case done
    }

    /// The receiver of the packets. The node reads this property and calls the sink.
    private(set) weak var sink: (any StreamSink)?
    private let deadline: TimeSpan

    /// - Parameters:
    ///   - sink: held weakly.
    ///   - deadline: how long a missing packet may delay those after it.
    init(sink: (any StreamSink)?, deadline: TimeSpan) {
        self.sink = sink
        self.deadline = deadline
    }

    /// The next step in the delivery of an incarnation. The incarnation's next number to deliver advances accordingly.
    ///
    /// - Parameter isLast: whether everything that is still missing is given up now.
    func next(
        of incarnation: IncarnationState, _ log: PacketLog, isLast: Bool, at now: MonotonicInstant,
        _ context: inout RelayContext
    ) -> Step {
        let next = incarnation.nextToDeliver
        guard next != 0, next <= incarnation.index.highest else { return .done }
        if let slot = incarnation.index.slot(next, in: log) {
            incarnation.advanceDelivery(to: next + 1)
            return .handOut(slot)
        }
        if let gap = incarnation.gaps.first, gap.sequence == next, !isLast,
            now < gap.detected + deadline
        {
            return .wait(gap.detected + deadline)
        }
        return .skip(lost: skip(incarnation, log, isLast: isLast, at: now, &context))
    }

    /// Gives up the consecutive missing numbers whose deadline has passed, beginning with the next one. Returns how
    /// many.
    private func skip(
        _ incarnation: IncarnationState, _ log: PacketLog, isLast: Bool, at now: MonotonicInstant,
        _ context: inout RelayContext
    ) -> UInt64 {
        let end = incarnation.index.highest + 1
        var next = incarnation.nextToDeliver
        var steps = UInt64(0)
        var isWaiting = false
        for gap in incarnation.gaps.gaps where gap.sequence >= next && gap.sequence < end {
            // A number between two gaps of the table can be missing only if the table was full.
            next = incarnation.index.nextHeld(from: next, below: gap.sequence, in: log, &steps)
            isWaiting = next < gap.sequence || !isLast && now < gap.detected + deadline
            guard !isWaiting else { break }
            next += 1
        }
        if !isWaiting { next = incarnation.index.nextHeld(from: next, below: end, in: log, &steps) }
        context.noteWork(steps)
        incarnation.giveUpGaps(below: next)
        return incarnation.advanceDelivery(to: next)
    }
}
