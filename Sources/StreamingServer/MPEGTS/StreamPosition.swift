/// How far a stream has come: the newest time stamps and the last continuity counter of each PID. A splice compares the
/// positions of two sources, and continues the older one.
struct StreamPosition {
    /// The newest PES packet of one elementary stream.
    struct Track: Equatable {
        let pid: UInt16
        /// Its time stamps.
        fileprivate(set) var newest: PacketStamps
        /// The highest presentation time stamp so far, 33 bits of 90 kHz.
        fileprivate(set) var presentationMax: UInt64
        /// Longest recent distance between two PES packets, 90 kHz: so long may the newest one last.
        fileprivate(set) var step: Int64 = 0
        /// Where it begins in the stream.
        fileprivate(set) var start: UInt64
        /// Where the PES packet before it begins; nil for the first.
        fileprivate(set) var previousStart: UInt64?
    }

    /// A longer distance between two PES packets is a jump of the clock, not the length of one.
    private static let stepMax = TimestampUnwrapper.ticksPerSecond
    private static let pidCount = 1 << 13
    private static let unseen: UInt8 = 0xff

    /// One entry for each elementary stream of the program that has sent a time stamp; `ProgramMap` bounds their number.
    private(set) var tracks: [Track] = []
    /// The newest `program_clock_reference_base` of the program, 33 bits of 90 kHz.
    private(set) var clock: UInt64?
    /// The last counter of each PID; empty before the first packet.
    private var counters: [UInt8] = []

    /// The last `continuity_counter` of the PID; nil if the PID has not been seen.
    func counter(_ pid: UInt16) -> UInt8? {
        guard !counters.isEmpty, counters[Int(pid)] != Self.unseen else { return nil }
        return counters[Int(pid)]
    }

    /// The elementary stream of that PID, if it has sent a time stamp.
    func track(_ pid: UInt16) -> Track? { tracks.first { $0.pid == pid } }

    /// Processes the next packet of any PID.
    mutating func note(_ header: TransportPacket, _ bytes: Span<UInt8>, at offset: UInt64, map: ProgramMap?) {
        if counters.isEmpty { counters = [UInt8](repeating: Self.unseen, count: Self.pidCount) }
        counters[Int(header.pid)] = header.continuity
        guard let map else { return }
        if let clock = header.programClock, header.pid == map.clockPID { self.clock = clock }
        guard header.payloadUnitStart, !header.isScrambled, map.streams.contains(where: { $0.pid == header.pid }),
            let stamps = PacketStamps(header, bytes)
        else { return }
        note(stamps, header.pid, at: offset)
    }

    /// The program has other elementary streams now: forgets those that it no longer has.
    mutating func follow(_ map: ProgramMap?) {
        tracks.removeAll { track in !(map?.streams.contains { $0.pid == track.pid } ?? false) }
    }

    private mutating func note(_ stamps: PacketStamps, _ pid: UInt16, at offset: UInt64) {
        guard let index = tracks.firstIndex(where: { $0.pid == pid }) else {
            tracks.append(
                Track(pid: pid, newest: stamps, presentationMax: stamps.presentation, start: offset))
            return
        }
        let before = tracks[index]
        let step = TimestampUnwrapper.distance(from: before.newest.decoding, to: stamps.decoding)
        tracks[index].step = (0...Self.stepMax).contains(step) ? max(step, before.step - before.step / 8) : 0
        let ahead = TimestampUnwrapper.distance(from: before.presentationMax, to: stamps.presentation)
        // A large step back is a jump of the clock, not reordering.
        if ahead > 0 || ahead < -Self.stepMax { tracks[index].presentationMax = stamps.presentation }
        tracks[index].newest = stamps
        tracks[index].previousStart = before.start
        tracks[index].start = offset
    }
}

/// The time stamps of a PES packet (ISO/IEC 13818-1 §2.4.3.7), 33 bits of 90 kHz.
struct PacketStamps: Equatable {
    var presentation: UInt64
    /// Equal to `presentation` if the packet has only one time stamp.
    var decoding: UInt64

    init(presentation: UInt64, decoding: UInt64) {
        self.presentation = presentation
        self.decoding = decoding
    }

    /// Nil if the packet begins no PES packet with a time stamp, or does not contain the whole of it.
    init?(_ header: TransportPacket, _ bytes: Span<UInt8>) {
        let start = header.payload.lowerBound
        guard header.payloadUnitStart, bytes.count - start >= 14 else { return nil }
        guard bytes[start] == 0, bytes[start + 1] == 0, bytes[start + 2] == 1 else { return nil }
        guard bytes[start + 6] & 0xc0 == 0x80, bytes[start + 7] & 0x80 != 0, bytes[start + 8] >= 5,
            let presentation = Self.stamp(bytes, at: start + 9)
        else { return nil }
        self.presentation = presentation
        decoding = presentation
        guard bytes[start + 7] & 0x40 != 0, bytes[start + 8] >= 10, bytes.count - start >= 19 else { return }
        decoding = Self.stamp(bytes, at: start + 14) ?? presentation
    }

    /// The time stamp whose five bytes begin at `index`; nil if a marker bit is missing.
    static func stamp(_ bytes: Span<UInt8>, at index: Int) -> UInt64? {
        guard bytes[index] & 0x01 == 1, bytes[index + 2] & 0x01 == 1, bytes[index + 4] & 0x01 == 1 else { return nil }
        let high = UInt64(bytes[index] >> 1 & 0x07) << 30 | UInt64(bytes[index + 1]) << 22
        return high | UInt64(bytes[index + 2] >> 1) << 15 | UInt64(bytes[index + 3]) << 7 | UInt64(bytes[index + 4])
            >> 1
    }
}
