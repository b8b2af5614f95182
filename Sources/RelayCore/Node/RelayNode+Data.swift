import ReflectorModel
import RelayWire

/// Stream packets on their way in: verified first, then kept, forwarded at once and, at an edge, put in order. What
/// does not verify leaves no trace but a count, so that forged data poisons neither ring nor deduplication.
extension RelayNode {
    func receiveData(
        _ datagram: UnsafeRawBufferPointer, from source: Endpoint, at now: MonotonicInstant
    ) throws(WireError) {
        let header = try DataHeader(parsing: datagram)
        guard let link = links.parent(token: header.token), link.isAlive else {
            return context.count(.rejectedUnknownToken)
        }
        guard link.remote == source else { return context.count(.rejectedWrongAddress) }
        guard let stream = streams.stream(tag: header.tag) else {
            return context.count(.rejectedUnknownIncarnation)
        }
        // Before the seal is judged, not after: where the state of a thousand streams has left the caches, the processor fetches
        // this while it fetches the key.
        let path = stream.paths.path(on: link)
        guard let key = sealKey(phase: header.keyPhase, of: stream) else {
            return context.count(.rejectedUnknownIncarnation)
        }
        let sealed = UnsafeRawBufferPointer(rebasing: datagram[WireLimits.linkHeaderLength...])
        let streamHeader = UnsafeRawBufferPointer(rebasing: sealed[..<WireLimits.streamHeaderLength])
        let cipherEnd = sealed.count - WireLimits.sealTagLength
        let ciphertext = UnsafeRawBufferPointer(
            rebasing: sealed[WireLimits.streamHeaderLength..<cipherEnd])
        let plaintext = UnsafeMutableRawBufferPointer(rebasing: context.scratch[..<ciphertext.count])
        guard
            crypto.open(
                key, sequence: header.sequence, header: streamHeader, ciphertext: ciphertext,
                tag: UnsafeRawBufferPointer(rebasing: sealed[cipherEnd...]), into: plaintext)
        else { return context.count(.rejectedBadSeal) }

        if header.keyPhase != stream.incarnation?.keyPhase { noteKeyPhase(header, of: stream) }
        link.lastReceived = now
        guard let behind = link.window.note(header.linkNumber) else {
            return context.count(.duplicates)
        }
        if behind > 0 { link.reordering.note(behind: behind, late: .zero, at: now) }
        context.count(.dataReceived)
        stream.lastArrival = now
        if let path { noteArrival(header, on: path, of: stream, at: now) }

        if playOut != nil {
            keep(header, streamHeader, UnsafeRawBufferPointer(plaintext), in: stream, by: path, at: now)
        } else {
            keep(header, sealed, nil, in: stream, by: path, at: now)
        }
        if stream.incarnation?.gaps.isEmpty == false {
            askForGaps(of: stream, arrivedOn: path, at: now)
        }
    }

    /// Keeps a verified packet, forwards it and, at an edge, delivers what is in order.
    private func keep(
        _ header: DataHeader, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer?,
        in stream: StreamState, by path: StreamPath?, at now: MonotonicInstant
    ) {
        let sequence = header.sequence.rawValue
        let payloadLength =
            first.count + (second?.count ?? -WireLimits.sealTagLength) - WireLimits.streamHeaderLength
        guard let incarnation = stream.incarnation else { return context.count(.rejectedTooOld) }
        switch incarnation.reception(of: sequence, log, isStranded: isStranded(stream, at: now)) {
        case .held(let slot):
            if !header.retransmitted { path?.lag.note(now - log[slot].arrival) }
            stream.duplicates += 1
            return context.count(.duplicates)
        case .past:
            stream.duplicates += 1
            return context.count(.duplicates)
        case .rejected(let reason): return context.count(reason)
        case .jump: jump(stream, incarnation, to: sequence)
        case .new: break
        }
        let slot = log.append(
            tag: header.tag, sequence: header.sequence, arrival: now, keyPhase: header.keyPhase,
            isFiller: header.isFiller, first, second)
        let gap = incarnation.gaps.remove(sequence)
        let isRepair = gap.map { header.retransmitted || $0.tries > 0 } ?? false
        if isRepair {
            stream.repaired += 1
            context.count(.repaired)
        }
        if let path, !header.retransmitted {
            path.lag.note(.zero)
            if let gap, gap.lostOn & path.bit != 0 { noteReordered(gap, on: path, at: now) }
        }
        stream.lastKept = now
        if incarnation.index.isEmpty { startLower(sequence, stream, at: now) }
        noteHoles(before: sequence, in: stream, at: now)
        incarnation.index.insert(sequence, slot: slot)
        stream.arrivalRate.note(at: now)
        if incarnation.start == 0 || sequence < incarnation.start {
            incarnation.start = sequence
        }
        if header.isFiller {
            context.count(.fillerReceived)
        } else {
            stream.packetsIn += 1
            stream.bytesIn += UInt64(max(payloadLength, 0))
        }
        forward(slot, header.sequence, of: stream, isRepair: isRepair, at: now)
        if playOut != nil { deliver(stream, at: now) }
    }

    /// Whether nothing new of the stream has come for so long that the place where it is held to be may be wrong.
    func isStranded(_ stream: StreamState, at now: MonotonicInstant) -> Bool {
        now - stream.lastKept >= Self.strandedAfter
    }

    private static var strandedAfter: TimeSpan { .seconds(1) }

    /// The stream runs too far ahead of what is held (a long sleep): begin again there.
    private func jump(_ stream: StreamState, _ incarnation: IncarnationState, to sequence: UInt64) {
        guard let lost = incarnation.giveUp(below: sequence) else { return }
        stream.lost &+= lost
        context.count(.lost, lost)
        playOut?.sink?.discontinuity(stream: stream.name, lost: lost)
    }

    /// A parent whose word is fresh says that the stream is far behind where it is held to be, and nothing has come that fits
    /// there: somebody has lied before, and it begins again where the parent is. Nothing is handed out a second time.
    func rewind(_ stream: StreamState, to reply: SubscribeReply, at now: MonotonicInstant) {
        guard let incarnation = stream.incarnation, stream.origin == nil, reply.highest != .none else {
            return
        }
        let place = max(incarnation.index.highest, incarnation.nextToDeliver, incarnation.start)
        guard place > reply.highest.rawValue + SequenceIndex.windowMax, isStranded(stream, at: now),
            now - (stream.adoptedAt ?? .zero) >= Self.strandedAfter
        else { return }
        context.count(.rewinds)
        stream.lastKept = now
        incarnation.restart(at: reply.oldest.rawValue)
        if incarnation.nextToDeliver != 0 {
            playOut?.sink?.discontinuity(stream: stream.name, lost: 0)
            incarnation.nextToDeliver = max(incarnation.soundFrom, incarnation.start)
        }
        for path in stream.paths.all { (path.lastSequence, path.promised) = (0, 0) }
        restartChildren(of: stream, at: now)
    }

    /// The first packet lies below the number from which the parent said that it would send: children wait for none below.
    private func startLower(_ sequence: UInt64, _ stream: StreamState, at now: MonotonicInstant) {
        guard let incarnation = stream.incarnation, sequence < incarnation.start else { return }
        incarnation.start = sequence
        if !stream.children.isEmpty { restartChildren(of: stream, at: now) }
    }
}
