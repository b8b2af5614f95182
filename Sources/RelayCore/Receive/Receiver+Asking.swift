import ReflectorModel
import RelayWire

/// Requests missing packets from parents.
extension Receiver {
    /// A try is repeated only while at most this many numbers are missing.
    private static var repeatedGapsMax: Int { 192 }

    /// Sends NAKs for every gap that is due, each on the path most likely to repair it.
    ///
    /// - Parameter path: the path on which a packet has just arrived; nil if only time has passed.
    func askForGaps(
        of stream: StreamState, arrivedOn path: StreamPath?, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard let incarnation = stream.incarnation, incarnation.gaps.mayBeDue(at: now) else { return }
        guard stream.paths.all.contains(where: { $0.link.isAlive && $0.carries(incarnation.tag) }) else {
            return
        }
        core.context.noteWork(UInt64(incarnation.gaps.count))
        let isRepeated = incarnation.gaps.count <= Self.repeatedGapsMax
        let deadline = core.configuration.playOutDeadline
        var naks = NakBuilder()
        incarnation.takeDueGaps(
            at: now, path: path?.bit ?? 0, linkHighest: path?.newestLinkNumber ?? 0
        ) { gap in
            guard let path = likeliestPath(for: gap, of: stream, incarnation.tag, deadline: deadline, at: now),
                let number = path.parentNumber(gap.sequence)
            else {
                gap.due = now + .milliseconds(100)
                return
            }
            let link = path.link
            guard gap.lostOn != 0 else {
                gap.tries = min(gap.tries + 1, Nak.triesMax)
                gap.triedAt = now
                gap.due = now + patience(link) * (1 << Int64(min(gap.tries, 4)))
                return naks.add(number, path, tryNumber: gap.tries, isLast: false)
            }
            let before = gap.tries
            guard let ask = repairTimes(link, deadline).next(&gap, isRepeated: isRepeated, at: now) else { return }
            gap.askedOn = path.bit
            naks.add(number, path, tryNumber: ask.tryNumber, isLast: ask.isLast)
            guard gap.tries > before else { return }
            path.noteRetransmitAsked()
            link.noteRetransmitAsked()
            core.context.count(.nakNumbersAsked)
        }
        for (path, nak) in naks.naks {
            core.context.count(.naksSent)
            core.send(.nak(nak), on: path.link, at: now)
        }
        core.clock.schedule(stream, incarnation.gaps.nextDue)
    }

    private func repairTimes(_ link: ParentLink, _ deadline: TimeSpan) -> RepairTimes {
        RepairTimes(link.roundTrip, deadline: deadline, goesOn: !handsOut)
    }

    /// The path on which a retransmit is most likely to arrive in time. A path whose link lost the packet is preferred,
    /// since its parent is known to hold the packet. A link's loss counts twice, since both the NAK and the answer must
    /// get through. After an unanswered try, another path is preferred.
    private func likeliestPath(
        for gap: GapTable.Gap, of stream: StreamState, _ tag: IncarnationTag, deadline: TimeSpan,
        at now: MonotonicInstant
    ) -> StreamPath? {
        if stream.paths.all.count == 1, let only = stream.paths.all.first {
            return only.link.isAlive && only.carries(tag) ? only : nil
        }
        if gap.askedOn != 0, let asked = stream.paths.all.first(where: { $0.bit == gap.askedOn }),
            asked.link.isAlive, asked.carries(tag),
            !repairTimes(asked.link, deadline).beginsTry(gap, at: now)
        {
            // A repeated try stays on its path: on another one it would be answered a second time.
            return asked
        }
        let left = gap.detected + deadline - now
        var best: (score: Double, path: StreamPath)?
        for path in stream.paths.all where path.link.isAlive && path.carries(tag) {
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
