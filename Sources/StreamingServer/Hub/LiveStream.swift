import NIOCore
import ReflectorModel
import Synchronization

/// One stream at the hub: its state behind a lock, the resulting demand, and the suspension of viewers.
public final class LiveStream: Sendable {
    let name: StreamName
    let made = ContinuousClock.now
    private let state: Mutex<LiveStreamState>
    private let loop: any EventLoop
    private let onDemand: @Sendable (StreamName, Bool) -> Void
    private let onWake: @Sendable (LiveStream) -> Void

    /// - Parameters:
    ///   - window: segments and numbers from the stream's earlier presence.
    ///   - watched: when the playlist was last requested during that presence.
    ///   - loop: runs time-outs.
    ///   - onDemand: called in the order of changes, under the lock, so it must not call back.
    ///   - onWake: called when viewers wait for a payload that has just arrived. It must make sure that `wake()` is
    ///     called soon.
    init(
        name: StreamName, configuration: LiveStreamConfiguration, window: SegmentWindow,
        watched: ContinuousClock.Instant?, loop: any EventLoop,
        onDemand: @escaping @Sendable (StreamName, Bool) -> Void,
        onWake: @escaping @Sendable (LiveStream) -> Void
    ) {
        self.name = name
        self.loop = loop
        self.onDemand = onDemand
        self.onWake = onWake
        state = Mutex(LiveStreamState(configuration: configuration, window: window, watched: watched, now: .now))
    }

    /// Takes the next payload. Payloads larger than 64 KiB are dropped. False if the stream is over at this hub.
    public func deliver(_ payload: UnsafeRawBufferPointer, at now: MonotonicInstant) -> Bool {
        let clock = ContinuousClock.now
        let (isOver, mustWake) = state.withLock { state in
            (state.ending != nil, state.deliver(payload, at: now, clock: clock))
        }
        if mustWake { onWake(self) }
        return !isOver
    }

    func discontinuity(isOtherSource: Bool) {
        let clock = ContinuousClock.now
        state.withLock { $0.discontinuity(isOtherSource: isOtherSource, clock: clock) }
    }

    /// Disconnects every remaining viewer, including those that are stuck in a write.
    func evictAll() {
        for evict in state.withLock({ $0.evictions }) { evict() }
    }

    func end(_ ending: LiveStreamState.Ending) {
        let woken = change { $0.end(ending) }
        for waiter in woken { waiter.continuation.resume() }
    }

    /// Resumes all viewers that have something to read.
    func wake() {
        let woken = state.withLock { $0.wake() }
        for waiter in woken { waiter.continuation.resume() }
    }

    /// Adds a viewer. Nil if the stream is over; otherwise the viewer's number, and whether the stream had no bytes
    /// yet.
    func attach(isProgressive: Bool, evict: @escaping @Sendable () -> Void) -> (viewer: UInt64, isCold: Bool)? {
        change { state in
            let isCold = state.isCold
            return state.attach(isProgressive: isProgressive, evict: evict).map { ($0, isCold) }
        }
    }

    func detach(_ viewer: UInt64) {
        let waiter = change { $0.detach(viewer) }
        waiter?.continuation.resume()
    }

    func read(_ viewer: UInt64) -> LiveStreamState.Reading { state.withLock { $0.read(viewer) } }

    /// Counts an HLS viewer as present for a time after this call.
    func touch() {
        let now = ContinuousClock.now
        change { $0.touch(now) }
    }

    /// The media playlist, once there is one.
    var playlist: String? {
        let now = ContinuousClock.now
        return state.withLock { $0.playlist(now) }
    }

    /// The facts that explain why the stream has no playlist.
    var playlistLack: (isCold: Bool, fault: StreamFault?, seconds: Int, targetSeconds: Int) {
        state.withLock { ($0.isCold, $0.diagnosis, $0.window.seconds, $0.window.targetDurationSeconds) }
    }

    /// True before the first byte.
    var isCold: Bool { state.withLock { $0.isCold } }
    var window: SegmentWindow { state.withLock { $0.window } }
    var watched: ContinuousClock.Instant? { state.withLock { $0.watched } }

    /// Evicts the oldest segments until `bytes` bytes are free; without `isListed`, evicts only those that no playlist
    /// lists. Returns how many bytes became free.
    func evictSegments(bytes: Int, isListed: Bool) -> Int {
        state.withLock { state in
            let before = state.window.byteCount
            while before - state.window.byteCount < bytes, state.evictSegment(isListed: isListed) {}
            return before - state.window.byteCount
        }
    }

    var ending: LiveStreamState.Ending? { state.withLock { $0.ending } }

    /// Suspends until the viewer has something to do, the stream is over, the deadline passes or the task is cancelled;
    /// the caller finds out which by reading.
    func suspend(
        _ viewer: UInt64, until condition: LiveStreamState.Condition, deadline: ContinuousClock.Instant?
    ) async {
        let timeOut = deadline.map { deadline in
            loop.scheduleTask(in: TimeAmount(max(deadline - .now, .zero))) { self.release(viewer) }
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let goesOn = state.withLock { state in
                    // Checked under the lock, so that no cancellation or time-out can come between this check and the
                    // start of the wait.
                    let isLate = Task.isCancelled || deadline.map { $0 <= .now } ?? false
                    if isLate || state.isReady(viewer, for: condition) { return true }
                    state.waiters[viewer] = LiveStreamState.Waiter(condition: condition, continuation: continuation)
                    return false
                }
                if goesOn { continuation.resume() }
            }
        } onCancel: {
            release(viewer)
        }
        timeOut?.cancel()
    }

    private func release(_ viewer: UInt64) {
        let waiter = state.withLock { $0.waiters.removeValue(forKey: viewer) }
        waiter?.continuation.resume()
    }

    /// Result of a sweep.
    struct Sweep {
        var isForgettable: Bool
        var overrun: [@Sendable () -> Void]
        /// Faults of the encoder's stream to log.
        var faults: [StreamFaults.Report]
    }

    /// Drops absent HLS viewers; call it about once a second. If the stream is forgettable, it is over from then on, so
    /// that nobody can join it before it is removed.
    func sweep() -> Sweep {
        let now = ContinuousClock.now
        return change { state in
            let isForgettable = state.isForgettable(now)
            let overrun = state.overrun()
            if isForgettable { _ = state.end(.ended("idle")) }
            state.clearUnfollowed(now)
            return Sweep(isForgettable: isForgettable, overrun: overrun, faults: state.dueFaults(now))
        }
    }

    /// The counters of this stream.
    var totals: LiveStreamTotals {
        let now = ContinuousClock.now
        return state.withLock { state in
            LiveStreamTotals(
                name: name, packets: state.packets, bytes: state.bytes, segmentsDropped: state.segmentsDropped,
                segmentsEvicted: state.segmentsEvicted, bytesSkipped: state.bytesSkipped,
                splices: state.splices, viewersOverrun: state.viewersOverrun, segments: state.window.count,
                segmentBytes: state.window.byteCount,
                progressiveViewers: state.progressiveViewers, isPlaylistWatched: state.isPlaylistWatched(now),
                isWanted: state.isWanted)
        }
    }

    /// Changes the state, and reports the resulting demand before anybody else can change it again.
    private func change<Result>(_ body: (inout LiveStreamState) -> Result) -> Result {
        let now = ContinuousClock.now
        return state.withLock { state in
            let result = body(&state)
            if let wanted = state.demandChange(now) { onDemand(name, wanted) }
            return result
        }
    }
}
