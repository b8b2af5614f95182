import ReflectorModel
import RelayWire

/// Who wants a stream, and when fetching it ends.
extension Fetcher {
    /// A viewer of this region wants the stream.
    mutating func want(_ stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        stream.want()
        stream.times.noteDemand()
        stream.times.retryNow()
        choosePaths(for: stream, at: now, &core)
    }

    /// Ends fetching the stream and removes its paths, unless somebody wants it again. True if fetching has ended.
    func leave(_ stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) -> Bool {
        stream.times.noteDemand()
        guard !stream.hasDemand else {
            reschedule(stream, at: now, &core)
            return false
        }
        removePaths(of: stream, at: now, &core)
        return true
    }
}
