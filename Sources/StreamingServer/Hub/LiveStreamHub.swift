import Logging
import NIOCore
import NIOPosix
import ReflectorModel
import Synchronization

/// Where an edge's streams meet their viewers. The node delivers payloads, from its own thread, and learns which
/// streams are wanted; viewers read at their own pace from one shared copy.
///
/// `deliver` costs a lock, a copy of the payload and a look at its headers, about 1.2 µs for 1316 bytes; it wakes
/// nobody. Suspended viewers are woken in batches, a few milliseconds later, from an event loop of the hub's.
public final class LiveStreamHub: Sendable {
    /// Why a viewer was turned away.
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
    /// Of streams that are not here.
    let newNames = NewNameLimit()
    private let loop: any EventLoop
    private let directory: Mutex<Directory>
    /// Keeps the numbers of playlists over a restart.
    private let numberKeeper: SegmentNumberKeeper?
    private let statisticsSoFar = Mutex(StreamingStatistics())
    /// Streams whose viewers wait to be woken; the wake-up is scheduled while this is not empty.
    private let wakePending = Mutex<[LiveStream]>([])

    /// Says that there is a stream where there may have been none.
    let beginnings: AsyncStream<Void>
    private let beginning: AsyncStream<Void>.Continuation

    public init(configuration: LiveStreamConfiguration = .init(), logger: Logger) {
        (beginnings, beginning) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.configuration = configuration
        self.logger = logger
        loop = MultiThreadedEventLoopGroup.singleton.next()
        let wallClock = configuration.wallClockSeconds()
        numberKeeper = configuration.numbersPath.map { SegmentNumberKeeper(file: SegmentNumberFile(path: $0)) }
        let kept = numberKeeper?.load(now: wallClock, logger: logger)
        directory = Mutex(
            Directory(
                history: SegmentHistory(
                    limits: configuration.windowLimits, numbers: kept?.numbers ?? [:],
                    // Nothing tells what was used before but the clock.
                    sequenceMin: kept?.isComplete ?? false ? 0 : wallClock)))
    }

    // MARK: The node's side

    /// Sets whom to tell that a stream is wanted (first viewer) or no longer wanted (last viewer gone). Called on an
    /// event loop of the hub's, in order for each stream; streams already wanted are told at once.
    public func setDemandHandler(_ handler: @escaping @Sendable (StreamName, Bool) -> Void) {
        directory.withLock { directory in
            directory.onDemand = handler
            for (name, stream) in directory.streams where stream.totals.isWanted {
                loop.execute { handler(name, true) }
            }
        }
    }

    /// Takes the next payload of a stream. Payloads larger than 64 KiB are not taken.
    public func deliver(_ payload: UnsafeRawBufferPointer, stream name: StreamName, at now: MonotonicInstant) {
        guard let stream = try? stream(name) else { return count("deliveries_refused") }
        if stream.deliver(payload, at: now) { armWake(stream) }
    }

    /// What is delivered next does not continue what was delivered before: something was lost, or another source follows.
    public func discontinuity(stream name: StreamName, isOtherSource: Bool) {
        existing(name)?.discontinuity(isOtherSource: isOtherSource)
    }

    /// The stream has ended: viewers get what was delivered, then the end. A later request asks for it anew.
    public func ended(stream name: StreamName, reason: String) { end(name, .ended(reason)) }

    /// The stream cannot be had: waiting requests are answered with the reason, 404 if the network does not have it, else
    /// 503.
    public func unavailable(stream name: StreamName, reason: String, isAbsence: Bool = true) {
        end(name, isAbsence ? .unavailable(reason) : .outOfReach(reason))
    }

    /// Everything counted so far.
    public func statistics() -> StreamingStatistics {
        let streams = directory.withLock { Array($0.streams.values) }
        var all = statisticsSoFar.withLock { $0 }
        all.streams = streams.map(\.totals).sorted { $0.name < $1.name }
        for totals in all.streams { all.add(totals) }
        return all
    }

    /// Viewers of a stream now: progressive ones, and one more if HLS viewers have asked lately.
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

    /// The stream of this name if there is one.
    func existing(_ name: StreamName) -> LiveStream? { directory.withLock { $0.streams[name] } }

    /// True if there is something of the stream to be given: bytes, or segments of one whose encoder is away.
    func holds(_ name: StreamName) -> Bool {
        directory.withLock { directory in
            directory.streams[name].map { !$0.isCold || !$0.window.isEmpty } ?? directory.history.holds(name)
        }
    }

    /// The segments of a stream that is here, or was a moment ago.
    func segments(of name: StreamName) -> SegmentWindow? {
        directory.withLock { directory in
            directory.streams[name].map(\.window) ?? directory.history.window(of: name, watchedAt: .now)
        }
    }

    /// - Parameter event: one of a fixed set of names, never what came from outside.
    func count(_ event: String, _ number: UInt64 = 1) {
        guard number > 0 else { return }
        statisticsSoFar.withLock { $0.counters[event, default: 0] += number }
    }

    func countFirstByte(isCold: Bool, milliseconds: Double) {
        statisticsSoFar.withLock { isCold ? $0.cold.add(milliseconds) : $0.warm.add(milliseconds) }
    }

    // MARK: The server's side

    /// True while there are no streams, and nothing to sweep.
    var isIdle: Bool { directory.withLock { $0.streams.isEmpty && $0.history.isIdle } }

    /// Evicts viewers that lag too far behind, lets absent HLS viewers go and forgets idle streams. To be called about
    /// once a second, unless `isIdle`.
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

    /// Keeps the segments of all streams within their bytes: those of streams that are away go first, then those of
    /// streams that nobody watches, then those that no playlist lists, then the oldest of the largest.
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

    /// - Parameter isLast: the edge is about to end.
    private func keepNumbers(isLast: Bool) {
        guard let numberKeeper else { return }
        let numbers = directory.withLock { directory in
            var all = directory.history.lasting
            for (name, stream) in directory.streams {
                if let numbering = stream.window.lastingNumbering { all[name] = numbering }
            }
            return all
        }
        numberKeeper.keep(numbers, isLast: isLast, now: configuration.wallClockSeconds(), logger: logger)
    }

    /// What viewers are given to read the rest when the server shuts down.
    private static let shutDownGrace = TimeAmount.seconds(1)

    /// Ends all viewers and admits no more. Those that do not read the end are cut off.
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
                // One of which nothing has come yet goes for it, the oldest first: its requests may be tried again.
                let cold = directory.streams.values.filter(\.isCold).min { $0.made < $1.made }
                guard let cold else { return .failure(.streamsMax) }
                directory.streams[cold.name] = nil
                directory.history.put(cold.window, of: cold.name, watched: cold.watched, at: .now)
                given = cold
            }
            let (window, watched) = directory.history.take(name, at: .now)
            let stream = LiveStream(
                name: name, configuration: configuration, window: window, watched: watched, loop: loop
            ) { [weak self] name, wanted in
                self?.tellDemand(name, wanted)
            }
            directory.streams[name] = stream
            beginning.yield()
            return .success(stream)
        }
        if let given {
            count("streams_evicted")
            given.end(.outOfReach("too many streams are asked for at this edge"))
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

    /// On the loop, so that the node may call back and the order is kept.
    private func tellDemand(_ name: StreamName, _ wanted: Bool) {
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
        counters["viewers_overrun", default: 0] += totals.viewersOverrun
    }
}
