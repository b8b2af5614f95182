import Logging
import NIOCore
import NIOPosix
import ReflectorModel
import Synchronization

/// Connects an edge's streams with their viewers. The node delivers payloads, from its own thread, and learns which
/// streams are wanted; viewers read at their own pace from one shared copy.
///
/// `LiveStream.deliver` costs a lock, a copy of the payload and a scan of its headers, about 1.2 µs for 1316 bytes. It
/// wakes no viewer. Suspended viewers are woken in batches, a few milliseconds later, from one of the hub's event
/// loops.
public final class LiveStreamHub: Sendable {
    /// Why a viewer was refused.
    public enum Refusal: Error, Equatable {
        case viewersMax
        case streamsMax
        case shuttingDown
    }

    private struct Directory {
        var streams: [StreamName: LiveStream] = [:]
        var viewerCount = 0
        var isShuttingDown = false
        var onDemand: (@Sendable (StreamName, Bool) -> Void)?
        /// Segments and numbers of streams that were here before.
        var history: SegmentHistory
    }

    public let configuration: LiveStreamConfiguration
    let logger: Logger
    /// Limits requests for streams that are not here.
    let newNames = NewNameRateLimiter()
    private let loop: any EventLoop
    private let directory: Mutex<Directory>
    /// Saves the numbers of playlists for a restart.
    private let numberWriter: SegmentNumberWriter?
    private let statisticsSoFar = Mutex(StreamingStatistics())
    /// Streams whose viewers wait to be woken; a wake-up is scheduled while this is not empty.
    private let wakePending = Mutex<[LiveStream]>([])

    /// Yields when the hub may have got its first stream.
    let beginnings: AsyncStream<Void>
    private let beginning: AsyncStream<Void>.Continuation

    public init(configuration: LiveStreamConfiguration = .init(), logger: Logger) {
        (beginnings, beginning) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.configuration = configuration
        self.logger = logger
        loop = MultiThreadedEventLoopGroup.singleton.next()
        let wallClock = configuration.wallClockSeconds()
        numberWriter = configuration.numbersPath.map { SegmentNumberWriter(file: SegmentNumberFile(path: $0)) }
        let kept = numberWriter?.load(now: wallClock, logger: logger)
        directory = Mutex(
            Directory(
                history: SegmentHistory(
                    limits: configuration.windowLimits, numbers: kept?.numbers ?? [:],
                    // Without a complete file, only the clock gives an upper bound of the numbers used before.
                    sequenceMin: kept?.isComplete ?? false ? 0 : wallClock)))
    }

    // MARK: The node's side

    /// Sets the handler that learns whether a stream is wanted (first viewer) or no longer wanted (last viewer left).
    /// The handler runs on one of the hub's event loops, in order for each stream. Streams already wanted are reported
    /// at once.
    public func setDemandHandler(_ handler: @escaping @Sendable (StreamName, Bool) -> Void) {
        directory.withLock { directory in
            directory.onDemand = handler
            for (name, stream) in directory.streams where stream.totals.isWanted {
                loop.execute { handler(name, true) }
            }
        }
    }

    /// The receiver of a stream's payloads until the stream is over. Returns nil, and counts the refusal, while there
    /// is no room for the stream or the server shuts down. Hold the receiver weakly, so that a stream that nobody
    /// watches can be removed.
    public func receiver(of name: StreamName) -> LiveStream? {
        if let stream = try? stream(name) { return stream }
        count("deliveries_refused")
        return nil
    }

    /// The next payload does not continue the previous one: packets were lost, or another source follows.
    public func discontinuity(stream name: StreamName, isOtherSource: Bool) {
        existing(name)?.discontinuity(isOtherSource: isOtherSource)
    }

    /// The stream has ended: viewers get what was delivered, then the end. A later request subscribes again.
    public func ended(stream name: StreamName, reason: String) { end(name, .ended(reason)) }

    /// The stream is not available: waiting requests get the reason, with 404 if the network does not have the stream,
    /// else with 503.
    public func unavailable(stream name: StreamName, reason: String, isAbsence: Bool = true) {
        end(name, isAbsence ? .unavailable(reason) : .outOfReach(reason))
    }

    /// All counters so far.
    public func statistics() -> StreamingStatistics {
        let streams = directory.withLock { Array($0.streams.values) }
        var all = statisticsSoFar.withLock { $0 }
        all.streams = streams.map(\.totals).sorted { $0.name < $1.name }
        for totals in all.streams { all.add(totals) }
        return all
    }

    /// Viewers of a stream now: progressive ones, and one more if there was a recent HLS request.
    public func viewers(of name: StreamName) -> Int {
        guard let totals = existing(name)?.totals else { return 0 }
        return totals.progressiveViewers + (totals.isPlaylistWatched ? 1 : 0)
    }

    // MARK: The viewers' side

    /// Adds a viewer or waiting request.
    func admit(
        to name: StreamName, isProgressive: Bool, evict: @escaping @Sendable () -> Void
    ) throws(Refusal) -> StreamViewer {
        let isFull = directory.withLock { directory in
            guard directory.viewerCount < configuration.viewersMax else { return true }
            directory.viewerCount += 1
            return false
        }
        if isFull { throw .viewersMax }
        do throws(Refusal) {
            while true {
                let stream = try stream(name)
                if let (viewer, isCold) = stream.attach(isProgressive: isProgressive, evict: evict) {
                    return StreamViewer(hub: self, stream: stream, number: viewer, isCold: isCold)
                }
                forget(stream)
            }
        } catch {
            viewerLeft()
            throw error
        }
    }

    func viewerLeft() { directory.withLock { $0.viewerCount -= 1 } }

    /// The stream of this name, if it is here.
    func existing(_ name: StreamName) -> LiveStream? { directory.withLock { $0.streams[name] } }

    /// True if there is something to serve: bytes, or segments of a stream whose encoder is absent.
    func holds(_ name: StreamName) -> Bool {
        directory.withLock { directory in
            directory.streams[name].map { !$0.isCold || !$0.window.isEmpty } ?? directory.history.holds(name)
        }
    }

    /// The segments of a stream that is here, or was recently.
    func segments(of name: StreamName) -> SegmentWindow? {
        directory.withLock { directory in
            directory.streams[name].map(\.window) ?? directory.history.window(of: name, watchedAt: .now)
        }
    }

    /// - Parameter event: one of a fixed set of names, never text from outside.
    func count(_ event: String, _ number: UInt64 = 1) {
        guard number > 0 else { return }
        statisticsSoFar.withLock { $0.counters[event, default: 0] += number }
    }

    // MARK: The server's side

    /// True if there are no streams and nothing to sweep.
    var isIdle: Bool { directory.withLock { $0.streams.isEmpty && $0.history.isIdle } }

    /// Evicts viewers that lag too far behind, drops absent HLS viewers and removes idle streams. Call it about once a
    /// second, unless `isIdle`.
    func sweep() {
        for stream in directory.withLock({ Array($0.streams.values) }) {
            let found = stream.sweep()
            for evict in found.overrun { evict() }
            for report in found.faults {
                count("encoder_faults", report.count)
                logger.warning(
                    "encoder's stream",
                    metadata: [
                        "stream": "\(stream.name)", "fault": "\(report.fault.rawValue)", "count": "\(report.count)",
                        "what": "\(report.fault.text)",
                    ])
            }
            if found.isForgettable { forget(stream) }
        }
        boundSegments()
        keepNumbers(isLast: false)
    }

    /// Keeps the total size of all streams' segments within `segmentBytesOfAllMax`. Evicts the segments of absent
    /// streams first, then those of unwatched streams, then those that no playlist lists, then the oldest ones of the
    /// largest streams.
    private func boundSegments() {
        let streams = directory.withLock { directory in
            directory.history.sweep(at: .now)
            return Array(directory.streams.values)
        }
        var sized = streams.map { (stream: $0, totals: $0.totals) }
        var over = sized.reduce(0) { $0 + $1.totals.segmentBytes } - configuration.segmentBytesOfAllMax
        over += directory.withLock { directory in
            let past = directory.history.byteCount
            while over + directory.history.byteCount > 0, directory.history.evictPast() {}
            count("segments_evicted_streams", past == directory.history.byteCount ? 0 : 1)
            return directory.history.byteCount
        }
        guard over > 0 else { return }
        sized.sort { $0.totals.segmentBytes > $1.totals.segmentBytes }
        for entry in sized where over > 0 && !entry.totals.isWanted {
            over -= entry.stream.evictSegments(bytes: over, isListed: true)
        }
        for entry in sized where over > 0 { over -= entry.stream.evictSegments(bytes: over, isListed: false) }
        var freed = 1
        while over > 0, freed > 0 {
            freed = 0
            for entry in sized where over > freed {
                freed += entry.stream.evictSegments(
                    bytes: min(over - freed, max(entry.totals.segmentBytes / 2, 1)), isListed: true)
            }
            over -= freed
        }
    }

    /// - Parameter isLast: true if the edge is about to stop.
    private func keepNumbers(isLast: Bool) {
        guard let numberWriter else { return }
        let numbers = directory.withLock { directory in
            var all = directory.history.lasting
            for (name, stream) in directory.streams {
                if let numbering = stream.window.lastingNumbering { all[name] = numbering }
            }
            return all
        }
        numberWriter.keep(numbers, isLast: isLast, now: configuration.wallClockSeconds(), logger: logger)
    }

    /// Time for viewers to read the rest when the server shuts down.
    private static let shutDownGrace = TimeAmount.seconds(1)

    /// Ends all viewers and admits no more. After a short time, closes the connections of those that have not read the
    /// end.
    func shutDown() {
        let streams = directory.withLock { directory in
            directory.isShuttingDown = true
            return Array(directory.streams.values)
        }
        for stream in streams {
            stream.end(.ended("the server is shutting down"))
            forget(stream)
        }
        keepNumbers(isLast: true)
        loop.scheduleTask(in: Self.shutDownGrace) {
            for stream in streams { stream.evictAll() }
        }
    }

    private func stream(_ name: StreamName) throws(Refusal) -> LiveStream {
        var given: LiveStream?
        let found: Result<LiveStream, Refusal> = directory.withLock { directory in
            if let stream = directory.streams[name] { return .success(stream) }
            if directory.isShuttingDown { return .failure(.shuttingDown) }
            if directory.streams.count >= configuration.streamsMax {
                // To make room, evict the oldest of the streams that have no bytes: its requests may be retried.
                let cold = directory.streams.values.filter(\.isCold).min { $0.made < $1.made }
                guard let cold else { return .failure(.streamsMax) }
                directory.streams[cold.name] = nil
                directory.history.put(cold.window, of: cold.name, watched: cold.watched, at: .now)
                given = cold
            }
            let (window, watched) = directory.history.take(name, at: .now)
            let stream = LiveStream(
                name: name, configuration: configuration, window: window, watched: watched, loop: loop,
                onDemand: { [weak self] name, wanted in self?.reportDemand(name, wanted) },
                onWake: { [weak self] stream in self?.armWake(stream) })
            directory.streams[name] = stream
            beginning.yield()
            return .success(stream)
        }
        if let given {
            count("streams_evicted")
            given.end(.outOfReach("too many streams are requested at this edge"))
        }
        return try found.get()
    }

    private func end(_ name: StreamName, _ ending: LiveStreamState.Ending) {
        guard let stream = existing(name) else { return }
        stream.end(ending)
        forget(stream)
    }

    private func forget(_ stream: LiveStream) {
        let isGone = directory.withLock { directory in
            guard directory.streams[stream.name] === stream else { return false }
            directory.streams[stream.name] = nil
            directory.history.put(stream.window, of: stream.name, watched: stream.watched, at: .now)
            return true
        }
        if isGone { statisticsSoFar.withLock { $0.add(stream.totals) } }
    }

    /// Calls the handler on the loop, so that the handler may call the hub and the order is kept.
    private func reportDemand(_ name: StreamName, _ wanted: Bool) {
        loop.execute { [weak self] in
            self?.directory.withLock({ $0.onDemand })?(name, wanted)
        }
    }

    private func armWake(_ stream: LiveStream) {
        let isFirst = wakePending.withLock { pending in
            pending.append(stream)
            return pending.count == 1
        }
        guard isFirst else { return }
        // The more viewers, the larger the batches.
        let viewers = directory.withLock { $0.viewerCount }
        let delay = min(max(Int64(viewers) * 10, 4_000), 50_000)
        loop.scheduleTask(in: .microseconds(delay)) { [weak self] in self?.wakeAll() }
    }

    private func wakeAll() {
        let streams = wakePending.withLock { pending in
            defer { pending.removeAll(keepingCapacity: true) }
            return pending
        }
        for stream in streams { stream.wake() }
    }
}

extension StreamingStatistics {
    /// Adds a stream's totals to the counters.
    fileprivate mutating func add(_ totals: LiveStreamTotals) {
        counters["packets_delivered", default: 0] += totals.packets
        counters["bytes_delivered", default: 0] += totals.bytes
        counters["segments_dropped", default: 0] += totals.segmentsDropped
        counters["segments_evicted", default: 0] += totals.segmentsEvicted
        counters["bytes_skipped", default: 0] += totals.bytesSkipped
        counters["splices_seamless", default: 0] += totals.splices.seamless
        counters["splices_exact", default: 0] += totals.splices.exact
        counters["splices_discontinuous", default: 0] += totals.splices.discontinuous
        counters["splices_abandoned", default: 0] += totals.splices.abandoned
        counters["splices_held_milliseconds", default: 0] += UInt64(max(totals.splices.held.nanoseconds, 0) / 1_000_000)
        counters["viewers_overrun", default: 0] += totals.viewersOverrun
    }
}
