import ReflectorModel

/// Decides for each PID of a new source from which packet on viewers get it: where the old source stopped, so that no
/// time stamp comes twice, and never in the middle of a PES packet whose start they don't have.
struct SpliceGate {
    private enum Gate {
        case open
        /// Opens with the next PES packet.
        case start
        /// Opens with the PES packet that begins at this byte of the held packets: a random access point.
        case at(UInt64)
        /// The random access point passes; pictures that follow it and are shown before it cannot be decoded.
        case shownFrom(UInt64)
        case dropping(shownFrom: UInt64)
        /// Opens with the first PES packet whose decoding time stamp is not before this.
        case from(UInt64)
        /// Opens in the middle of the PES packet with these time stamps, after this many bytes; or after it.
        case within(PacketStamps, count: Int, orFrom: UInt64)
        case skipping(count: Int, orFrom: UInt64)
    }

    /// What to do with a packet.
    enum Passage: Equatable {
        case pass
        case drop
        /// Drop this many bytes of the payload.
        case trim(Int)
    }

    /// The new source's audio may begin this much before the end of the old one's, 90 kHz: encoders round.
    private static let toleranceTicks = 90
    /// An elementary stream whose time stamps don't fit passes after this time.
    private static let shutMax = TimeSpan.seconds(2)

    /// The elementary streams; the PMT bounds their number.
    private var gates: [(pid: UInt16, gate: Gate)] = []
    /// PIDs without a gate pass after the leading one only.
    private var leading: UInt16?
    private let begin: MonotonicInstant
    /// Clock references up to this one are removed.
    private var clock: UInt64?
    private var clockPID: UInt16?

    /// Every elementary stream begins with its next PES packet, everything else at once.
    init(streams: [ProgramMap.ElementaryStream], at now: MonotonicInstant) {
        begin = now
        gates = streams.map { ($0.pid, .start) }
    }

    /// Every elementary stream continues after its end in the old source.
    /// - Parameter point: the leading stream's random access point and its place; nil to continue in the middle of the
    ///   old source's last access unit.
    init(after reference: SpliceReference, point: (offset: UInt64, presentation: UInt64)?, at now: MonotonicInstant) {
        begin = now
        leading = reference.leading.pid
        clock = reference.position.clock
        clockPID = reference.program.map?.clockPID
        for track in reference.position.tracks {
            let end = (track.newest.decoding &+ UInt64(max(track.step, 1))) & TransportPacket.timestampMask
            let from =
                (end &- UInt64(track.step > Int64(Self.toleranceTicks) ? Self.toleranceTicks : 0))
                & TransportPacket.timestampMask
            if let point {
                gates.append((track.pid, track.pid == leading ? .at(point.offset) : .from(from)))
            } else if let count = reference.count(track.pid) {
                gates.append((track.pid, .within(track.newest, count: count, orFrom: from)))
            } else {
                gates.append((track.pid, .from(from)))
            }
        }
    }

    /// True if everything passes from now on.
    var isOpen: Bool {
        leading == nil && clock == nil && gates.indices.allSatisfy { isOpen($0) }
    }

    private func isOpen(_ index: Int) -> Bool { if case .open = gates[index].gate { true } else { false } }

    /// Packets were lost: bytes can no longer be counted.
    mutating func onLoss() {
        for index in gates.indices {
            switch gates[index].gate {
            case .within(_, _, let from), .skipping(_, let from): gates[index].gate = .from(from)
            case .open, .start, .at, .shownFrom, .dropping, .from: break
            }
        }
    }

    /// - Parameter offset: the packet's place; nil after the held packets.
    mutating func passage(
        of header: TransportPacket, _ packet: Span<UInt8>, at offset: UInt64?, now: MonotonicInstant
    ) -> Passage {
        if now - begin > Self.shutMax { openLate() }
        guard let index = gates.firstIndex(where: { $0.pid == header.pid }) else {
            return leading == nil ? .pass : .drop
        }
        let passage = passage(index, header, packet, at: offset)
        if header.pid == leading, passage != .drop || isOpen(index) { leading = nil }
        return passage
    }

    /// True if the packet's clock reference would go back.
    mutating func removesClock(of header: TransportPacket) -> Bool {
        guard let clock, header.pid == clockPID, let new = header.programClock else { return false }
        if TimestampUnwrapper.distance(from: clock, to: new) <= 0 { return true }
        self.clock = nil
        return false
    }

    private mutating func openLate() {
        clock = nil
        leading = nil
        for index in gates.indices {
            switch gates[index].gate {
            case .open: break
            case .shownFrom: gates[index].gate = .open
            case .start, .at, .dropping, .from, .within, .skipping: gates[index].gate = .start
            }
        }
    }

    private mutating func passage(
        _ index: Int, _ header: TransportPacket, _ packet: Span<UInt8>, at offset: UInt64?
    ) -> Passage {
        switch gates[index].gate {
        case .open: return .pass
        case .start:
            guard header.payloadUnitStart else { return .drop }
            gates[index].gate = .open
            return .pass
        case .at(let place):
            guard offset == place else { return .drop }
            let shown = PacketStamps(header, packet)?.presentation
            if let shown { gates[index].gate = .shownFrom(shown) } else { gates[index].gate = .open }
            return .pass
        case .shownFrom(let shown):
            guard header.payloadUnitStart else { return .pass }
            return passShown(index, from: shown, header, packet)
        case .dropping(let shown):
            guard header.payloadUnitStart else { return .drop }
            return passShown(index, from: shown, header, packet)
        case .from(let from):
            guard let stamps = PacketStamps(header, packet),
                TimestampUnwrapper.distance(from: from, to: stamps.decoding) >= 0
            else { return .drop }
            gates[index].gate = .open
            return .pass
        case .within(let newest, let count, let from):
            guard let stamps = PacketStamps(header, packet) else { return .drop }
            if stamps == newest { return skip(index, count: count, from: from, header) }
            guard TimestampUnwrapper.distance(from: from, to: stamps.decoding) >= 0 else { return .drop }
            gates[index].gate = .open
            return .pass
        case .skipping(let count, let from):
            guard header.payloadUnitStart else { return skip(index, count: count, from: from, header) }
            // The packet is shorter than in the old source.
            gates[index].gate = .from(from)
            return passage(index, header, packet, at: offset)
        }
    }

    /// Pictures that are shown before the random access point come directly after it.
    private mutating func passShown(
        _ index: Int, from shown: UInt64, _ header: TransportPacket, _ packet: Span<UInt8>
    ) -> Passage {
        if let stamps = PacketStamps(header, packet),
            TimestampUnwrapper.distance(from: shown, to: stamps.presentation) < 0
        {
            gates[index].gate = .dropping(shownFrom: shown)
            return .drop
        }
        gates[index].gate = .open
        return .pass
    }

    private mutating func skip(_ index: Int, count: Int, from: UInt64, _ header: TransportPacket) -> Passage {
        guard count > 0 else {
            gates[index].gate = .open
            return .pass
        }
        if count >= header.payload.count {
            gates[index].gate = .skipping(count: count - header.payload.count, orFrom: from)
            // With nothing left to skip, the next packet passes whole.
            if count == header.payload.count { gates[index].gate = .open }
            return .drop
        }
        gates[index].gate = .open
        return .trim(count)
    }
}
