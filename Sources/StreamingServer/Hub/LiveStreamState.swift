import NIOCore
import ReflectorModel

/// Everything known about one stream: its newest bytes, its segments and its viewers. A plain value behind the lock of
/// its `LiveStream`.
struct LiveStreamState {
    /// Why a stream is over for its viewers.
    enum Ending: Equatable, Sendable {
        /// The network does not have it.
        case unavailable(String)
        /// The network may have it, but it is not available now.
        case outOfReach(String)
        /// It was here and has ended.
        case ended(String)
    }

    /// The event that a suspended viewer waits for.
    enum Condition {
        case bytes
        case playlist
    }

    /// Result of a read.
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
        /// Disconnects a viewer that is stuck in a write.
        var evict: @Sendable () -> Void
        var isProgressive: Bool
        var isOverrun = false
    }

    /// Maximum number of chunks handed to a viewer at once.
    private static let readChunksMax = 64

    private let configuration: LiveStreamConfiguration
    private var buffer = ChunkBuffer()
    private var framer = PacketFramer()
    /// Set while a new source is spliced to the previous one.
    private var splice: SourceSplice?
    private var incomplete = IncompletePackets()
    private var nextIsOtherSource = false
    private(set) var splices = SpliceTotals()
    private var segmenter: StreamSegmenter
    private var lastDelivery: ContinuousClock.Instant
    private var lastArrival = MonotonicInstant.zero
    /// When the newest bytes in the buffer arrived.
    private var lastAppended = MonotonicInstant.zero
    /// Time of the last playlist request.
    private(set) var watched: ContinuousClock.Instant?
    private var presentUntil: ContinuousClock.Instant?
    private var viewers: [UInt64: Viewer] = [:]
    private var nextViewer: UInt64 = 0
    var waiters: [UInt64: Waiter] = [:]
    private(set) var ending: Ending?
    /// The demand last reported to the node.
    private(set) var isWanted = false
    /// A wake-up of the waiters is scheduled.
    var isWakeArmed = false
    private(set) var packets: UInt64 = 0
    private(set) var bytes: UInt64 = 0
    private(set) var segmentsEvicted: UInt64 = 0
    private(set) var viewersOverrun: UInt64 = 0

    /// - Parameters:
    ///   - window: segments and numbers from the stream's earlier presence.
    ///   - watched: when the playlist was last requested during that presence.
    init(
        configuration: LiveStreamConfiguration, window: SegmentWindow? = nil, watched: ContinuousClock.Instant? = nil,
        now: ContinuousClock.Instant
    ) {
        self.configuration = configuration
        segmenter = StreamSegmenter(
            configuration: configuration, window: window ?? SegmentWindow(limits: configuration.windowLimits))
        self.watched = watched
        lastDelivery = now
    }

    /// True before the first byte.
    var isCold: Bool { bytes == 0 }
    var window: SegmentWindow { segmenter.window }
    var segmentsDropped: UInt64 { segmenter.segmentsDropped }
    /// Bytes dropped because they belong to no whole transport packet.
    var bytesSkipped: UInt64 { framer.skipped }
    /// Bytes not yet available to viewers.
    var bytesHeldBack: Int { (splice?.heldBytes ?? 0) + incomplete.held.count }
    var progressiveViewers: Int { viewers.values.count { $0.isProgressive } }

    // MARK: Input

    /// Receives the next payload. True if suspended viewers must be woken.
    mutating func deliver(
        _ payload: UnsafeRawBufferPointer, at now: MonotonicInstant, clock: ContinuousClock.Instant
    ) -> Bool {
        guard ending == nil, !payload.isEmpty, payload.count <= ChunkBuffer.chunkBytesMax else { return false }
        packets &+= 1
        bytes &+= UInt64(payload.count)
        lastDelivery = clock
        lastArrival = now
        let skipped = framer.skipped
        switch framer.take(payload.bindMemory(to: UInt8.self).span) {
        case .unchanged: accept(payload, at: now, clock: clock)
        case .bytes(let framed): framed.withUnsafeBytes { accept($0, at: now, clock: clock) }
        }
        if framer.skipped != skipped { segmenter.note(.outOfSync) }
        guard !waiters.isEmpty, !isWakeArmed else { return false }
        isWakeArmed = true
        return true
    }

    /// Appends whole packets, or bytes that are not a transport stream.
    private mutating func accept(
        _ bytes: UnsafeRawBufferPointer, at now: MonotonicInstant, clock: ContinuousClock.Instant
    ) {
        guard !bytes.isEmpty else { return }
        if nextIsOtherSource { beginSplice(at: now, clock: clock) }
        if splice?.isOver(at: now) ?? false { splice = nil }
        guard splice != nil else { return append(bytes, at: now, clock: clock) }
        if let output = splice?.take(bytes.bindMemory(to: UInt8.self).span, at: now) { accept(output, clock: clock) }
    }

    /// The first bytes of another source have come.
    private mutating func beginSplice(at now: MonotonicInstant, clock: ContinuousClock.Instant) {
        nextIsOtherSource = false
        splice = nil
        guard framer.isLocked, buffer.end > 0 else {
            return segmenter.discontinuity(isOtherSource: true, in: &buffer, clock: clock)
        }
        splice = SourceSplice(
            after: SpliceReference(segmenter.scanner, in: &buffer, arrival: lastAppended), at: now)
    }

    /// Appends what a splice gives.
    private mutating func accept(_ output: SourceSplice.Output, clock: ContinuousClock.Instant) {
        if let kind = output.kind {
            splices.note(kind, held: output.held)
            switch kind {
            case .exact: break
            case .seamless: segmenter.spliced()
            case .discontinuity: segmenter.discontinuity(isOtherSource: true, in: &buffer, clock: clock)
            }
        }
        output.bytes.withUnsafeBytes { append($0, at: lastArrival, clock: clock) }
    }

    /// Appends bytes, except an incomplete PES packet at the end.
    private mutating func append(
        _ bytes: UnsafeRawBufferPointer, at now: MonotonicInstant, clock: ContinuousClock.Instant
    ) {
        guard framer.isLocked, let map = segmenter.scanner.program.map else {
            return store(bytes, at: now, clock: clock)
        }
        let held = incomplete.held.count
        let complete = incomplete.complete(bytes.bindMemory(to: UInt8.self).span, of: map, at: now)
        if held > 0, complete > 0 {
            incomplete.remove(complete).withUnsafeBytes { store($0, at: now, clock: clock) }
        }
        let count = max(0, complete - held)
        store(UnsafeRawBufferPointer(rebasing: bytes[..<count]), at: now, clock: clock)
        if count < bytes.count { incomplete.hold(bytes[count...], at: now) }
    }

    /// Stores what is held back because it is incomplete.
    private mutating func storeIncomplete(clock: ContinuousClock.Instant) {
        incomplete.remove().withUnsafeBytes { store($0, at: lastArrival, clock: clock) }
    }

    private mutating func store(
        _ bytes: UnsafeRawBufferPointer, at now: MonotonicInstant, clock: ContinuousClock.Instant
    ) {
        guard !bytes.isEmpty else { return }
        lastAppended = now
        var rest = bytes
        while !rest.isEmpty {
            // As many whole packets as fit into a chunk.
            let count = min(rest.count, ChunkBuffer.chunkBytesMax / TransportPacket.length * TransportPacket.length)
            let part = UnsafeRawBufferPointer(rebasing: rest[..<count])
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            let offset = buffer.end
            buffer.append(part, at: now)
            if framer.isLocked {
                segmenter.scan(part.bindMemory(to: UInt8.self).span, at: offset, in: &buffer, clock: clock)
            }
        }
        buffer.trim(
            bytesMax: configuration.bufferBytesMax, span: configuration.bufferSpan, kept: segmenter.keptOffset,
            openStart: segmenter.openStart, openBytesMax: configuration.segmentBytesMax, now: now)
        segmenter.drop(before: buffer.start)
    }

    /// Prepares for bytes that do not continue the previous ones.
    mutating func discontinuity(isOtherSource: Bool, clock: ContinuousClock.Instant) {
        guard ending == nil else { return }
        let skipped = framer.skipped
        framer.reset(isOtherSource: isOtherSource)
        if framer.skipped != skipped { segmenter.note(.outOfSync) }
        if isOtherSource {
            // If nothing of the last source has been sent, viewers don't learn of it. Nothing changes for them until
            // the new source has been joined.
            if splice?.isHolding ?? false { splices.noteAbandoned() }
            splice = nil
            incomplete.reset()
            nextIsOtherSource = true
        } else if splice?.isHolding ?? false {
            splice?.onLoss()
        } else {
            splice?.onLoss()
            storeIncomplete(clock: clock)
            segmenter.discontinuity(isOtherSource: false, in: &buffer, clock: clock)
        }
    }

    /// Ends a running splice, and appends the bytes that it holds back.
    private mutating func endSplice(clock: ContinuousClock.Instant) {
        guard let output = splice?.finish(at: lastArrival) else { return }
        splice = nil
        accept(output, clock: clock)
    }

    /// Ends the stream for all its viewers. Returns the waiters to wake.
    mutating func end(_ ending: Ending) -> [Waiter] {
        guard self.ending == nil else { return [] }
        endSplice(clock: lastDelivery)
        storeIncomplete(clock: lastDelivery)
        let rest = framer.finish()
        if !rest.isEmpty { rest.withUnsafeBytes { buffer.append($0, at: lastArrival) } }
        // The received part of the open segment is still published.
        segmenter.discontinuity(isOtherSource: true, in: &buffer, clock: lastDelivery)
        self.ending = ending
        buffer.seal()
        presentUntil = nil
        defer { waiters.removeAll() }
        return Array(waiters.values)
    }

    // MARK: Viewers

    /// Adds a viewer at the best place to begin: the tables before the newest random access point, otherwise the newest
    /// tables, otherwise the oldest byte held; the next byte to come if the stream is not a transport stream.
    mutating func attach(isProgressive: Bool, evict: @escaping @Sendable () -> Void) -> UInt64? {
        guard ending == nil else { return nil }
        nextViewer &+= 1
        viewers[nextViewer] = Viewer(position: startOffset, evict: evict, isProgressive: isProgressive)
        return nextViewer
    }

    private var startOffset: UInt64 {
        if let joinOffset = segmenter.joinOffset, joinOffset >= buffer.start { return joinOffset }
        if let tables = segmenter.scanner.program.tablesOffset { return max(tables, buffer.start) }
        return framer.isLocked ? buffer.start : buffer.end
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

    /// True if the viewer need not wait.
    func isReady(_ viewer: UInt64, for condition: Condition) -> Bool {
        guard ending == nil, let position = viewers[viewer]?.position else { return true }
        switch condition {
        case .bytes: return position != buffer.end
        case .playlist: return window.isReady
        }
    }

    /// Removes and returns the waiters whose wait is over.
    mutating func wake() -> [Waiter] {
        isWakeArmed = false
        let ready = waiters.filter { isReady($0.key, for: $0.value.condition) }
        for key in ready.keys { waiters[key] = nil }
        return Array(ready.values)
    }

    /// Counts the viewers whose next byte is no longer held, each once, and returns the functions that disconnect them.
    mutating func overrun() -> [@Sendable () -> Void] {
        let late = viewers.filter { $0.value.isProgressive && !$0.value.isOverrun && $0.value.position < buffer.start }
        for viewer in late.keys { noteOverrun(viewer) }
        return late.values.map(\.evict)
    }

    /// The functions that disconnect the remaining viewers.
    var evictions: [@Sendable () -> Void] { viewers.values.map(\.evict) }

    private mutating func noteOverrun(_ viewer: UInt64) {
        guard viewers[viewer]?.isOverrun == false else { return }
        viewers[viewer]?.isOverrun = true
        viewersOverrun &+= 1
    }

    // MARK: Demand

    /// Records a request of an HLS viewer.
    mutating func touch(_ now: ContinuousClock.Instant) {
        let target = Duration.seconds(3 * window.targetDurationSeconds)
        presentUntil = now + max(configuration.playlistPresence, target)
        watched = now
    }

    /// The media playlist, unless all its segments are too old. `clearUnfollowed` clears a playlist that players no
    /// longer follow, so that it starts again.
    func playlist(_ now: ContinuousClock.Instant) -> String? {
        guard let newest = window.newest, now - newest <= configuration.playlistStaleMax else { return nil }
        return window.playlist
    }

    /// Clears a playlist that has had no new segment for some time, if nobody follows it or all its segments are too
    /// old.
    mutating func clearUnfollowed(_ now: ContinuousClock.Instant) {
        guard let newest = window.newest, now - newest > SegmentHistory.followedMax, !window.isEmpty else { return }
        if watched.map({ now - $0 > SegmentHistory.followedMax }) ?? true
            || now - newest > configuration.playlistStaleMax
        {
            segmenter.clearPlaylist()
        }
    }

    /// Why the stream has no playlist, as far as its bytes show.
    var diagnosis: StreamFault? {
        guard bytes > 0 else { return nil }
        return framer.isLocked ? segmenter.diagnosis : .noTransportStream
    }

    /// Faults of the stream to log now.
    mutating func dueFaults(_ now: ContinuousClock.Instant) -> [StreamFaults.Report] { segmenter.dueFaults(now) }

    /// Evicts the oldest segment to make room for others; false if there is none.
    mutating func evictSegment(isListed: Bool) -> Bool {
        guard segmenter.evictSegment(isListed: isListed) else { return false }
        segmentsEvicted &+= 1
        return true
    }

    /// True while an HLS viewer counts as present.
    func isPlaylistWatched(_ now: ContinuousClock.Instant) -> Bool { presentUntil.map { now < $0 } ?? false }

    /// The demand for the stream, if it has changed since the last call.
    mutating func demandChange(_ now: ContinuousClock.Instant) -> Bool? {
        let wanted = ending == nil && (!viewers.isEmpty || isPlaylistWatched(now))
        guard wanted != isWanted else { return nil }
        isWanted = wanted
        return wanted
    }

    /// True if nothing is lost when the stream is removed.
    func isForgettable(_ now: ContinuousClock.Instant) -> Bool {
        ending != nil || (!isWanted && viewers.isEmpty && lastDelivery + configuration.idleForgotten < now)
    }
}
