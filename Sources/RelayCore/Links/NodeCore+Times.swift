import ReflectorModel

/// The timestamps of control messages. They count for a link only if the message cannot have waited in the socket while
/// this node slept: otherwise they measure the sleep.
extension NodeCore {
    /// Processes the timestamps of a message.
    mutating func noteTimes(
        _ timestamp: UInt64, echoed: UInt64, echoDelayMicroseconds: UInt32, on link: some MeasuredLink,
        at now: MonotonicInstant
    ) {
        guard !mayBeStale(at: now) else { return }
        link.noteTimes(timestamp, echoed: echoed, echoDelayMicroseconds: echoDelayMicroseconds, at: now)
    }

    /// Processes a timestamp that the peer has returned at once.
    mutating func noteEcho(_ timestamp: UInt64, on link: some MeasuredLink, at now: MonotonicInstant) {
        guard !mayBeStale(at: now) else { return }
        link.noteEcho(timestamp, at: now)
    }
}
