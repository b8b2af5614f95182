import ReflectorModel
import RelayWire

/// Packets of hot streams: a packet of a merged twin feed stands for the packet of the stream's own incarnation with the
/// same payload (SMPTE ST 2022-7, in a tree). Payloads are compared whenever both feeds bring a number, and a twin that
/// differs even once must learn its numbers again before it is used.
extension Receiver {
    /// What to do with a packet of a hot stream.
    enum Merging {
        /// It is a packet of the stream's own incarnation.
        case own
        /// It stands for the packet with this number.
        case standsFor(UInt64)
        /// It brings nothing.
        case nothing
    }

    /// The key of a packet that is not sealed with the key of the stream's own incarnation. Nil if there is none: then the
    /// packet was counted.
    func otherKey(
        for header: DataHeader, _ incarnation: IncarnationState, _ path: StreamPath?, _ core: inout NodeCore
    ) -> SealKey? {
        if header.tag == incarnation.tag {
            return incarnation.takeTwinKey(core.crypto) ?? reject(.rejectedBadSeal, &core)
        }
        // An entrypoint's feed comes from its encoder: it merges nothing.
        guard let twin = path?.twin, twin.tag == header.tag, header.kind != .twin else {
            return reject(.rejectedUnknownIncarnation, &core)
        }
        return twin.key
    }

    /// Compares a packet with the other feeds of its stream, and learns from it.
    func merge(
        _ arrival: borrowing Arrival, _ hot: HotStream, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Merging {
        let (stream, header) = (arrival.stream, arrival.header)
        guard let incarnation = stream.incarnation else { return .nothing }
        if header.tag == incarnation.tag {
            if !header.isFiller {
                noteOwn(header.sequence.rawValue, FixedHash.payload(arrival.payload), of: stream, hot, at: now, &core)
            }
            return .own
        }
        guard let path = arrival.path, let twin = path.twin, !header.isFiller else { return .nothing }
        let hash = FixedHash.payload(arrival.payload)
        let isNewlyMerged = path.noteFeed(header.sequence.rawValue, hash, against: hot.payloads)
        guard twin.isMerged else {
            if isNewlyMerged { noteMerged(path, hot, &core) }
            return .nothing
        }
        return compare(header.sequence.rawValue, hash, of: twin, on: path, of: stream, incarnation, hot, at: now, &core)
    }

    /// A packet of the stream's own incarnation, from a parent.
    private func noteOwn(
        _ number: UInt64, _ hash: UInt64, of stream: StreamState, _ hot: HotStream, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        switch hot.compare(number, hash, of: HotStream.own) {
        case .repeated: return
        case .unknown: break
        case .agrees: core.context.count(.twinPacketsAgreed)
        case .differs(let mark):
            if let path = stream.paths.all.first(where: { $0.bit == mark && $0.twin?.isMerged == true }) {
                suspend(path, of: stream, at: now, &core)
            }
        }
        learn(number, hash, from: nil, of: stream, hot, &core)
    }

    /// Twins that are not merged yet learn from a packet with a number of the stream's own incarnation.
    private func learn(
        _ number: UInt64, _ hash: UInt64, from source: StreamPath?, of stream: StreamState, _ hot: HotStream,
        _ core: inout NodeCore
    ) {
        for path in stream.paths.all where path !== source {
            if path.noteOwn(number, hash) { noteMerged(path, hot, &core) }
        }
    }

    /// A packet of a merged twin.
    private func compare(
        _ feedNumber: UInt64, _ hash: UInt64, of twin: TwinFeed, on path: StreamPath, of stream: StreamState,
        _ incarnation: IncarnationState, _ hot: HotStream, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Merging {
        let isPlausible = twin.ownNumber(feedNumber).map {
            hot.isPlausible(
                $0, after: incarnation.index.highest, rate: stream.arrivals.rate.perSecond(at: now),
                silence: now - stream.arrivals.lastKept)
        }
        guard isPlausible == true, let number = twin.ownNumber(feedNumber) else {
            suspend(path, of: stream, at: now, &core)
            return .nothing
        }
        switch hot.compare(number, hash, of: path.bit) {
        case .differs:
            suspend(path, of: stream, at: now, &core)
            return .nothing
        case .agrees: core.context.count(.twinPacketsAgreed)
        case .unknown: learn(number, hash, from: path, of: stream, hot, &core)
        case .repeated: break
        }
        stream.arrivals.noteArrival(at: now)
        return .standsFor(number)
    }

    /// The packet under the number that it stands for. It is not sealed yet.
    func translate(_ arrival: borrowing Arrival, to number: UInt64, _ core: borrowing NodeCore) -> Arrival? {
        guard let incarnation = arrival.stream.incarnation else { return nil }
        var header = arrival.header
        header.tag = incarnation.tag
        header.sequence = SequenceNumber(number)
        header.kind = .twin
        let length = WireLimits.streamHeaderLength + arrival.payload.count + WireLimits.sealTagLength
        return Arrival(
            header: header, link: arrival.link, stream: arrival.stream, path: arrival.path,
            first: UnsafeRawBufferPointer(rebasing: core.context.sealing[..<length]), second: nil,
            payload: arrival.payload, isUnsealed: true)
    }

    /// Seals an accepted packet of a twin with the twin key. False if that is impossible, so that the packet must be
    /// dropped: the number was sealed before, or there is no room for the key.
    func seal(_ arrival: borrowing Arrival, _ core: inout NodeCore) -> Bool {
        guard let incarnation = arrival.stream.incarnation, let hot = arrival.stream.hot,
            let key = incarnation.takeTwinKey(core.crypto), hot.takeNumber(arrival.sequence)
        else { return false }
        let packet = core.context.sealing
        let (body, end) = (WireLimits.streamHeaderLength, WireLimits.streamHeaderLength + arrival.payload.count)
        DataHeader.writeStreamHeader(
            into: packet, tag: incarnation.tag, sequence: arrival.header.sequence, kind: .twin)
        let text = UnsafeMutableRawBufferPointer(rebasing: packet[body..<end])
        text.copyMemory(from: arrival.payload)
        core.crypto.seal(
            key, sequence: arrival.header.sequence, header: UnsafeRawBufferPointer(rebasing: packet[..<body]),
            payload: text, tag: UnsafeMutableRawBufferPointer(rebasing: packet[end..<end + WireLimits.sealTagLength]))
        arrival.path?.noteFilled()
        core.context.count(.twinPacketsFilled)
        return true
    }

    // MARK: States of a twin

    /// The path brings the stream's own packets from now on, under other numbers. It goes on after its newest packet: the
    /// own incarnation brings those before.
    private func noteMerged(_ path: StreamPath, _ hot: HotStream, _ core: inout NodeCore) {
        hot.noteMerged()
        core.context.count(.twinsMerged)
        if let newest = path.twin?.newest { path.notePlace(newest, linkNumber: path.newestLinkNumber) }
    }

    /// The twin's numbers are wrong: nothing of it is used until it has learned them again.
    private func suspend(_ path: StreamPath, of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        core.context.count(.twinMismatches)
        path.unmerge(isMismatch: true, at: now)
        stream.incarnation?.forgetPath(path.bit)
        core.clock.schedule(stream, now)
    }

    /// The numbers of the stream's own incarnation start over, or another incarnation has begun: all twins learn again.
    func forgetTwins(of stream: StreamState, at now: MonotonicInstant) {
        stream.hot?.restart()
        for path in stream.paths.all where path.twin != nil { path.unmerge(isMismatch: false, at: now) }
    }

    /// How long the stream takes to bring so many packets; at most 400 ms.
    func lag(of packets: UInt64, in stream: StreamState, at now: MonotonicInstant) -> TimeSpan {
        let rate = max(stream.arrivals.rate.perSecond(at: now), 50)
        return min(.nanoseconds(Int64(Double(min(packets, 1 << 20)) / rate * 1e9)), .milliseconds(400))
    }
}
