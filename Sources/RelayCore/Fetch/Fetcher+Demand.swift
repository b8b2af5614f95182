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

    /// True if fetching the stream ends now: its paths are removed.
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
