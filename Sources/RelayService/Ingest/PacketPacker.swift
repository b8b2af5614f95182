import ReflectorModel

/// Cuts an encoder's byte stream into payloads of whole MPEG-TS packets: usually seven of 188 bytes. For any input, the
/// payloads in order are exactly the input.
///
/// A full payload leaves at once. When the input is slow, the waiting whole TS packets leave `flushAfter` after the
/// first of them arrived, which limits the delay. A part of a TS packet waits for its remaining bytes or for the end of
/// the input.
public struct PacketPacker: PayloadPacker {
    /// Bytes of a TS packet (ISO/IEC 13818-1 §2.4.3.2).
    public static let transportPacketBytes = 188
    /// Seven TS packets: as many as fit into an Ethernet frame with all our headers.
    public static let payloadBytesDefault = 7 * transportPacketBytes

    /// Bytes of a full payload, a multiple of 188.
    public private(set) var payloadBytes: Int
    /// The initial size, restored when a limit ends.
    private let payloadBytesMax: Int
    public let flushAfter: TimeSpan
    /// The bytes that have not left yet: fewer than `payloadBytes`, unless the limit was just lowered.
    private var waiting: [UInt8] = []
    private var waitingSince = MonotonicInstant.zero

    /// - Parameters:
    ///   - payloadBytes: maximum size of a payload. A payload holds as many whole TS packets as fit, at least one.
    ///   - flushAfter: longest time that whole TS packets wait.
    public init(payloadBytes: Int = Self.payloadBytesDefault, flushAfter: TimeSpan = .milliseconds(10)) {
        let whole = max(payloadBytes / Self.transportPacketBytes, 1) * Self.transportPacketBytes
        self.payloadBytes = whole
        payloadBytesMax = whole
        self.flushAfter = flushAfter
        waiting.reserveCapacity(self.payloadBytes)
    }

    /// Limits payloads to `bytes` from now on; nil restores the initial size. The first payload may be larger if more
    /// bytes already wait.
    public mutating func limit(to bytes: Int?) {
        let limited = min(bytes ?? payloadBytesMax, payloadBytesMax)
        payloadBytes = max(limited / Self.transportPacketBytes, 1) * Self.transportPacketBytes
    }

    /// When `handleTimeout` must be called; nil while no whole TS packet waits.
    public var nextTimeout: MonotonicInstant? {
        waiting.count >= Self.transportPacketBytes ? waitingSince + flushAfter : nil
    }

    /// Appends input, and adds the payloads that it fills to `batch`.
    public mutating func append(
        _ input: UnsafeRawBufferPointer, at now: MonotonicInstant, into batch: inout PayloadBatch
    ) {
        batch.reserve(bytes: waiting.count + input.count)
        var rest = input
        if !waiting.isEmpty {
            // More bytes may wait than the new limit allows: they leave as one payload.
            let missing = max(payloadBytes - waiting.count, 0)
            guard rest.count >= missing else { return keep(rest, at: now) }
            batch.append(waiting[...])
            batch.append(UnsafeRawBufferPointer(rebasing: rest[..<missing]))
            batch.endPayload()
            waiting.removeAll(keepingCapacity: true)
            rest = UnsafeRawBufferPointer(rebasing: rest[missing...])
        }
        while rest.count >= payloadBytes {
            batch.append(UnsafeRawBufferPointer(rebasing: rest[..<payloadBytes]))
            batch.endPayload()
            rest = UnsafeRawBufferPointer(rebasing: rest[payloadBytes...])
        }
        keep(rest, at: now)
    }

    /// Emits the whole TS packets that have waited long enough.
    public mutating func handleTimeout(at now: MonotonicInstant, into batch: inout PayloadBatch) {
        guard let due = nextTimeout, due <= now else { return }
        let whole = waiting.count / Self.transportPacketBytes * Self.transportPacketBytes
        batch.append(waiting[..<whole])
        batch.endPayload()
        waiting.removeFirst(whole)
    }

    /// The input has ended: emits all remaining bytes.
    public mutating func finish(into batch: inout PayloadBatch) {
        guard !waiting.isEmpty else { return }
        batch.append(waiting[...])
        batch.endPayload()
        waiting.removeAll(keepingCapacity: true)
    }

    private mutating func keep(_ rest: UnsafeRawBufferPointer, at now: MonotonicInstant) {
        let hadWhole = waiting.count >= Self.transportPacketBytes
        waiting.append(contentsOf: rest)
        if !hadWhole { waitingSince = now }
    }
}
