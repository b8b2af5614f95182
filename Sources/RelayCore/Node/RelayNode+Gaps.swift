import ReflectorModel
import RelayWire

/// What is missing: seen path by path, because only a gap in a link's own numbers says that this link lost something.
/// Otherwise the parent lacks it too and is repairing.
extension RelayNode {
    /// Notes what a packet on one path tells of those before it.
    func noteArrival(
        _ header: DataHeader, on path: StreamPath, of stream: StreamState, at now: MonotonicInstant
    ) {
        path.packets += 1
        path.lastArrival = now
        let sequence = header.sequence.rawValue
        let highest = stream.incarnation?.index.highest ?? 0
        if path.state == .joining, highest == 0 || sequence <= highest + 1 {
            becameLive(path, of: stream, at: now)
        }
        guard sequence > path.lastSequence, !header.retransmitted else { return }
        noteMissing(upTo: sequence, linkNumber: header.linkNumber, on: path, of: stream, at: now)
        noteLostRepairs(before: header.linkNumber, on: path, of: stream, at: now)
        path.lastSequence = sequence
        path.lastLinkNumber = header.linkNumber
    }

    /// Enters into the gap table what is missing below `sequence`, as this path shows it.
    func noteMissing(
        upTo sequence: UInt64, linkNumber: UInt32, on path: StreamPath, of stream: StreamState,
        at now: MonotonicInstant
    ) {
        guard let incarnation = stream.incarnation, incarnation.start != 0 || !incarnation.index.isEmpty
        else { return }
        let floor = max(incarnation.start, incarnation.nextToDeliver)
        let known = path.lastSequence == 0 ? floor : max(path.lastSequence + 1, floor)
        guard sequence > known, sequence - known <= SequenceIndex.windowMax else { return }
        noteMissing(
            known..<sequence, linkNumber: linkNumber, on: path, of: stream, incarnation, at: now)
    }

    /// The same for what a heartbeat promises up to and with `highest`, and no heartbeat has promised before.
    func notePromised(
        upTo highest: UInt64, linkNumber: UInt32, on path: StreamPath, of stream: StreamState,
        at now: MonotonicInstant
    ) {
        guard let incarnation = stream.incarnation, incarnation.start != 0 || !incarnation.index.isEmpty
        else { return }
        let floor = max(incarnation.start, incarnation.nextToDeliver, path.promised)
        let known = path.lastSequence == 0 ? floor : max(path.lastSequence + 1, floor)
        // What lies further ahead than anything that can be held is not believed.
        guard highest >= known, highest - known < SequenceIndex.windowMax else { return }
        path.promised = highest + 1
        noteMissing(
            known..<highest + 1, linkNumber: linkNumber, on: path, of: stream, incarnation, at: now)
    }

    private func noteMissing(
        _ numbers: Range<UInt64>, linkNumber: UInt32, on path: StreamPath, of stream: StreamState,
        _ incarnation: IncarnationState, at now: MonotonicInstant
    ) {
        context.noteWork(UInt64(numbers.count))
        let isLost = path.link.window.hasMissing(after: path.lastLinkNumber, before: linkNumber)
        for missing in numbers where incarnation.index.slot(missing, in: log) == nil {
            let isNoted = incarnation.gaps.note(missing, max: configuration.gapsMax, at: now) { gap in
                let wasLost = gap.lostOn != 0
                gap.passedOn |= path.bit
                if isLost { gap.lostOn |= path.bit }
                judge(&gap, wasLost: wasLost, passedOn: path, at: linkNumber, of: stream, now)
            }
            guard isNoted else {
                context.count(.droppedGapTableFull)
                break
            }
        }
        clock.schedule(stream, incarnation.gaps.nextDue)
    }

    /// When to ask for a gap that a path has just gone past: once reordering no longer explains it, and once the stream's
    /// other paths have had their time to bring it, if the deadline allows.
    private func judge(
        _ gap: inout GapTable.Gap, wasLost: Bool, passedOn path: StreamPath, at linkNumber: UInt32,
        of stream: StreamState, _ now: MonotonicInstant
    ) {
        let link = path.link
        guard gap.lostOn != 0 else {
            // A gap nobody has lost is asked for all the same after a while: what link numbers tell can be forgotten.
            if gap.due == .distantFuture { gap.due = now + patience(link) }
            return
        }
        let reordering = link.reordering.time(link.roundTrip)
        guard gap.tries == 0 else {
            // Asked for already; where nobody was known to hold it, now somebody is.
            if !wasLost { gap.due = min(gap.due, now + reordering) }
            return
        }
        gap.due = now + reordering
        if gap.lostOn & path.bit != 0 {
            gap.reorderedOn = path.bit
            gap.reorderedUntil = linkNumber &+ (link.reordering.packets &- 1)
        }
        guard stream.paths.all.count > 1 else { return }
        let latest = gap.detected + configuration.playOutDeadline - link.roundTrip.retransmitTimeout * 2
        for other in stream.paths.all where gap.passedOn & other.bit == 0 && isBringing(other, stream) {
            let lag = max(other.lag.span - path.lag.span, .zero)
            let comes = now + lag + other.link.reordering.time(other.link.roundTrip)
            guard comes <= latest else { continue }
            gap.due = max(gap.due, comes)
            gap.reorderedOn = 0
        }
    }

    private func isBringing(_ path: StreamPath, _ stream: StreamState) -> Bool {
        path.state == .live && path.link.isAlive && path.tag == stream.incarnation?.tag
            && path.lastSequence != 0
    }

    /// Longer than a parent needs as a rule to repair what it lacks itself.
    private func patience(_ link: ParentLink) -> TimeSpan {
        max(link.roundTrip.retransmitTimeout * 2, .milliseconds(100))
    }

    /// A link number is missing where no number of the stream is: it may have been a repair, which the parent sends but
    /// once unasked. So whatever the parent was waited for is asked for.
    func noteLostRepairs(
        before linkNumber: UInt32, on path: StreamPath, of stream: StreamState, at now: MonotonicInstant
    ) {
        guard let incarnation = stream.incarnation, !incarnation.gaps.isEmpty,
            path.link.window.hasMissing(after: path.lastLinkNumber, before: linkNumber)
        else { return }
        let due = now + path.link.reordering.time(path.link.roundTrip)
        context.noteWork(UInt64(incarnation.gaps.count))
        incarnation.gaps.updateAll { gap in
            guard gap.lostOn & path.bit == 0, gap.passedOn & path.bit != 0 else { return }
            gap.lostOn |= path.bit
            gap.due = min(gap.due, due)
        }
        clock.schedule(stream, incarnation.gaps.nextDue)
    }

    /// A packet that seemed lost on this very link was only late.
    func noteReordered(_ gap: GapTable.Gap, on path: StreamPath, at now: MonotonicInstant) {
        path.link.reordering.note(behind: 0, late: now - gap.detected, at: now)
        if gap.tries > 0 { context.count(.naksSpurious) }
    }

    /// Whatever way a packet came, a retransmit or one still under way from a parent just left: numbers skipped before it
    /// are missing, and an edge must wait for them. Those that its path shows to be lost are in the table already.
    func noteHoles(before sequence: UInt64, in stream: StreamState, at now: MonotonicInstant) {
        guard let incarnation = stream.incarnation else { return }
        let next = incarnation.index.isEmpty ? incarnation.start : incarnation.index.highest + 1
        let floor = max(next, incarnation.nextToDeliver)
        guard floor > 0, sequence > floor else { return }
        for missing in floor..<sequence where !incarnation.gaps.contains(missing) {
            context.noteWork()
            let isNoted = incarnation.gaps.note(missing, max: configuration.gapsMax, at: now) { gap in
                gap.due = now + .milliseconds(100)
            }
            guard isNoted else {
                context.count(.droppedGapTableFull)
                break
            }
        }
        clock.schedule(stream, incarnation.gaps.nextDue)
    }

    // MARK: Asking

    /// Tries are said again only while no more than this is missing.
    private static var repeatedGapsMax: Int { 192 }

    /// Sends NAKs for every gap that is due, each on the path likeliest to make it.
    ///
    /// - Parameter path: the path that a packet has just come by, nil if it is only time.
    func askForGaps(of stream: StreamState, arrivedOn path: StreamPath?, at now: MonotonicInstant) {
        guard let incarnation = stream.incarnation, incarnation.gaps.mayBeDue(at: now) else { return }
        guard stream.paths.all.contains(where: { $0.link.isAlive && $0.tag == incarnation.tag }) else {
            return
        }
        context.noteWork(UInt64(incarnation.gaps.count))
        let isRepeated = incarnation.gaps.count <= Self.repeatedGapsMax
        var naks = NakBuilder()
        incarnation.gaps.takeDue(
            at: now, path: path?.bit ?? 0, linkHighest: path?.link.window.highest ?? 0
        ) { gap in
            guard let path = likeliestPath(for: gap, of: stream, incarnation.tag, at: now) else {
                gap.due = now + .milliseconds(100)
                return
            }
            let link = path.link
            guard gap.lostOn != 0 else {
                gap.tries = min(gap.tries + 1, Nak.triesMax)
                gap.triedAt = now
                gap.due = now + patience(link) * (1 << Int64(min(gap.tries, 4)))
                return naks.add(gap.sequence, path, tryNumber: gap.tries, isLast: false)
            }
            let before = gap.tries
            guard let ask = repairTimes(link).next(&gap, isRepeated: isRepeated, at: now) else { return }
            gap.askedOn = path.bit
            naks.add(gap.sequence, path, tryNumber: ask.tryNumber, isLast: ask.isLast)
            guard gap.tries > before else { return }
            path.retransmitsAsked += 1
            link.retransmitsAsked += 1
            context.count(.nakNumbersAsked)
        }
        for (path, nak) in naks.naks {
            context.count(.naksSent)
            send(.nak(nak), on: path.link, at: now)
        }
        clock.schedule(stream, incarnation.gaps.nextDue)
    }

    private func repairTimes(_ link: ParentLink) -> RepairTimes {
        RepairTimes(link.roundTrip, deadline: configuration.playOutDeadline, goesOn: playOut == nil)
    }

    /// Where a retransmit is likeliest to come from in time: a link that lost the packet has a parent that holds it; both
    /// the NAK and the answer must pass; and what was asked in vain is asked elsewhere.
    private func likeliestPath(
        for gap: GapTable.Gap, of stream: StreamState, _ tag: IncarnationTag, at now: MonotonicInstant
    ) -> StreamPath? {
        if stream.paths.all.count == 1, let only = stream.paths.all.first {
            return only.link.isAlive ? only : nil
        }
        if gap.askedOn != 0, let asked = stream.paths.all.first(where: { $0.bit == gap.askedOn }),
            asked.link.isAlive,
            asked.tag == tag, !repairTimes(asked.link).beginsTry(gap, at: now)
        {
            // The same try said again: elsewhere it would be answered a second time.
            return asked
        }
        let left = gap.detected + configuration.playOutDeadline - now
        var best: (score: Double, path: StreamPath)?
        for path in stream.paths.all where path.link.isAlive && path.tag == tag {
            let passes = 1 - path.link.recentLoss.share
            var score = passes * passes
            if gap.lostOn & path.bit == 0 { score *= 0.5 }
            if gap.askedOn == path.bit { score *= 0.5 }
            if path.link.roundTrip.smoothed ?? .milliseconds(100) > left { score *= 0.1 }
            if path.state == .leaving { score *= 0.5 }
            if score > best?.score ?? -1 { best = (score, path) }
        }
        return best?.path
    }
}

/// Gathers the numbers to ask for into few NAKs: one for each path and try, of at most `Nak.numbersMax` numbers.
private struct NakBuilder {
    private(set) var naks: [(path: StreamPath, nak: Nak)] = []
    private var counts: [Int] = []
    /// Runs of one NAK that surely fit into a control datagram.
    private static let runsMax = 60

    mutating func add(_ sequence: UInt64, _ path: StreamPath, tryNumber: UInt8, isLast: Bool) {
        let index = naks.lastIndex {
            $0.path === path && $0.nak.tryNumber == tryNumber && $0.nak.isLast == isLast
        }
        guard let index, counts[index] < Nak.numbersMax, naks[index].nak.runs.count < Self.runsMax
        else {
            let run = Nak.Run(first: SequenceNumber(sequence), count: 1)
            let nak = Nak(
                subscription: path.subscription, tryNumber: tryNumber, isLast: isLast, runs: [run])
            naks.append((path, nak))
            counts.append(1)
            return
        }
        counts[index] += 1
        let last = naks[index].nak.runs.count - 1
        if last >= 0,
            naks[index].nak.runs[last].first.rawValue + UInt64(naks[index].nak.runs[last].count)
                == sequence
        {
            naks[index].nak.runs[last].count += 1
        } else {
            naks[index].nak.runs.append(Nak.Run(first: SequenceNumber(sequence), count: 1))
        }
    }
}
