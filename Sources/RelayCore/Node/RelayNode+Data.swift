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
        let path = stream.path(on: link)
        guard let key = sealKey(phase: header.keyPhase, of: stream) else {
            return context.count(.rejectedUnknownIncarnation)
        }
        let sealed = UnsafeRawBufferPointer(rebasing: datagram[WireLimits.linkHeaderLength...])
        let streamHeader = UnsafeRawBufferPointer(rebasing: sealed[..<WireLimits.streamHeaderLength])
        let cipherEnd = sealed.count - WireLimits.sealTagLength
        let ciphertext = UnsafeRawBufferPointer(rebasing: sealed[WireLimits.streamHeaderLength..<cipherEnd])
        let plaintext = UnsafeMutableRawBufferPointer(rebasing: context.scratch[..<ciphertext.count])
        guard
            crypto.open(
                key, sequence: header.sequence, header: streamHeader, ciphertext: ciphertext,
                tag: UnsafeRawBufferPointer(rebasing: sealed[cipherEnd...]), into: plaintext)
        else { return context.count(.rejectedBadSeal) }

        if header.keyPhase != stream.incarnation?.keyPhase { noteKeyPhase(header, of: stream) }
        link.lastReceived = now
        guard let behind = link.window.note(header.linkNumber) else { return context.count(.duplicates) }
        if behind > 0 { link.reordering.note(behind: behind, late: .zero, at: now) }
        context.count(.dataReceived)
        stream.lastArrival = now
        if let path { noteArrival(header, on: path, of: stream, at: now) }

        if playOut != nil {
            keep(header, streamHeader, UnsafeRawBufferPointer(plaintext), in: stream, by: path, at: now)
        } else {
            keep(header, sealed, nil, in: stream, by: path, at: now)
        }
        if stream.incarnation?.gaps.isEmpty == false { askForGaps(of: stream, arrivedOn: path, at: now) }
    }

    /// Keeps a verified packet, forwards it and, at an edge, delivers what is in order.
    private func keep(
        _ header: DataHeader, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer?,
        in stream: StreamState, by path: StreamPath?, at now: MonotonicInstant
    ) {
        let sequence = header.sequence.rawValue
        let payloadLength =
            first.count + (second?.count ?? -WireLimits.sealTagLength) - WireLimits.streamHeaderLength
        guard sequence != 0, stream.incarnation != nil else { return context.count(.rejectedTooOld) }
        if let held = stream.incarnation!.index.slot(sequence, in: log) {
            if !header.retransmitted { path?.lag.note(now - log[held].arrival) }
            stream.duplicates += 1
            return context.count(.duplicates)
        }
        let delivered = stream.incarnation!.nextToDeliver
        guard delivered == 0 || sequence >= delivered else {
            // Handed out (and since overwritten) or given up already.
            stream.duplicates += 1
            return context.count(.duplicates)
        }
        if stream.incarnation!.index.refuses(sequence) {
            guard sequence > stream.incarnation!.index.highest else { return context.count(.rejectedTooOld) }
            // While other packets go on where they were, this one is a lie, or a mistake: it must not end the stream.
            guard isStranded(stream, at: now) else { return context.count(.rejectedTooFar) }
            jump(stream, to: sequence, at: now)
        }
        let slot = log.append(
            tag: header.tag, sequence: header.sequence, arrival: now, keyPhase: header.keyPhase,
            isFiller: header.isFiller, first, second)
        let gap = stream.incarnation!.gaps.remove(sequence)
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
        if stream.incarnation!.index.isEmpty { startLower(sequence, stream, at: now) }
        noteHoles(before: sequence, in: stream, at: now)
        stream.incarnation!.index.insert(sequence, slot: slot)
        stream.arrivalRate.note(at: now)
        if stream.incarnation!.start == 0 || sequence < stream.incarnation!.start {
            stream.incarnation!.start = sequence
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
    private func jump(_ stream: StreamState, to sequence: UInt64, at now: MonotonicInstant) {
        guard let incarnation = stream.incarnation else { return }
        if incarnation.nextToDeliver != 0 {
            let lost = sequence - incarnation.nextToDeliver
            stream.lost &+= lost
            context.count(.lost, lost)
            playOut?.sink?.discontinuity(stream: stream.name, lost: lost)
            if incarnation.soundFrom == 0 { incarnation.soundFrom = incarnation.nextToDeliver }
            incarnation.nextToDeliver = sequence
        }
        incarnation.index = SequenceIndex(tag: incarnation.tag)
        incarnation.gaps.removeAll()
        incarnation.start = sequence
    }

    /// A parent whose word is fresh says that the stream is far behind where it is held to be, and nothing has come that fits
    /// there: somebody has lied before, and it begins again where the parent is. Nothing is handed out a second time.
    func rewind(_ stream: StreamState, to reply: SubscribeReply, at now: MonotonicInstant) {
        guard let incarnation = stream.incarnation, stream.origin == nil, reply.highest != .none else { return }
        let place = max(incarnation.index.highest, incarnation.nextToDeliver, incarnation.start)
        guard place > reply.highest.rawValue + SequenceIndex.windowMax, isStranded(stream, at: now),
            now - (stream.adoptedAt ?? .zero) >= Self.strandedAfter
        else { return }
        context.count(.rewinds)
        stream.lastKept = now
        incarnation.index = SequenceIndex(tag: incarnation.tag)
        incarnation.gaps.removeAll()
        incarnation.start = reply.oldest.rawValue
        if incarnation.nextToDeliver != 0 {
            playOut?.sink?.discontinuity(stream: stream.name, lost: 0)
            incarnation.nextToDeliver = max(incarnation.soundFrom, incarnation.start)
        }
        for path in stream.paths { (path.lastSequence, path.promised) = (0, 0) }
        restartChildren(of: stream, at: now)
    }

    /// The first packet lies below the number from which the parent said that it would send: children wait for none below.
    private func startLower(_ sequence: UInt64, _ stream: StreamState, at now: MonotonicInstant) {
        guard let incarnation = stream.incarnation, sequence < incarnation.start else { return }
        incarnation.start = sequence
        if !stream.children.isEmpty { restartChildren(of: stream, at: now) }
    }
}
