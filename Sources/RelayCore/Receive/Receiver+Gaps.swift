import ReflectorModel
import RelayWire

/// Detects missing packets path by path, because only a gap in a link's own numbers proves that this link lost
/// something. Without such a gap, the parent lacks the missing packet too and is repairing it.
extension Receiver {
    /// Whether the path is still joining, and this packet shows that it carries what follows the packets held here.
    @inline(__always)
    func bringsToLife(_ path: StreamPath, _ arrival: borrowing Arrival) -> Bool {
        guard path.state == .joining else { return false }
        let highest = arrival.stream.incarnation?.index.highest ?? 0
        return highest == 0 || arrival.sequence <= highest + 1
    }

    /// Notes what a packet on one path shows about earlier ones.
    @inline(__always)
    func noteArrival(
        _ arrival: borrowing Arrival, on path: StreamPath, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        let (sequence, linkNumber) = (arrival.sequence, arrival.header.linkNumber)
        guard sequence > path.lastSequence, !arrival.header.retransmitted else { return }
        noteMissing(upTo: sequence, linkNumber: linkNumber, on: path, of: arrival.stream, at: now, &core)
        noteLostRepairs(before: linkNumber, on: path, of: arrival.stream, at: now, &core)
        path.notePlace(sequence, linkNumber: linkNumber)
    }

    /// Adds to the gap table the numbers below `sequence` that this path shows to be missing.
    private func noteMissing(
        upTo sequence: UInt64, linkNumber: UInt32, on path: StreamPath, of stream: StreamState,
        at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard let incarnation = stream.incarnation, incarnation.start != 0 || !incarnation.index.isEmpty
        else { return }
        let known = max(incarnation.start, incarnation.nextToDeliver, expected(on: path, incarnation))
        guard sequence > known, sequence - known <= SequenceIndex.windowMax else { return }
        noteMissing(known..<sequence, linkNumber: linkNumber, on: path, of: stream, incarnation, at: now, &core)
    }

    /// Adds the missing numbers up to and including `highest` that a heartbeat promises and no earlier heartbeat has
    /// promised.
    func notePromised(
        upTo highest: UInt64, linkNumber: UInt32, on path: StreamPath, of stream: StreamState,
        at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard let incarnation = stream.incarnation, incarnation.start != 0 || !incarnation.index.isEmpty
        else { return }
        let known = max(
            incarnation.start, incarnation.nextToDeliver, path.promised, expected(on: path, incarnation))
        // A promise is ignored if it is further ahead than the number of packets that a node can hold.
        guard highest >= known, highest - known < SequenceIndex.windowMax else { return }
        path.notePromise(below: highest + 1)
        noteMissing(
            known..<highest + 1, linkNumber: linkNumber, on: path, of: stream, incarnation, isPromise: true, at: now,
            &core)
    }

    /// The number that should come next on the path. A path on which nothing has arrived yet resumes where the stream
    /// stands, not where the incarnation began.
    private func expected(on path: StreamPath, _ incarnation: IncarnationState) -> UInt64 {
        path.lastSequence == 0 ? incarnation.resumePoint : path.lastSequence + 1
    }

    private func noteMissing(
        _ numbers: Range<UInt64>, linkNumber: UInt32, on path: StreamPath, of stream: StreamState,
        _ incarnation: IncarnationState, isPromise: Bool = false, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        core.context.noteWork(UInt64(numbers.count))
        let isLost = isPromise && path.isOnLAN || path.hasMissing(before: linkNumber)
        // The members that lack a packet do not all ask at once: the answer to the first one reaches them all.
        let wait =
            path.isOnLAN && isLost
            ? TimeSpan.microseconds(core.context.withRandom { Int64($0.next() % Self.lanPatience) })
            : .zero
        let (gapsMax, deadline) = (core.configuration.gapsMax, core.configuration.playOutDeadline)
        for missing in numbers where incarnation.lacks(missing, core.log) {
            let isNoted = incarnation.noteGap(missing, max: gapsMax, at: now) { gap in
                let wasLost = gap.lostOn != 0
                gap.passedOn |= path.bit
                if isLost { gap.lostOn |= path.bit }
                setDue(
                    &gap, wasLost: wasLost, passedOn: path, at: linkNumber, of: stream, incarnation,
                    deadline: deadline, now)
                if isLost, !wasLost, gap.tries == 0 { gap.due = gap.due + wait }
            }
            guard isNoted else {
                core.context.count(.droppedGapTableFull)
                break
            }
        }
        core.clock.schedule(stream, incarnation.gaps.nextDue)
    }

    /// Sets when to request a number that a path has just skipped: once reordering no longer explains the gap, and once
    /// the stream's other paths have had time to carry the packet, if the deadline allows.
    private func setDue(
        _ gap: inout GapTable.Gap, wasLost: Bool, passedOn path: StreamPath, at linkNumber: UInt32,
        of stream: StreamState, _ incarnation: IncarnationState, deadline: TimeSpan, _ now: MonotonicInstant
    ) {
        let link = path.link
        guard gap.lostOn != 0 else {
            // A number that no link is known to have lost is requested anyway after a while, because the evidence from
            // link numbers can be forgotten.
            if gap.due == .distantFuture { gap.due = now + patience(link) }
            return
        }
        let reordering = path.reordering.time(link.roundTrip)
        guard gap.tries == 0 else {
            // The number was already requested. If no parent was known to hold the packet before, one is now.
            if !wasLost { gap.due = min(gap.due, now + reordering) }
            return
        }
        gap.due = now + reordering
        if gap.lostOn & path.bit != 0, !path.isOnLAN {
            gap.reorderedOn = path.bit
            gap.reorderedUntil = linkNumber &+ (path.reordering.packets &- 1)
        }
        guard stream.paths.all.count > 1 else { return }
        let latest = gap.detected + deadline - link.roundTrip.retransmitTimeout * 2
        for other in stream.paths.all where gap.passedOn & other.bit == 0 && isBringing(other, incarnation.tag) {
            let lag = max(other.lag.span - path.lag.span, .zero)
            let comes = now + lag + other.reordering.time(other.link.roundTrip)
            guard comes <= latest else { continue }
            gap.due = max(gap.due, comes)
            gap.reorderedOn = 0
        }
    }

    /// Longest random wait in µs before a packet that the LAN lost is asked for.
    private static var lanPatience: UInt64 { 5_000 }

    private func isBringing(_ path: StreamPath, _ tag: IncarnationTag) -> Bool {
        path.state == .live && path.link.isAlive && path.carries(tag) && path.lastSequence != 0
    }

    /// How long to wait for a parent to repair its own gap: longer than it normally needs.
    func patience(_ link: ParentLink) -> TimeSpan {
        max(link.roundTrip.retransmitTimeout * 2, .milliseconds(100))
    }

    /// If a link number is missing, the lost packet may have been a repair, which the parent sends only once unless a
    /// NAK requests it. So every number that the parent was going to repair is then requested.
    func noteLostRepairs(
        before linkNumber: UInt32, on path: StreamPath, of stream: StreamState, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        guard let incarnation = stream.incarnation, !incarnation.gaps.isEmpty,
            path.hasMissing(before: linkNumber)
        else { return }
        let due = now + path.reordering.time(path.link.roundTrip)
        core.context.noteWork(UInt64(incarnation.gaps.count))
        incarnation.updateGaps { gap in
            guard gap.lostOn & path.bit == 0, gap.passedOn & path.bit != 0 else { return }
            gap.lostOn |= path.bit
            gap.due = min(gap.due, due)
        }
        core.clock.schedule(stream, incarnation.gaps.nextDue)
    }

    /// A packet that seemed lost on this link has arrived late.
    func noteReordered(_ gap: GapTable.Gap, on path: StreamPath, at now: MonotonicInstant, _ core: inout NodeCore) {
        path.noteReordering(behind: 0, late: now - gap.detected, at: now)
        if gap.tries > 0 { core.context.count(.naksSpurious) }
    }

    /// The numbers skipped before a new packet are missing, and an edge must wait for them. This applies to every
    /// packet, even to a retransmit or to a late packet from a parent that was just left. Numbers that the packet's
    /// path shows to be missing are already in the table.
    ///
    /// - Parameter isAhead: whether the packet is from a twin feed, which may be ahead of the stream's own incarnation. This
    ///   one then needs some time to bring the numbers skipped.
    @inline(__always)
    func noteHoles(
        before sequence: UInt64, isAhead: Bool, in stream: StreamState, _ incarnation: IncarnationState,
        at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        let next = incarnation.index.isEmpty ? incarnation.start : incarnation.index.highest + 1
        let floor = max(next, incarnation.nextToDeliver)
        guard floor > 0, sequence > floor else { return }
        let due = now + .milliseconds(100) + (isAhead ? lag(of: sequence - floor, in: stream, at: now) : .zero)
        for missing in floor..<sequence where !incarnation.gaps.contains(missing) {
            core.context.noteWork()
            let isNoted = incarnation.noteGap(missing, max: core.configuration.gapsMax, at: now) { gap in
                gap.due = due
            }
            guard isNoted else {
                core.context.count(.droppedGapTableFull)
                break
            }
        }
        core.clock.schedule(stream, incarnation.gaps.nextDue)
    }
}
