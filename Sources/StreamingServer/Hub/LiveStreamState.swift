import NIOCore
import ReflectorModel

/// Everything known of one stream: its newest bytes, its segments and who reads them. A plain value behind the lock of
/// its `LiveStream`.
struct LiveStreamState {
    /// Why a stream is over for its viewers.
    enum Ending: Equatable, Sendable {
        /// The network does not have it.
        case unavailable(String)
        /// The network may have it, but it cannot be had now.
        case outOfReach(String)
        /// It was there and is no more.
        case ended(String)
    }

    /// What a suspended viewer waits for.
    enum Condition {
        case bytes
        case segment
    }

    /// What reading a stream gives.
    enum Reading {
        case bytes([ByteBuffer])
        case nothingYet
        /// The viewer's next byte is no longer held.
        case overrun
        case over(Ending)
    }

    struct Waiter {
        var condition: Condition
        var continuation: CheckedContinuation<Void, Never>
    }

    private struct Viewer {
        var position: UInt64
        /// Makes a viewer that is stuck in a write go away.
        var evict: @Sendable () -> Void
        var isProgressive: Bool
        var isOverrun = false
    }

    /// Most bytes and chunks handed to a viewer at once.
    private static let readChunksMax = 64

    private let configuration: LiveStreamConfiguration
    private var buffer = ChunkBuffer()
    private var scanner = TransportStreamScanner()
    private var cutter: SegmentCutter
    private(set) var window: SegmentWindow
    /// PAT and PMT as they were when the segment under way began.
    private var openTables = ByteBuffer()
    /// Where a new viewer begins: the PAT before the newest random access point, as long as it is held.
    private var joinOffset: UInt64?
    private var lastDelivery: ContinuousClock.Instant
    private var presentUntil: ContinuousClock.Instant?
    private var viewers: [UInt64: Viewer] = [:]
    private var nextViewer: UInt64 = 0
    var waiters: [UInt64: Waiter] = [:]
    private(set) var ending: Ending?
    /// What the node was last told: somebody wants this stream.
    private(set) var isWanted = false
    /// A wake-up of the waiters is under way.
    var isWakeArmed = false
    private(set) var packets: UInt64 = 0
    private(set) var bytes: UInt64 = 0
    private(set) var segmentsDropped: UInt64 = 0
    private(set) var viewersOverrun: UInt64 = 0

    /// - Parameter sequenceMin: least media sequence number: beyond those of the stream's earlier times here.
    init(configuration: LiveStreamConfiguration, sequenceMin: Int64 = 0, now: ContinuousClock.Instant) {
        self.configuration = configuration
        cutter = SegmentCutter(targetSeconds: configuration.segmentTargetSeconds)
        window = SegmentWindow(
            targetSeconds: configuration.segmentTargetSeconds, listedMax: configuration.segmentsListed,
            keptMax: configuration.segmentsKept, bytesMax: configuration.segmentBytesMax, sequenceMin: sequenceMin)
        lastDelivery = now
    }

    /// True before the first byte.
    var isCold: Bool { buffer.end == 0 }
    var progressiveViewers: Int { viewers.values.count { $0.isProgressive } }

    // MARK: Input

    /// Takes the next payload. True when suspended viewers are to be woken.
    mutating func deliver(
        _ payload: UnsafeRawBufferPointer, at now: MonotonicInstant, clock: ContinuousClock.Instant
    ) -> Bool {
        guard ending == nil, !payload.isEmpty, payload.count <= ChunkBuffer.chunkBytesMax else { return false }
        let offset = buffer.end
        buffer.append(payload, at: now)
        packets &+= 1
        bytes &+= UInt64(payload.count)
        lastDelivery = clock
        scanner.scan(payload.bindMemory(to: UInt8.self).span, at: offset)
        for unit in scanner.units { take(unit) }
        let kept = min(joinOffset ?? .max, cutter.openStart ?? .max)
        buffer.trim(bytesMax: configuration.bufferBytesMax, span: configuration.bufferSpan, kept: kept, now: now)
        if let open = cutter.openStart, open < buffer.start {
            cutter.dropOpenSegment()
            segmentsDropped &+= 1
        }
        guard !waiters.isEmpty, !isWakeArmed else { return false }
        isWakeArmed = true
        return true
    }

    private mutating func take(_ unit: TransportStreamScanner.AccessUnit) {
        if unit.randomAccess, let tables = scanner.tables { joinOffset = tables.offset }
        let outcome = cutter.onAccessUnit(unit, wallClockSeconds: configuration.wallClockSeconds())
        if let segment = outcome.finished { keep(segment) }
        if outcome.begins, let tables = scanner.tables { openTables = ByteBuffer(bytes: tables.packets) }
    }

    private mutating func keep(_ segment: SegmentCutter.Segment) {
        buffer.seal()
        if let slices = buffer.slices(segment.range) {
            window.append(segment, tables: openTables, bytes: slices)
        } else {
            segmentsDropped &+= 1
        }
    }

    /// What follows does not continue what came before. After a loss the time line goes on, with a hole that players
    /// conceal; another source begins a new one (RFC 8216 §4.3.2.3).
    mutating func discontinuity(isOtherSource: Bool) {
        scanner.reset()
        if isOtherSource, let segment = cutter.onSourceChange(at: buffer.end) { keep(segment) }
    }

    /// The stream is over for all its viewers. Returns those to wake.
    mutating func end(_ ending: Ending) -> [Waiter] {
        guard self.ending == nil else { return [] }
        self.ending = ending
        buffer.seal()
        presentUntil = nil
        defer { waiters.removeAll() }
        return Array(waiters.values)
    }

    // MARK: Viewers

    /// Adds a viewer at the best place to begin: the first byte of a stream that is just beginning, the tables before
    /// the newest random access point, else as far back as is held; the newest byte if it is no transport stream.
    mutating func attach(isProgressive: Bool, evict: @escaping @Sendable () -> Void) -> UInt64? {
        guard ending == nil else { return nil }
        nextViewer &+= 1
        viewers[nextViewer] = Viewer(position: startOffset, evict: evict, isProgressive: isProgressive)
        return nextViewer
    }

    private var startOffset: UInt64 {
        if let joinOffset, joinOffset >= buffer.start { return joinOffset }
        if let tables = scanner.tables?.offset { return max(tables, buffer.start) }
        return scanner.isLocked ? buffer.start : buffer.end
    }

    mutating func detach(_ viewer: UInt64) -> Waiter? {
        viewers[viewer] = nil
        return waiters.removeValue(forKey: viewer)
    }

    /// The viewer's next bytes.
    mutating func read(_ viewer: UInt64) -> Reading {
        guard let position = viewers[viewer]?.position else { return .over(ending ?? .ended("viewer has left")) }
        guard position >= buffer.start else {
            noteOverrun(viewer)
            return .overrun
        }
        if position < buffer.end {
            buffer.seal()
            let slices = buffer.slices(from: position, countMax: Self.readChunksMax)
            let count = slices.reduce(0) { $0 + $1.readableBytes }
            viewers[viewer]?.position = position &+ UInt64(count)
            return .bytes(slices)
        }
        return ending.map { .over($0) } ?? .nothingYet
    }

    /// True when the viewer need not wait.
    func isReady(_ viewer: UInt64, for condition: Condition) -> Bool {
        guard ending == nil, let position = viewers[viewer]?.position else { return true }
        switch condition {
        case .bytes: return position != buffer.end
        case .segment: return !window.isEmpty
        }
    }

    /// The viewers whose wait is over.
    mutating func wake() -> [Waiter] {
        isWakeArmed = false
        let ready = waiters.filter { isReady($0.key, for: $0.value.condition) }
        for key in ready.keys { waiters[key] = nil }
        return Array(ready.values)
    }

    /// Counts the viewers that have newly fallen off the end of the buffer, and returns how to evict them.
    mutating func overrun() -> [@Sendable () -> Void] {
        let late = viewers.filter { $0.value.isProgressive && !$0.value.isOverrun && $0.value.position < buffer.start }
        for viewer in late.keys { noteOverrun(viewer) }
        return late.values.map(\.evict)
    }

    /// How to make those go who are still there.
    var evictions: [@Sendable () -> Void] { viewers.values.map(\.evict) }

    private mutating func noteOverrun(_ viewer: UInt64) {
        guard viewers[viewer]?.isOverrun == false else { return }
        viewers[viewer]?.isOverrun = true
        viewersOverrun &+= 1
    }

    // MARK: Demand

    /// An HLS viewer was here.
    mutating func touch(_ now: ContinuousClock.Instant) {
        let target = Duration.seconds(3 * window.targetDurationSeconds)
        presentUntil = now + max(configuration.playlistPresence, target)
    }

    /// True while an HLS viewer counts as present.
    func isPlaylistWatched(_ now: ContinuousClock.Instant) -> Bool { presentUntil.map { now < $0 } ?? false }

    /// Whether somebody wants the stream, if that has changed since the last call.
    mutating func demandChange(_ now: ContinuousClock.Instant) -> Bool? {
        let wanted = ending == nil && (!viewers.isEmpty || isPlaylistWatched(now))
        guard wanted != isWanted else { return nil }
        isWanted = wanted
        return wanted
    }

    /// True when nothing would be lost by forgetting the stream.
    func isForgettable(_ now: ContinuousClock.Instant) -> Bool {
        ending != nil || (!isWanted && viewers.isEmpty && lastDelivery + configuration.idleForgotten < now)
    }
}
