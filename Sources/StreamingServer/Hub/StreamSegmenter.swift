import NIOCore

/// Makes HLS segments of a stream's bytes: scans for access units, cuts, and keeps segments in the window.
struct StreamSegmenter {
    /// Packets after which a missing program or missing time stamps count as a fault.
    private static let patiencePackets: UInt64 = 2_000

    private let configuration: LiveStreamConfiguration
    private(set) var scanner = TransportStreamScanner()
    private var cutter: SegmentCutter
    private(set) var window: SegmentWindow
    private var faults = StreamFaults()
    /// PAT and PMT at the start of the open segment.
    private var openTables = ByteBuffer()
    private var openProgram: ProgramFinder?
    /// Where a new viewer begins if that byte is still held: at the PAT before the newest random access point.
    private(set) var joinOffset: UInt64?
    private(set) var segmentsDropped: UInt64 = 0
    private var unitCount: UInt64 = 0

    init(configuration: LiveStreamConfiguration, window: SegmentWindow) {
        self.configuration = configuration
        self.window = window
        cutter = SegmentCutter(
            targetSeconds: configuration.segmentTargetSeconds,
            bytesMax: configuration.segmentBytesMax / LiveStreamConfiguration.segmentsInBytes)
        keepToTarget()
    }

    /// Offset of the first byte that the buffer should keep.
    var keptOffset: UInt64 { min(joinOffset ?? .max, cutter.openStart ?? .max) }
    var openStart: UInt64? { cutter.openStart }
    /// Why there may be no playlist; nil if there is no fault.
    var diagnosis: StreamFault? {
        if scanner.packets == 0 { return .noTransportStream }
        if scanner.program.map == nil { return .noTables }
        if unitCount > 0 { return nil }
        return scanner.scrambledPackets > 0 ? .scrambled : .nothingToPlay
    }

    /// Processes the next whole packets, which were appended to `buffer` at `offset`.
    mutating func scan(
        _ packets: Span<UInt8>, at offset: UInt64, in buffer: inout ChunkBuffer, clock: ContinuousClock.Instant
    ) {
        let before = scanner.packets
        scanner.scan(packets, at: offset)
        if before / Self.patiencePackets != scanner.packets / Self.patiencePackets, let diagnosis {
            faults.note(diagnosis)
        }
        for event in scanner.events {
            switch event {
            case .unit(let unit): take(unit, in: &buffer, clock: clock)
            case .tracksChange(let offset):
                faults.note(.tracksChange)
                if let segment = cutter.onTracksChange(at: offset) { keep(segment, in: &buffer, clock: clock) }
            case .leaderChange(let isSound): if isSound { faults.note(.videoSilent) }
            }
        }
    }

    private mutating func take(
        _ unit: TransportStreamScanner.AccessUnit, in buffer: inout ChunkBuffer, clock: ContinuousClock.Instant
    ) {
        unitCount &+= 1
        if unit.randomAccess, let tables = scanner.program.tablesOffset { joinOffset = tables }
        let outcome = cutter.onAccessUnit(unit, wallClockSeconds: configuration.wallClockSeconds())
        if outcome.isTimeBreak { faults.note(.timeBreak) }
        if let segment = outcome.finished { keep(segment, in: &buffer, clock: clock) }
        if outcome.isForced { faults.note(outcome.finished == nil ? .noRandomAccess : .groupsTooLong) }
        if outcome.begins, let tables = scanner.program.tables {
            openTables = ByteBuffer(bytes: tables)
            openProgram = scanner.program.hasOtherPrograms ? scanner.program : nil
        }
    }

    private mutating func keep(
        _ segment: SegmentCutter.Segment, in buffer: inout ChunkBuffer, clock: ContinuousClock.Instant
    ) {
        buffer.seal()
        guard var slices = buffer.slices(segment.range) else { return segmentsDropped &+= 1 }
        if let openProgram { slices = ProgramFilter.filter(slices, of: openProgram) }
        window.append(segment, tables: openTables, bytes: slices, at: clock)
        keepToTarget()
    }

    private mutating func keepToTarget() {
        guard let seconds = window.fixedSeconds else { return cutter.durationMax = SegmentCutter.durationMax }
        cutter.durationMax = SegmentWindow.longest(roundedTo: seconds)
    }

    /// Drops the open segment if its bytes are gone.
    mutating func drop(before start: UInt64) {
        guard let open = cutter.openStart, open < start else { return }
        cutter.dropOpenSegment()
        segmentsDropped &+= 1
        faults.note(.groupsTooLong)
    }

    /// Prepares for bytes that do not continue the previous ones. After a loss the time line continues, with a gap that
    /// players conceal; another source begins a new time line (RFC 8216 §4.3.2.3).
    mutating func discontinuity(isOtherSource: Bool, in buffer: inout ChunkBuffer, clock: ContinuousClock.Instant) {
        scanner.reset(isOtherSource: isOtherSource)
        if isOtherSource, let segment = cutter.onSourceChange(at: buffer.end) {
            keep(segment, in: &buffer, clock: clock)
        }
    }

    /// Another source continues the time line, at its next access unit, after a gap.
    mutating func spliced() {
        scanner.reset(isOtherSource: false)
        cutter.onSplice()
    }

    mutating func note(_ fault: StreamFault) { faults.note(fault) }

    /// Faults of the stream to log now.
    mutating func dueFaults(_ now: ContinuousClock.Instant) -> [StreamFaults.Report] { faults.due(now) }

    /// Removes all segments; a new target duration may then be announced.
    mutating func clearPlaylist() {
        window.clear()
        keepToTarget()
    }

    /// Evicts the oldest segment to make room for others; false if there is none.
    mutating func evictSegment(isListed: Bool) -> Bool { window.evictFirst(isListed: isListed) }
}
