import ReflectorModel

@testable import StreamingServer

/// A transport stream with the time at which each of its packets leaves the encoder: the newest decoding time stamp
/// before it.
struct TimedStream {
    var bytes: [UInt8]
    /// Seconds since the first time stamp, one for each packet.
    private(set) var times: [Double] = []

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var scanner = TransportStreamScanner()
        var first: UInt64?
        var now = 0.0
        for start in stride(from: 0, to: bytes.count, by: 188) {
            scanner.scan(bytes.span.extracting(start..<start + 188), at: UInt64(start))
            if let pid = scanner.program.map?.leading?.pid, let track = scanner.position.track(pid) {
                if first == nil { first = track.newest.decoding }
                let ticks = TimestampUnwrapper.distance(from: first ?? 0, to: track.newest.decoding)
                now = max(now, Double(ticks) / 90_000)
            }
            times.append(now)
        }
    }

    /// The packets that leave the encoder in this time.
    func packets(_ span: Range<Double>) -> [UInt8] {
        let first = times.firstIndex { $0 >= span.lowerBound } ?? times.count
        let end = times.firstIndex { $0 >= span.upperBound } ?? times.count
        return Array(bytes[(first * 188)..<(max(first, end) * 188)])
    }
}

/// An edge whose stream changes its source, with one progressive viewer and one that reads playlists. Without sockets,
/// and in virtual time.
struct SpliceEdge {
    private(set) var state: LiveStreamState
    /// Virtual seconds.
    var now = 100.0
    /// The bytes that the progressive viewer has got.
    private(set) var seen: [UInt8] = []
    private(set) var playlists: [String] = []
    private let viewer: UInt64
    private let clock = ContinuousClock.now

    init(_ configure: (inout LiveStreamConfiguration) -> Void = { _ in }) {
        var configuration = LiveStreamConfiguration()
        configuration.wallClockSeconds = { 1_800_000_000 }
        configure(&configuration)
        state = LiveStreamState(configuration: configuration, now: clock)
        viewer = state.attach(isProgressive: true) {} ?? 0
    }

    /// Delivers packets in `seconds`, in payloads of an entrypoint.
    mutating func deliver(_ packets: [UInt8], seconds: Double) {
        let count = (packets.count + 1315) / 1316
        for index in 0..<count {
            now += seconds / Double(count)
            let piece = packets[(index * 1316)..<min((index + 1) * 1316, packets.count)]
            let instant = MonotonicInstant(nanoseconds: Int64(now * 1e9))
            piece.withUnsafeBytes { _ = state.deliver($0, at: instant, clock: clock + .seconds(now)) }
            if index % 8 == 0 { look() }
        }
        look()
    }

    /// The source dies; another follows.
    mutating func changeSource(after outage: Double = 1) {
        now += outage
        state.discontinuity(isOtherSource: true, clock: clock + .seconds(now))
    }

    mutating func end() {
        _ = state.end(.ended("done"))
        look()
    }

    private mutating func look() {
        while case .bytes(let slices) = state.read(viewer) { for slice in slices { seen += slice.readableBytesView } }
        state.touch(clock + .seconds(now))
        guard let text = state.playlist(clock + .seconds(now)), text != playlists.last else { return }
        playlists.append(text)
    }

    /// The usual change: `old` dies at `end` of its time; after `outage` seconds comes `new`, with `past` seconds of its
    /// past in a burst, and then `more` seconds.
    static func change(
        from old: TimedStream, to new: TimedStream, at end: Double, outage: Double = 1, past: Double = 2,
        more: Double = 7,
        halfPayload: Int = 0, lag: Double = 0
    ) -> SpliceEdge {
        var edge = SpliceEdge()
        let last = old.packets(0..<end)
        edge.deliver(Array(last.dropLast(halfPayload)), seconds: end)
        edge.changeSource(after: outage)
        let live = end + outage - lag
        edge.deliver(new.packets(max(0, live - past)..<live), seconds: 0.1)
        edge.deliver(new.packets(live..<live + more), seconds: more)
        edge.end()
        return edge
    }
}

/// What a strict receiver finds in a transport stream.
struct StreamCheck {
    /// Counters that don't continue, where no discontinuity is marked.
    private(set) var continuityErrors = 0
    /// Groups of marked packets.
    private(set) var marks: [Int] = []
    /// Decoding time stamps that don't come after the one before, without a mark.
    private(set) var repeats = 0
    /// Clock references that go back, without a mark.
    private(set) var clockErrors = 0
    /// PES packets of each PID, and the bytes in them.
    private(set) var stamps: [UInt16: [UInt64]] = [:]
    private(set) var elementary: [UInt16: [UInt8]] = [:]

    init(_ bytes: [UInt8]) {
        var counters: [UInt16: UInt8] = [:]
        var decoding: [UInt16: UInt64] = [:]
        var clock: UInt64?
        for start in stride(from: 0, to: bytes.count, by: 188) {
            let packet = bytes.span.extracting(start..<start + 188)
            guard let header = TransportPacket(packet) else {
                continuityErrors += 1
                continue
            }
            let isMarked = packet[3] & 0x20 != 0 && packet[4] > 0 && packet[5] & 0x80 != 0
            if isMarked {
                marks.append(start)
                decoding = [:]
                clock = nil
            }
            if !header.payload.isEmpty {
                if let before = counters[header.pid], !isMarked, (before + 1) & 0x0f != header.continuity {
                    continuityErrors += 1
                }
                counters[header.pid] = header.continuity
            }
            if let reference = header.programClock {
                if let before = clock, TimestampUnwrapper.distance(from: before, to: reference) < 0 { clockErrors += 1 }
                clock = reference
            }
            if let found = PacketStamps(header, packet) {
                if let before = decoding[header.pid],
                    TimestampUnwrapper.distance(from: before, to: found.decoding) <= 0
                {
                    repeats += 1
                }
                decoding[header.pid] = found.decoding
                stamps[header.pid, default: []].append(found.presentation)
            }
            elementary[header.pid, default: []] += header.payload.map { packet[$0] }
        }
    }
}
