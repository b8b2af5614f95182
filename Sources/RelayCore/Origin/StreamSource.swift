import ReflectorModel
import RelayWire

/// The entrypoint's part of a stream: its sequence numbers, and when it is withdrawn.
struct StreamSource {
    /// The number of the next packet.
    private(set) var nextSequence: UInt64 = 1
    /// When the last packet was made.
    private(set) var lastPacket: MonotonicInstant
    /// When the encoder last sent something, or began.
    private var lastPayload: MonotonicInstant
    /// What was last announced of the stream.
    private(set) var announced = StreamSupply.live
    /// When the stream is withdrawn; set while no encoder is connected.
    private(set) var withdrawAt: MonotonicInstant?

    init(at now: MonotonicInstant) {
        lastPacket = now
        lastPayload = now
    }

    /// The encoder has sent something.
    @inline(__always) mutating func notePayload(at now: MonotonicInstant) { lastPayload = now }

    /// Whether the encoder's data arrive.
    func supply(silenceMax: TimeSpan, at now: MonotonicInstant) -> StreamSupply {
        withdrawAt == nil && now - lastPayload < silenceMax ? .live : .lapsed
    }

    /// True if the supply differs from what was last announced. Records it as announced.
    mutating func takeChange(silenceMax: TimeSpan, at now: MonotonicInstant) -> Bool {
        let supply = supply(silenceMax: silenceMax, at: now)
        defer { announced = supply }
        return supply != announced
    }

    /// A packet was made with the next number.
    mutating func noteMade(at now: MonotonicInstant) {
        nextSequence += 1
        lastPacket = now
    }

    /// The encoder disconnected: the stream is withdrawn at that time unless the encoder returns.
    mutating func encoderLeft(until at: MonotonicInstant) { withdrawAt = at }
    mutating func encoderReturned(at now: MonotonicInstant) {
        withdrawAt = nil
        lastPayload = now
    }

    func isWithdrawn(at now: MonotonicInstant) -> Bool { withdrawAt.map { now >= $0 } ?? false }

    /// True if children must get a packet without payload now, as a sign that the stream is alive.
    func needsFiller(every interval: TimeSpan, at now: MonotonicInstant) -> Bool { now - lastPacket >= interval }

    /// When the next filler or the withdrawal is due, or when the encoder's silence means that it is lost.
    func nextTimeout(fillerInterval: TimeSpan, silenceMax: TimeSpan, at now: MonotonicInstant) -> MonotonicInstant {
        let filler = max(lastPacket, now - fillerInterval / 2) + fillerInterval
        let lapse = announced == .live ? lastPayload + silenceMax : filler
        return max(min(filler, lapse, withdrawAt ?? filler), now + .milliseconds(1))
    }
}
