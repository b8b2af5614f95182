import ReflectorModel
import RelayWire

/// Stream packets on their way in: verified first, then kept, forwarded at once and, at an edge, put in order. What
/// does not verify leaves no trace but a count, so that forged data poisons neither ring nor deduplication.
extension RelayNode {
    func receiveData(
        _ datagram: UnsafeRawBufferPointer, from source: Endpoint, at now: MonotonicInstant
    ) throws(WireError) {
        let header = try DataHeader(parsing: datagram)
        guard case .parent(let linkSlot) = linkByToken[header.token], let link = parentLinks[linkSlot], link.isAlive
        else { return counters.add(.rejectedUnknownToken) }
        guard link.endpoint == source else { return counters.add(.rejectedWrongAddress) }
        guard let slot = streamByTag[header.tag], let stream = streams[slot],
            let key = sealKey(phase: header.keyPhase, of: stream)
        else { return counters.add(.rejectedUnknownIncarnation) }
        let sealed = UnsafeRawBufferPointer(rebasing: datagram[WireLimits.linkHeaderLength...])
        let streamHeader = UnsafeRawBufferPointer(rebasing: sealed[..<WireLimits.streamHeaderLength])
        let cipherEnd = sealed.count - WireLimits.sealTagLength
        let ciphertext = UnsafeRawBufferPointer(rebasing: sealed[WireLimits.streamHeaderLength..<cipherEnd])
        let plaintext = UnsafeMutableRawBufferPointer(rebasing: scratch[..<ciphertext.count])
        guard
            crypto.open(
                key, sequence: header.sequence, header: streamHeader, ciphertext: ciphertext,
                tag: UnsafeRawBufferPointer(rebasing: sealed[cipherEnd...]), into: plaintext)
        else { return counters.add(.rejectedBadSeal) }

        if header.keyPhase != stream.incarnation?.keyPhase { noteKeyPhase(header, of: stream) }
        link.lastReceived = now
        guard link.window.note(header.linkNumber) else { return counters.add(.duplicates) }
        counters.add(.dataReceived)
        stream.lastArrival = now
        let path = stream.path(on: link)
        if let path { noteArrival(header, on: path, of: stream, at: now) }

        if configuration.role == .edge {
            keep(header, streamHeader, UnsafeRawBufferPointer(plaintext), in: stream, at: now)
        } else {
            keep(header, sealed, nil, in: stream, at: now)
        }
        if let path, stream.incarnation?.gaps.isEmpty == false { askForGaps(of: stream, on: path, at: now) }
    }

    /// Keeps a verified packet, forwards it and, at an edge, delivers what is in order.
    private func keep(
        _ header: DataHeader, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer?,
        in stream: StreamState, at now: MonotonicInstant
    ) {
        let sequence = header.sequence.rawValue
        let payloadLength =
            first.count + (second?.count ?? -WireLimits.sealTagLength) - WireLimits.streamHeaderLength
        guard sequence != 0, stream.incarnation != nil else { return counters.add(.rejectedTooOld) }
        if stream.incarnation!.index.slot(sequence, in: log) != nil {
            stream.duplicates += 1
            return counters.add(.duplicates)
        }
        let delivered = stream.incarnation!.nextToDeliver
        guard delivered == 0 || sequence >= delivered else {
            // Handed out (and since overwritten) or given up already.
            stream.duplicates += 1
            return counters.add(.duplicates)
        }
        if stream.incarnation!.index.refuses(sequence) {
            guard sequence > stream.incarnation!.index.highest else { return counters.add(.rejectedTooOld) }
            jump(stream, to: sequence, at: now)
        }
        let slot = log.append(
            tag: header.tag, sequence: header.sequence, arrival: now, keyPhase: header.keyPhase,
            isFiller: header.isFiller, first, second)
        let gap = stream.incarnation!.gaps.remove(sequence)
        let isRepair = gap.map { header.retransmitted || $0.tries > 0 } ?? false
        if isRepair {
            stream.repaired += 1
            counters.add(.repaired)
        }
        noteHoles(before: sequence, in: stream, at: now)
        stream.incarnation!.index.insert(sequence, slot: slot)
        stream.arrivalRate.note(at: now)
        if stream.incarnation!.start == 0 || sequence < stream.incarnation!.start {
            stream.incarnation!.start = sequence
        }
        if header.isFiller {
            counters.add(.fillerReceived)
        } else {
            stream.packetsIn += 1
            stream.bytesIn += UInt64(max(payloadLength, 0))
        }
        forward(slot, header.sequence, of: stream, isRepair: isRepair, at: now)
        if configuration.role == .edge { deliver(stream, at: now) }
    }

    /// The stream runs too far ahead of what is held (a long sleep): begin anew there.
    private func jump(_ stream: StreamState, to sequence: UInt64, at now: MonotonicInstant) {
        guard let old = stream.incarnation else { return }
        if old.nextToDeliver != 0 {
            let lost = sequence - old.nextToDeliver
            stream.lost += lost
            counters.add(.lost, lost)
            sink?.discontinuity(stream: stream.name, lost: lost)
            stream.incarnation!.nextToDeliver = sequence
        }
        stream.incarnation!.index = SequenceIndex(tag: old.tag)
        stream.incarnation!.gaps.removeAll()
        stream.incarnation!.start = sequence
    }

    // MARK: Gaps

    /// Notes what a packet on one path tells of those before it: numbers between it and the path's packet before are
    /// missing, and if link numbers are missing there too, this link lost them and the parent has them. Otherwise the
    /// parent lacks them itself and is repairing.
    private func noteArrival(
        _ header: DataHeader, on path: StreamPath, of stream: StreamState, at now: MonotonicInstant
    ) {
        path.packets += 1
        path.lastArrival = now
        let sequence = header.sequence.rawValue
        let highest = stream.incarnation?.index.highest ?? 0
        if path.state == .joining, highest == 0 || sequence <= highest + 1 { becameLive(path, of: stream, at: now) }
        guard sequence > path.lastSequence, !header.retransmitted else { return }
        noteMissing(
            upTo: sequence, linkNumber: header.linkNumber, on: path, of: stream, at: now)
        path.lastSequence = sequence
        path.lastLinkNumber = header.linkNumber
    }

    /// Enters into the gap table what is missing below `sequence`, as this path shows it.
    func noteMissing(
        upTo sequence: UInt64, linkNumber: UInt32, on path: StreamPath, of stream: StreamState,
        at now: MonotonicInstant
    ) {
        guard let incarnation = stream.incarnation, incarnation.start != 0 || !incarnation.index.isEmpty else { return }
        let floor = max(incarnation.start, incarnation.nextToDeliver)
        let known = path.lastSequence == 0 ? floor : max(path.lastSequence + 1, floor)
        guard sequence > known, sequence - known <= SequenceIndex.windowMax else { return }
        let isCovered = path.link.window.hasMissing(after: path.lastLinkNumber, before: linkNumber)
        let link = path.link
        // A gap nobody covers is asked for all the same after a while: coverage can be forgotten, loss must not be.
        let patience = max(link.roundTrip.retransmitTimeout * 2, TimeSpan.milliseconds(100))
        let reordering = max(TimeSpan.milliseconds(2), (link.roundTrip.smoothed ?? .zero) / 4)
        let tolerance = max(link.window.reorderExtent, 2)
        for missing in known..<sequence where incarnation.index.slot(missing, in: log) == nil {
            let gap = GapTable.Gap(
                sequence: missing, detected: now,
                due: now + (isCovered ? min(reordering, .milliseconds(20)) : patience),
                dueLinkNumber: linkNumber &+ tolerance, isCovered: isCovered)
            guard stream.incarnation!.gaps.add(gap, max: configuration.gapsMax) else {
                counters.add(.droppedGapTableFull)
                break
            }
        }
        schedule(stream, stream.incarnation!.gaps.nextDue)
    }

    /// Whatever way a packet came, a retransmit or one still under way from a parent just left: numbers skipped before it
    /// are missing, and an edge must wait for them. Those that its path shows to be lost are in the table already.
    private func noteHoles(before sequence: UInt64, in stream: StreamState, at now: MonotonicInstant) {
        guard let incarnation = stream.incarnation else { return }
        let next = incarnation.index.isEmpty ? incarnation.start : incarnation.index.highest + 1
        let floor = max(next, incarnation.nextToDeliver)
        guard floor > 0, sequence > floor else { return }
        for missing in floor..<sequence where !incarnation.gaps.contains(missing) {
            let gap = GapTable.Gap(
                sequence: missing, detected: now, due: now + .milliseconds(100), dueLinkNumber: 0, isCovered: false)
            guard incarnation.gaps.add(gap, max: configuration.gapsMax) else {
                counters.add(.droppedGapTableFull)
                break
            }
        }
        schedule(stream, incarnation.gaps.nextDue)
    }

    /// Sends NAKs for every gap that is due, at most `Nak.numbersMax` numbers in each.
    func askForGaps(of stream: StreamState, on path: StreamPath, at now: MonotonicInstant) {
        guard let current = stream.incarnation?.tag, path.tag == current, path.link.isAlive else { return }
        var runs: [Nak.Run] = []
        var numbers = 0
        var tryNumber: UInt8 = 1
        var naks: [Nak] = []
        func finish() {
            if !runs.isEmpty {
                naks.append(Nak(subscription: path.subscription, tryNumber: tryNumber, runs: runs))
            }
            runs = []
            numbers = 0
        }
        stream.incarnation!.gaps.takeDue(
            at: now, linkHighest: path.link.window.highest, retry: path.link.roundTrip.retransmitTimeout
        ) { sequence, tries in
            if numbers == Nak.numbersMax || runs.count == 60 { finish() }
            tryNumber = tries
            if let last = runs.last, last.first.rawValue + UInt64(last.count) == sequence {
                runs[runs.count - 1].count += 1
            } else {
                runs.append(Nak.Run(first: SequenceNumber(sequence), count: 1))
            }
            numbers += 1
            path.retransmitsAsked += 1
            path.link.retransmitsAsked += 1
            counters.add(.nakNumbersAsked)
        }
        finish()
        for nak in naks {
            counters.add(.naksSent)
            send(.nak(nak), on: path.link, at: now)
        }
        schedule(stream, stream.incarnation!.gaps.nextDue)
    }

    // MARK: Delivery in order (edge)

    /// Hands out everything that is in order, and gives up what is past the play-out deadline; with `isLast`, whatever is
    /// still missing.
    func deliver(_ stream: StreamState, isLast: Bool = false, at now: MonotonicInstant) {
        guard let tag = stream.incarnation?.tag else { return }
        if stream.incarnation!.nextToDeliver == 0 { stream.incarnation!.nextToDeliver = stream.incarnation!.start }
        // A viewer's server may end demand inside the call; the incarnation is looked at anew each time round.
        while let incarnation = stream.incarnation, incarnation.tag == tag {
            let next = incarnation.nextToDeliver
            guard next != 0, next <= incarnation.index.highest else { return }
            if let slot = incarnation.index.slot(next, in: log) {
                stream.incarnation!.nextToDeliver = next + 1
                handOut(slot, of: stream, at: now)
                continue
            }
            if let gap = incarnation.gaps.first, gap.sequence == next {
                let deadline = gap.detected + configuration.playOutDeadline
                guard isLast || now >= deadline else { return schedule(stream, deadline) }
            }
            skip(stream, isLast: isLast, at: now)
        }
    }

    private func handOut(_ slot: Int32, of stream: StreamState, at now: MonotonicInstant) {
        guard !log[slot].isFiller else { return }
        let payload = UnsafeRawBufferPointer(rebasing: log.bytes(slot)[WireLimits.streamHeaderLength...])
        stream.delivered += 1
        counters.add(.delivered)
        if let last = stream.lastDelivery { stream.gapMax = max(stream.gapMax, now - last) }
        stream.lastDelivery = now
        sink?.deliver(payload, stream: stream.name, at: now)
    }

    /// Gives up the missing numbers from the next one on whose deadline has passed.
    private func skip(_ stream: StreamState, isLast: Bool, at now: MonotonicInstant) {
        guard let incarnation = stream.incarnation else { return }
        var next = incarnation.nextToDeliver
        while next <= incarnation.index.highest, incarnation.index.slot(next, in: log) == nil {
            if let gap = stream.incarnation!.gaps.first, gap.sequence == next {
                guard isLast || now >= gap.detected + configuration.playOutDeadline else { break }
                _ = stream.incarnation!.gaps.remove(next)
            }
            next += 1
        }
        let lost = next - incarnation.nextToDeliver
        stream.incarnation!.nextToDeliver = next
        stream.lost += lost
        counters.add(.lost, lost)
        sink?.discontinuity(stream: stream.name, lost: lost)
    }
}
