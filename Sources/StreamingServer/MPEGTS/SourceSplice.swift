import ReflectorModel

/// Splices a new source to the previous one. It holds the new one back until it knows how, and where decoders can
/// begin.
///
/// - Both carry the same bytes (one encoder that sends to two entrypoints): continues after the last byte that viewers
///   have, in the middle of an access unit if need be. Nothing is lost.
/// - Both carry the same program on the same clock: continues at the first random access point after the last access
///   unit that viewers have. Nothing is sent twice.
/// - Otherwise: begins at the next random access point, and sets `discontinuity_indicator` (ISO/IEC 13818-1 §2.4.3.5)
///   in the first packet of each PID: decoders then expect a new clock and new counters.
///
/// In the first two cases the continuity counters continue. Viewers notice nothing, or a gap.
struct SourceSplice {
    /// How a source was joined to the one before.
    enum Kind: Equatable {
        /// Not one byte is missing or repeated.
        case exact
        /// The clock continues, with a gap.
        case seamless
        case discontinuity
    }

    /// What to do now.
    struct Output {
        /// Packets to send to viewers.
        var bytes: [UInt8] = []
        /// Set when the first packets of the new source are sent.
        var kind: Kind?
        /// How long they were held back.
        var held = TimeSpan.zero
    }

    /// Longest time that the new source is held back.
    private static let heldMax = TimeSpan.seconds(3)
    /// Maximum number of bytes that are held back.
    private static let heldBytesMax = 8 << 20
    /// A PID that first appears later than this is not marked.
    private static let settledMax = TimeSpan.seconds(10)
    /// The clocks agree if the new source is at most this far behind where the old one would be now, or ahead of it, 90
    /// kHz. It is behind by the past that an entrypoint gives, at most 2 s.
    private static let behindMax = 5 * TimestampUnwrapper.ticksPerSecond
    private static let aheadMax = 3 * TimestampUnwrapper.ticksPerSecond
    /// Largest difference between the distances of clock reference and time stamps in the two sources, 90 kHz.
    private static let clockMax = TimestampUnwrapper.ticksPerSecond
    /// Longest gap in the time stamps, 90 kHz: players don't bridge a longer one.
    private static let gapMax = 10 * TimestampUnwrapper.ticksPerSecond
    /// How long to wait for the last packets of the old source, if its last access unit has been found.
    private static let samePacketsMax = TimeSpan.milliseconds(100)
    /// Bytes that prove that both sources carry the same, in a single access unit or before any tables.
    private static let proofBytes = 1_024

    private let reference: SpliceReference?
    private let begin: MonotonicInstant
    /// True while nothing of the new source has been sent.
    private(set) var isHolding = true
    private var gate: SpliceGate?
    /// Set after a discontinuity.
    private var marker: DiscontinuityMarker?
    /// Set after a seamless splice.
    private var rewriter: ContinuityRewriter?
    private var held: [UInt8] = []
    /// Takes the new source for the same program until its tables come: encoders may send those only every 2 s.
    private var scanner: TransportStreamScanner
    /// The access unit before the next one.
    private var unitBefore: TransportStreamScanner.AccessUnit?
    /// Where the two access units lie whose bytes viewers have, if the new source has them too.
    private var meeting: (previous: UInt64?, newest: UInt64)?

    /// When the last bytes of the old source were found in the new one.
    private var metAt: MonotonicInstant?

    /// - Parameter reference: where viewers stand in the old source; nil if that is not known.
    init(after reference: SpliceReference?, at now: MonotonicInstant) {
        self.reference = reference
        scanner = TransportStreamScanner(expecting: reference?.program.map)
        begin = now
    }

    /// Bytes held back.
    var heldBytes: Int { held.count }

    /// True if everything passes unchanged from now on.
    func isOver(at now: MonotonicInstant) -> Bool {
        !isHolding && now - begin > Self.settledMax && rewriter?.isIdentity ?? true
    }

    /// Processes whole packets of the new source, and returns those to send to viewers now.
    mutating func take(_ packets: Span<UInt8>, at now: MonotonicInstant) -> Output {
        guard isHolding else { return Output(bytes: pass(packets, from: nil, at: now)) }
        let offset = UInt64(held.count)
        for index in 0..<packets.count { held.append(packets[index]) }
        scanner.scan(packets, at: offset)
        var points: [TransportStreamScanner.AccessUnit] = []
        for case .unit(let unit) in scanner.events {
            if let newest = reference?.leading.newest, newest == unit.stamps {
                meeting = (unitBefore?.offset, unit.offset)
            }
            unitBefore = unit
            if unit.randomAccess { points.append(unit) }
        }
        let isLate = held.count > Self.heldBytesMax || now - begin > Self.heldMax
        if let output = meet(at: now), output.kind != nil || !isLate { return output }
        for point in points where scanner.program.tables != nil {
            if let output = join(point, at: now) { return output }
        }
        return isLate ? release(.discontinuity, from: 0, at: now) : Output()
    }

    /// Packets of the new source were lost.
    mutating func onLoss() {
        scanner.reset(isOtherSource: false)
        gate?.onLoss()
    }

    /// Ends the splice at the end of the stream, and returns the packets still held.
    mutating func finish(at now: MonotonicInstant) -> Output {
        isHolding && !held.isEmpty ? release(.discontinuity, from: 0, at: now) : Output()
    }

    // MARK: Where to join

    /// Continues after the last byte that viewers have, if the new source has the same bytes before it. Nil to go on
    /// looking.
    private mutating func meet(at now: MonotonicInstant) -> Output? {
        guard let meeting, let reference else { return nil }
        let hasTables = scanner.program.map != nil
        guard !hasTables || reference.isAlike(scanner.program) else { return nil }
        let pid = reference.leading.pid
        var known = reference.leadingEnd[...]
        if meeting.previous == nil { known = known.suffix(reference.count(pid) ?? 0) }
        guard hasTables && meeting.previous != nil || known.count >= Self.proofBytes else {
            // Tables may come and be proof enough.
            if meeting.previous == nil { self.meeting = nil }
            return nil
        }
        let start = Int(meeting.previous ?? meeting.newest)
        let found = SpliceReference.payload(of: pid, in: held.span, from: start, countMax: known.count)
        guard !known.isEmpty, found.elementsEqual(known.prefix(found.count)) else {
            self.meeting = nil
            return nil
        }
        // The rest is still to come.
        guard found.count == known.count else { return Output() }
        // The packets are the same too, as far as they are here.
        if let end = reference.end(in: held) { return release(.exact, from: end, at: now) }
        if metAt == nil { metAt = now }
        if !reference.lastPackets.isEmpty, let metAt, now - metAt < Self.samePacketsMax { return Output() }
        gate = SpliceGate(after: reference, point: nil, at: now)
        return release(.exact, from: 0, at: now)
    }

    /// Joins at this random access point, if it is the right one.
    private mutating func join(_ point: TransportStreamScanner.AccessUnit, at now: MonotonicInstant) -> Output? {
        guard let reference, agrees(with: reference, at: point, now: now) else {
            return release(.discontinuity, from: Int(point.offset), at: now)
        }
        let gap = TimestampUnwrapper.distance(from: reference.leading.newest.decoding, to: point.stamps.decoding)
        let shown = TimestampUnwrapper.distance(from: reference.leading.presentationMax, to: point.timestamp)
        guard gap > 0, shown > 0 else { return nil }
        gate = SpliceGate(after: reference, point: (point.offset, point.timestamp), at: now)
        return release(.seamless, from: 0, at: now)
    }

    /// True if the new source carries the same program on the same clock: if its time stamps are about those of the old
    /// source, plus the time since.
    private func agrees(
        with reference: SpliceReference, at point: TransportStreamScanner.AccessUnit, now: MonotonicInstant
    ) -> Bool {
        guard reference.isAlike(scanner.program) else { return false }
        let old = reference.leading.newest.decoding
        let new = point.stamps.decoding
        let elapsed = (now - reference.arrival).ticks
        let ahead = TimestampUnwrapper.distance(from: old &+ UInt64(bitPattern: elapsed), to: new)
        guard (-Self.behindMax...Self.aheadMax).contains(ahead),
            TimestampUnwrapper.distance(from: old, to: new) <= Self.gapMax
        else { return false }
        guard let oldClock = reference.position.clock, let newClock = scanner.position.clock,
            let newest = scanner.position.track(reference.leading.pid)?.newest.decoding
        else { return (reference.position.clock == nil) == (scanner.position.clock == nil) }
        let lead = TimestampUnwrapper.distance(from: oldClock, to: old)
        return abs(TimestampUnwrapper.distance(from: newClock, to: newest) - lead) <= Self.clockMax
    }

    // MARK: Sending

    private mutating func release(_ kind: Kind, from start: Int, at now: MonotonicInstant) -> Output {
        let tables = scanner.program.tables ?? []
        let bytes = held
        held = []
        isHolding = false
        var output = Output(kind: kind, held: now - begin)
        if kind == .discontinuity {
            marker = DiscontinuityMarker()
            gate = scanner.program.map.map { SpliceGate(streams: $0.streams, at: now) }
            output.bytes = pass(tables.span, from: nil, at: now)
        } else if let reference {
            var rewriter = ContinuityRewriter(after: reference.position)
            // Where the same bytes continue, nothing is added: segments then have the same names at all edges.
            if kind == .seamless { output.bytes = tables }
            for index in stride(from: 0, to: output.bytes.count, by: TransportPacket.length) {
                let pid = UInt16(tables[index + 1] & 0x1f) << 8 | UInt16(tables[index + 2])
                rewriter.insert(pid, &output.bytes, at: index)
            }
            self.rewriter = rewriter
        }
        output.bytes += pass(bytes.span.extracting(start..<bytes.count), from: UInt64(start), at: now)
        return output
    }

    /// - Parameter offset: the place of the packets in the held ones; nil after them.
    private mutating func pass(_ packets: Span<UInt8>, from offset: UInt64?, at now: MonotonicInstant) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(packets.count + 8 * TransportPacket.length)
        var index = 0
        while packets.count - index >= TransportPacket.length {
            let packet = packets.extracting(index..<index + TransportPacket.length)
            pass(packet, at: offset.map { $0 + UInt64(index) }, now: now, into: &result)
            index += TransportPacket.length
        }
        if gate?.isOpen ?? false { gate = nil }
        return result
    }

    private mutating func pass(
        _ packet: Span<UInt8>, at offset: UInt64?, now: MonotonicInstant, into result: inout [UInt8]
    ) {
        let start = result.count
        for at in 0..<packet.count { result.append(packet[at]) }
        guard var header = TransportPacket(packet) else { return }
        switch gate?.passage(of: header, packet, at: offset, now: now) ?? .pass {
        case .pass: break
        case .drop:
            result.removeSubrange(start...)
            rewriter?.leaveOut(header.pid)
            return
        case .trim(let count):
            PacketEdit.trimPayload(count, header, &result, at: start)
            header.payload = header.payload.dropFirst(count)
        }
        if gate?.removesClock(of: header) ?? false { PacketEdit.removeClock(&result, at: start) }
        rewriter?.rewrite(header, &result, at: start)
        marker?.mark(header, packet, &result, at: start)
    }
}

extension TransportStreamScanner.AccessUnit {
    var stamps: PacketStamps { PacketStamps(presentation: timestamp, decoding: decoding ?? timestamp) }
}

extension TimeSpan {
    /// In ticks of 90 kHz.
    fileprivate var ticks: Int64 { nanoseconds / 100_000 * 9 }
}
