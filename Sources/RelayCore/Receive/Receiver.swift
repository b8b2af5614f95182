import ReflectorModel
import RelayWire

/// Incoming stream packets: verified first, then checked for missing packets before them, and stored. A packet that
/// fails verification only increments a counter, so that forged data poisons neither the log nor deduplication.
///
/// The node calls `open`, `noteArrival`, `accept`, `store`, and at an edge `nextStep`, in this order. Between these
/// calls it runs other parts: a packet can make a path live, or make children restart.
///
/// ```
/// datagram ─▶ open ─▶ noteArrival ─▶ accept ─▶ store ─▶ children's queues
///                          └▶ gaps ─▶ askForGaps ─▶ NAKs      └▶ nextStep ─▶ StreamSink (edge)
/// ```
struct Receiver: ~Copyable {
    /// A verified packet.
    struct Arrival: ~Copyable {
        let header: DataHeader
        let link: ParentLink
        let stream: StreamState
        /// Nil for a stream that is no longer fetched on this link.
        let path: StreamPath?
        /// The bytes for the log: the sealed packet if the node forwards it, else stream header and payload.
        let first: UnsafeRawBufferPointer
        let second: UnsafeRawBufferPointer?
        let payload: UnsafeRawBufferPointer
        /// The packet is from a twin feed, and `first` is where it will be sealed under its own number.
        var isUnsealed = false
        /// The path whose feed on the LAN brought the packet, although the path does not use the feed.
        var listening: StreamPath?

        var sequence: UInt64 { header.sequence.rawValue }
        var payloadLength: Int {
            first.count + (second?.count ?? -WireLimits.sealTagLength) - WireLimits.streamHeaderLength
        }
    }

    enum Acceptance {
        /// A duplicate, or rejected; it has been counted.
        case dropped
        case new
        /// New, and so far ahead that the packets held are given up. `lost` is the number of packets lost; nil if this
        /// node delivers nothing.
        case jumped(lost: UInt64?)
        /// New, and below the number that the parent named as its oldest: the children must restart from this packet.
        case startsLower
    }

    /// Present at an edge.
    let playOut: PlayOut?

    /// The node forwards packets, so it keeps them sealed.
    let forwards: Bool

    init(playOut: consuming PlayOut?, forwards: Bool) {
        self.playOut = playOut
        self.forwards = forwards
    }

    /// True at an edge: streams end here.
    @inline(__always) var handsOut: Bool { playOut != nil }
    /// The sink of an edge. The node calls it, not the receiver, because the sink may call the node.
    var sink: (any StreamSink)? {
        switch playOut {
        case .some(let playOut): playOut.sink
        case .none: nil
        }
    }

    // MARK: The steps for one packet

    /// Verifies a datagram. Nil if it was dropped and counted.
    @inline(__always)
    func open(
        _ datagram: UnsafeRawBufferPointer, from source: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore
    ) throws(WireError) -> Arrival? {
        let header = try DataHeader(parsing: datagram)
        // The token is that of a link, or that of a feed on the LAN.
        let (parent, fed) = carrier(header.token, &core)
        guard let link = parent, link.isAlive else { return reject(.rejectedUnknownToken, &core) }
        guard link.remote == source else { return reject(.rejectedWrongAddress, &core) }
        guard let stream = core.streams.stream(tag: header.tag) else {
            return reject(.rejectedUnknownIncarnation, &core)
        }
        // The path is looked up before the seal is verified, not after: if the state of a thousand streams has left the
        // processor's caches, the path and the key are then fetched from memory together.
        let path = stream.paths.path(on: link)
        guard let incarnation = stream.incarnation, fed == nil || fed === path && header.tag == incarnation.tag else {
            return reject(.rejectedUnknownIncarnation, &core)
        }
        var key = incarnation.key
        if header.tag != incarnation.tag || header.kind == .twin {
            guard let other = otherKey(for: header, incarnation, path, &core) else { return nil }
            key = other
        }
        let sealed = UnsafeRawBufferPointer(rebasing: datagram[WireLimits.linkHeaderLength...])
        let streamHeader = UnsafeRawBufferPointer(rebasing: sealed[..<WireLimits.streamHeaderLength])
        let cipherEnd = sealed.count - WireLimits.sealTagLength
        let ciphertext = UnsafeRawBufferPointer(rebasing: sealed[WireLimits.streamHeaderLength..<cipherEnd])
        let plaintext = UnsafeMutableRawBufferPointer(rebasing: core.context.scratch[..<ciphertext.count])
        guard
            core.crypto.open(
                key, sequence: header.sequence, header: streamHeader, ciphertext: ciphertext,
                tag: UnsafeRawBufferPointer(rebasing: sealed[cipherEnd...]), into: plaintext)
                || !core.configuration.regionRules.verifies
        else { return reject(.rejectedBadSeal, &core) }

        if fed == nil { link.noteHeard(at: now) }
        let place = fed == nil ? link.window.note(header.linkNumber) : fed?.noteFed(header.linkNumber, at: now)
        guard let behind = place else { return reject(.duplicates, &core) }
        if behind > 0, fed == nil { link.reordering.note(behind: behind, late: .zero, at: now) }
        if behind > 0, fed?.isOnLAN == true { fed?.noteReordering(behind: behind, late: .zero, at: now) }
        core.context.count(.dataReceived)
        if header.tag == incarnation.tag { stream.arrivals.noteArrival(at: now) }
        if fed != nil { core.context.count(.lanReceived) }
        // A path counts in the numbers of the feed or of the link, never in both.
        let counts = path?.isOnLAN != true ? fed == nil : fed != nil || header.retransmitted
        if counts { path?.noteArrival(at: now) }
        let payload = UnsafeRawBufferPointer(plaintext)
        return Arrival(
            header: header, link: link, stream: stream, path: counts ? path : nil,
            first: forwards ? sealed : streamHeader, second: forwards ? nil : payload, payload: payload,
            listening: counts ? nil : fed)
    }

    /// The link that a token identifies or, for that of a feed on the LAN, the link to its sender and the path.
    @inline(__always)
    private func carrier(_ token: UInt64, _ core: inout NodeCore) -> (link: ParentLink?, fed: StreamPath?) {
        if let link = core.links.parent(token: token) { return (link, nil) }
        let path = core.lan.path(token: token)
        return (path?.link, path)
    }

    @inline(__always)
    func reject<Result: ~Copyable>(_ reason: RelayCounter, _ core: inout NodeCore) -> Result? {
        core.context.count(reason)
        return nil
    }

    /// Decides whether to keep a packet.
    @inline(__always)
    func accept(_ arrival: borrowing Arrival, at now: MonotonicInstant, _ core: inout NodeCore) -> Acceptance {
        let (stream, sequence) = (arrival.stream, arrival.sequence)
        guard let incarnation = stream.incarnation else { return drop(.rejectedTooOld, &core) }
        switch incarnation.reception(
            of: sequence, core.log, isStranded: !arrival.isUnsealed && isStranded(stream, at: now))
        {
        case .held(let slot):
            if !arrival.header.retransmitted { arrival.path?.noteLag(now - core.log[slot].arrival) }
            stream.arrivals.noteDuplicate()
            return drop(.duplicates, &core)
        case .past:
            stream.arrivals.noteLate()
            return drop(.duplicates, &core)
        case .rejected(let reason): return drop(reason, &core)
        case .jump: return .jumped(lost: jump(stream, incarnation, to: sequence, &core))
        case .new:
            guard incarnation.index.isEmpty, sequence < incarnation.start else { return .new }
            incarnation.lowerStart(to: sequence)
            return stream.children.isEmpty ? .new : .startsLower
        }
    }

    @inline(__always)
    private func drop(_ reason: RelayCounter, _ core: inout NodeCore) -> Acceptance {
        core.context.count(reason)
        return .dropped
    }

    /// Stores an accepted packet. Returns its slot in the log; nil if the stream has ended in the meantime.
    @inline(__always)
    func store(
        _ arrival: borrowing Arrival, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> (slot: Int32, isRepair: Bool)? {
        let (stream, sequence, header) = (arrival.stream, arrival.sequence, arrival.header)
        guard let incarnation = stream.incarnation else { return nil }
        let slot = core.log.append(
            tag: header.tag, sequence: header.sequence, arrival: now, isFiller: header.isFiller, arrival.first,
            arrival.second)
        let gap = incarnation.closeGap(sequence)
        let isRepair = gap.map { header.retransmitted || $0.tries > 0 } ?? false
        if isRepair {
            stream.arrivals.noteRepair()
            core.context.count(.repaired)
        }
        if let path = arrival.path, !header.retransmitted {
            path.noteLag(.zero)
            if let gap, gap.lostOn & path.bit != 0 { noteReordered(gap, on: path, at: now, &core) }
        }
        stream.arrivals.noteKept(at: now)
        noteHoles(before: sequence, isAhead: arrival.isUnsealed, in: stream, incarnation, at: now, &core)
        incarnation.insert(sequence, slot: slot)
        stream.arrivals.noteRate(at: now)
        incarnation.lowerStart(to: sequence)
        if header.isFiller {
            core.context.count(.fillerReceived)
        } else {
            stream.arrivals.notePayload(bytes: arrival.payloadLength)
        }
        return (slot, isRepair)
    }

    // MARK: Jumps in the sequence numbers

    /// Whether no new packet of the stream has arrived for so long that its known position may be wrong.
    func isStranded(_ stream: StreamState, at now: MonotonicInstant) -> Bool {
        now - stream.arrivals.lastKept >= Self.strandedAfter
    }

    private static var strandedAfter: TimeSpan { .seconds(1) }

    /// The new packet is too far ahead of the packets held, for example after a long sleep: the stream restarts at it.
    /// Returns the number of packets lost; nil if this node delivers nothing.
    private func jump(
        _ stream: StreamState, _ incarnation: IncarnationState, to sequence: UInt64, _ core: inout NodeCore
    ) -> UInt64? {
        guard let lost = incarnation.giveUp(below: sequence) else { return nil }
        stream.deliveries.noteLost(lost)
        core.context.count(.lost, lost)
        return lost
    }

    /// A fresh reply from a parent says that the stream is far behind the position known here, and for a while no
    /// packet that fits the known position has arrived. So an earlier message was forged or wrong, and the stream
    /// restarts at the parent's position. What was delivered before the first jump is not delivered again.
    ///
    /// - Returns: true if the stream restarts; then the sink must be told of a discontinuity, and the children must
    ///   restart.
    func rewind(
        _ stream: StreamState, to reply: SubscribeReply, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Bool {
        guard let incarnation = stream.incarnation, stream.origin == nil, reply.highest != .none else { return false }
        let place = max(incarnation.index.highest, incarnation.nextToDeliver, incarnation.start)
        guard place > reply.highest.rawValue + SequenceIndex.windowMax, isStranded(stream, at: now),
            now - (stream.arrivals.adoptedAt ?? .zero) >= Self.strandedAfter
        else { return false }
        core.context.count(.rewinds)
        stream.arrivals.noteKept(at: now)
        incarnation.rewind(to: reply.oldest.rawValue)
        for path in stream.paths.all { path.forgetPlace() }
        forgetTwins(of: stream, at: now)
        return true
    }
}
