import ReflectorModel
import RelayWire

/// Who wants a stream, and when fetching it ends.
extension Fetcher {
    /// A viewer of this region wants the stream.
    mutating func want(_ stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        stream.isWanted = true
        stream.leaveAt = nil
        stream.retryAt = nil
        choosePaths(for: stream, at: now, &core)
    }

    /// A viewer or a child has left. A stream that nobody wants is fetched for a while longer.
    func noteDemand(of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        guard stream.origin == nil, !stream.hasDemand, stream.leaveAt == nil else { return }
        let grace = isEdge ? core.configuration.leaveGrace : core.configuration.relayLeaveGrace
        stream.leaveAt = now + grace
        core.clock.schedule(stream, now + grace)
    }

    /// True if fetching the stream ends now: its paths are removed.
    func leave(_ stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) -> Bool {
        stream.leaveAt = nil
        guard !stream.hasDemand else {
            reschedule(stream, at: now, &core)
            return false
        }
        removePaths(of: stream, at: now, &core)
        return true
    }
}

extension NodeCore {
    /// Viewers hear of it, and the status shows it for a while.
    mutating func reportUnavailable(_ name: StreamName, _ reason: UnavailableReason, at now: MonotonicInstant) {
        streams.noteUnavailable(name, reason, at: now)
        context.post(.unavailable(name, reason))
    }
}
