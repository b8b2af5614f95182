import ReflectorModel

/// The entrypoint's part of a stream: its sequence numbers, and when it is withdrawn.
struct StreamSource {
    /// The number of the next packet.
    private(set) var nextSequence: UInt64 = 1
    /// When the last packet was made.
    private(set) var lastPacket: MonotonicInstant
    /// When the stream is withdrawn; set while no encoder is connected.
    private(set) var withdrawAt: MonotonicInstant?

    init(at now: MonotonicInstant) { lastPacket = now }

    /// A packet was made with the next number.
    mutating func noteMade(at now: MonotonicInstant) {
        nextSequence += 1
        lastPacket = now
    }

    /// The encoder disconnected: the stream is withdrawn at that time unless the encoder returns.
    mutating func encoderLeft(until at: MonotonicInstant) { withdrawAt = at }
    mutating func encoderReturned() { withdrawAt = nil }

    func isWithdrawn(at now: MonotonicInstant) -> Bool { withdrawAt.map { now >= $0 } ?? false }

    /// True if children must get a packet without payload now, as a sign that the stream is alive.
    func needsFiller(every interval: TimeSpan, at now: MonotonicInstant) -> Bool { now - lastPacket >= interval }

    /// When the next filler or the withdrawal is due.
    func nextTimeout(fillerInterval: TimeSpan, at now: MonotonicInstant) -> MonotonicInstant {
        let filler = max(lastPacket, now - fillerInterval / 2) + fillerInterval
        return max(min(filler, withdrawAt ?? filler), now + .milliseconds(1))
    }
}
