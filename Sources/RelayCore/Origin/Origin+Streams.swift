import ReflectorModel
import RelayWire

/// Streams of encoders: numbered, sealed and kept for children.
extension Origin {
    enum Provided {
        /// A new incarnation, which the set reflectors do not know yet.
        case begun
        /// The encoder came back within its grace period and continues the previous incarnation.
        case resumed
        /// The encoder came back within its grace period, and another incarnation begins.
        case renewed
        /// There is no room for another key.
        case failed
    }

    /// What the node must do after a stream's timer.
    enum TimerOutcome {
        case goesOn
        /// The encoder is lost, or back: the stream must be announced again.
        case mustAnnounce
        /// The encoder did not come back.
        case mustWithdraw
    }

    /// An encoder provides a stream.
    ///
    /// - Parameter renews: an encoder that came back begins another incarnation. The numbers of a hot stream need this,
    ///   since reflectors have learned what they mean in another entrypoint's feed: bytes that were lost with the
    ///   encoder's last connection would shift them unnoticed.
    mutating func provide(
        _ stream: StreamState, renews: Bool, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Provided {
        let isNew = stream.origin == nil
        guard isNew || renews && stream.origin?.nextSequence != 1 else {
            stream.origin?.encoderReturned(at: now)
            return .resumed
        }
        let (name, id) = (stream.name, core.context.id)
        let incarnation = Incarnation(high: core.context.secret64(), low: core.context.secret64())
        guard let key = core.crypto.makeSealKey() else { return .failed }
        endIncarnation(of: stream, &core)
        let tag = IncarnationTag(stream: name, source: id, incarnation: incarnation)
        stream.begin(
            IncarnationState(source: id, incarnation: incarnation, tag: tag, key: key, start: 1))
        stream.origin = StreamSource(at: now)
        core.streams.bind(tag, to: stream)
        guard !isNew else { return .begun }
        core.context.count(.incarnationsRenewed)
        announceChange(of: name, at: now, &core)
        return .renewed
    }

    private func endIncarnation(of stream: StreamState, _ core: inout NodeCore) {
        guard let old = stream.incarnation else { return }
        core.streams.unbind(old.tag)
        old.releaseKey(core.crypto)
        stream.endIncarnation()
    }

    /// The encoder disconnected. If it does not return within `encoderGrace`, the stream is withdrawn.
    func encoderLeft(_ name: StreamName, at now: MonotonicInstant, _ core: inout NodeCore) {
        guard let stream = core.streams[name], stream.origin != nil else { return }
        let end = now + core.configuration.encoderGrace
        stream.origin?.encoderLeft(until: end)
        core.clock.schedule(stream, now)
    }

    /// Numbers, seals and sends one payload. A payload larger than `WireLimits.payloadMax` is refused and counted.
    ///
    /// Static, since it needs no state of the part: otherwise each payload would copy the part.
    static func ingest(
        _ payload: UnsafeRawBufferPointer, of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard stream.origin != nil else { return }
        guard payload.count <= WireLimits.payloadMax else { return core.context.count(.droppedOversizePayload) }
        stream.arrivals.notePayload(bytes: payload.count)
        stream.deliveries.noteTime(now)
        stream.origin!.notePayload(at: now)
        // An encoder that was silent is announced again at once.
        if stream.origin!.announced != .live { core.clock.schedule(stream, now) }
        let (length, count) = pieces(of: payload.count, in: stream)
        guard count > 1 else { return emit(payload, isFiller: false, of: stream, at: now, &core) }
        core.context.count(.payloadsCut)
        for index in 0..<count {
            let piece = payload[index * length..<min((index + 1) * length, payload.count)]
            emit(UnsafeRawBufferPointer(rebasing: piece), isFiller: false, of: stream, at: now, &core)
        }
    }

    /// The length and number of the pieces into which a payload is cut. If the payload is larger than a path carries
    /// and consists of whole TS packets, each piece holds whole TS packets and the pieces are as equal as possible;
    /// otherwise there is one piece.
    private static func pieces(of payload: Int, in stream: StreamState) -> (length: Int, count: Int) {
        let packet = 188
        guard payload > stream.payloadLimit.bytes, payload % packet == 0 else { return (payload, 1) }
        let count = (payload + stream.payloadLimit.bytes - 1) / stream.payloadLimit.bytes
        let length = (payload / packet + count - 1) / count * packet
        return (length, (payload + length - 1) / length)
    }

    private static func emit(
        _ payload: UnsafeRawBufferPointer, isFiller: Bool, of stream: StreamState, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        guard let incarnation = stream.incarnation, let number = stream.origin?.nextSequence else { return }
        let sequence = SequenceNumber(number)
        let body = WireLimits.streamHeaderLength
        let length = body + payload.count + WireLimits.sealTagLength
        let packet = UnsafeMutableRawBufferPointer(rebasing: core.context.scratch[..<length])
        DataHeader.writeStreamHeader(
            into: packet, tag: incarnation.tag, sequence: sequence, kind: isFiller ? .filler : .data)
        let text = UnsafeMutableRawBufferPointer(rebasing: packet[body..<body + payload.count])
        text.copyMemory(from: payload)
        core.crypto.seal(
            incarnation.key, sequence: sequence, header: UnsafeRawBufferPointer(rebasing: packet[..<body]),
            payload: text, tag: UnsafeMutableRawBufferPointer(rebasing: packet[(body + payload.count)...]))
        let slot = core.log.append(
            tag: incarnation.tag, sequence: sequence, arrival: now, isFiller: isFiller, UnsafeRawBufferPointer(packet))
        incarnation.insert(number, slot: slot)
        stream.arrivals.noteRate(at: now)
        stream.origin!.noteMade(at: now)
        stream.arrivals.noteArrival(at: now)
        core.forward(slot, sequence, of: stream, isRepair: false, at: now)
    }

    // MARK: Timers

    /// Sends a filler if one is due and the stream has fillers.
    func handleTimer(
        of stream: StreamState, sendsFillers: Bool, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> TimerOutcome {
        guard let source = stream.origin else { return .goesOn }
        guard !source.isWithdrawn(at: now) else { return .mustWithdraw }
        let interval = core.configuration.fillerInterval
        if sendsFillers, !stream.children.isEmpty, source.needsFiller(every: interval, at: now) {
            core.context.count(.fillerSent)
            Self.emit(UnsafeRawBufferPointer(start: nil, count: 0), isFiller: true, of: stream, at: now, &core)
        }
        let silenceMax = core.configuration.encoderSilenceMax
        let hasChanged = stream.origin!.takeChange(silenceMax: silenceMax, at: now)
        core.clock.schedule(
            stream, stream.origin!.nextTimeout(fillerInterval: interval, silenceMax: silenceMax, at: now))
        return hasChanged ? .mustAnnounce : .goesOn
    }

    // MARK: The end

    /// The stream to withdraw so that there is room for one of this name: among those whose encoders disconnected and
    /// may return, the one whose encoder has been gone longest. Nil if there is room, or no such stream.
    func idleToEvict(for name: StreamName, _ core: borrowing NodeCore) -> StreamState? {
        guard core.streams[name] == nil, core.streams.count >= core.configuration.streamsMax else { return nil }
        let idle = core.streams.all.compactMap { stream in stream.origin?.withdrawAt.map { (stream, $0) } }
        return idle.min { $0.1 < $1.1 }?.0
    }

    /// Withdraws a stream that no longer has children.
    mutating func withdraw(_ stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        endIncarnation(of: stream, &core)
        core.streams.remove(stream)
        announceChange(of: stream.name, at: now, &core)
    }
}
