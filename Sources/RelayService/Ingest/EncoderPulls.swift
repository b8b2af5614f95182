import Logging
import NIOCore
import ReflectorModel
import Synchronization

/// The streams that this entrypoint can pull from their encoders. Each is pulled only while the node wants it: while
/// this entrypoint leads the stream.
final class EncoderPulls: Sendable {
    private struct State {
        /// Tasks that pull, by stream. At most one entry for each stream of the configuration.
        var running: [StreamName: Task<Void, Never>] = [:]
        /// The last task of each stream that was stopped, which may not have ended yet.
        var stopped: [StreamName: Task<Void, Never>] = [:]
        var hasShutDown = false
    }

    private let pulls: [EncoderPull]
    private let counters: IngestCounters
    private let logger: Logger
    private let state = Mutex(State())

    init(
        _ configuration: IngestConfiguration, loop: any EventLoop, registry: NIOLoopBound<EncoderRegistry>,
        counters: IngestCounters, logger: Logger
    ) {
        pulls = configuration.pulls.map {
            EncoderPull(pull: $0, loop: loop, registry: registry, counters: counters, logger: logger)
        }
        self.counters = counters
        self.logger = logger
    }

    /// Starts to pull a stream at once, or stops at once. A repeated call changes nothing.
    func setWanted(_ isWanted: Bool, _ stream: StreamName) {
        let own = pulls.filter { $0.pull.stream == stream }
        guard !own.isEmpty else { return }
        let hasChanged = state.withLock { state in
            guard !state.hasShutDown, isWanted != (state.running[stream] != nil) else { return false }
            if isWanted {
                let last = state.stopped.removeValue(forKey: stream)
                state.running[stream] = Task {
                    // The stream's session must have ended before its next one.
                    await last?.value
                    await withTaskGroup(of: Void.self) { group in
                        for pull in own { group.addTask { await pull.run() } }
                    }
                }
            } else if let task = state.running.removeValue(forKey: stream) {
                task.cancel()
                state.stopped[stream] = task
            }
            return true
        }
        guard hasChanged else { return }
        if isWanted { counters.add(to: .pullStarted) }
        logger.info(isWanted ? "pull wanted" : "pull no longer wanted", metadata: ["stream": "\(stream)"])
    }

    /// Stops all pulls, and returns when they have ended.
    func shutDown() async {
        let tasks = state.withLock { state in
            state.hasShutDown = true
            defer { (state.running, state.stopped) = ([:], [:]) }
            for task in state.running.values { task.cancel() }
            return Array(state.running.values) + Array(state.stopped.values)
        }
        for task in tasks { await task.value }
    }
}
