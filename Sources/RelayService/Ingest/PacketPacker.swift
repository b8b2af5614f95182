import ReflectorModel

/// Cuts an encoder's byte stream into payloads of whole MPEG-TS packets: seven of 188 bytes as a rule. Exact: the
/// payloads one after the other are the input, whatever the input is.
///
/// A payload leaves when it is full. When the input is slow, the whole TS packets at hand leave `flushAfter` after the
/// first of them came, so that a thin stream is not late; a part of a TS packet waits for its rest or the end.
public struct PacketPacker {
    /// Bytes of a TS packet (ISO/IEC 13818-1 §2.4.3.2).
    public static let transportPacketBytes = 188
    /// Seven TS packets: what fits an Ethernet frame with all our headers.
    public static let payloadBytesDefault = 7 * transportPacketBytes

    /// Bytes of a full payload, a multiple of 188.
    public private(set) var payloadBytes: Int
    /// What was given at first, and is gone back to.
    private let payloadBytesMax: Int
    public let flushAfter: TimeSpan
    /// The bytes that have not left yet, fewer than `payloadBytes`.
    private var waiting: [UInt8] = []
    private var waitingSince = MonotonicInstant.zero

    /// - Parameters:
    ///   - payloadBytes: most bytes of a payload; the whole TS packets that fit, and at least one, are used.
    ///   - flushAfter: longest time that whole TS packets wait.
    public init(payloadBytes: Int = Self.payloadBytesDefault, flushAfter: TimeSpan = .milliseconds(10)) {
        let whole = max(payloadBytes / Self.transportPacketBytes, 1) * Self.transportPacketBytes
        self.payloadBytes = whole
        payloadBytesMax = whole
        self.flushAfter = flushAfter
        waiting.reserveCapacity(self.payloadBytes)
    }

    /// Makes payloads no larger than that from now on, but for the first one if more than that waits already; nil: as large
    /// as at first.
    public mutating func limit(to bytes: Int?) {
        let limited = min(bytes ?? payloadBytesMax, payloadBytesMax)
        payloadBytes = max(limited / Self.transportPacketBytes, 1) * Self.transportPacketBytes
    }

    /// When `handleTimeout` has something to do; nil while no whole TS packet waits.
    public var nextTimeout: MonotonicInstant? {
        waiting.count >= Self.transportPacketBytes ? waitingSince + flushAfter : nil
    }

    /// Takes input and adds the payloads that it fills to `batch`.
    public mutating func append(
        _ input: UnsafeRawBufferPointer, at now: MonotonicInstant, into batch: inout PayloadBatch
    ) {
        batch.reserve(bytes: waiting.count + input.count)
        var rest = input
        if !waiting.isEmpty {
            // More may wait than a payload has by now: it goes as it is.
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

    /// Lets the whole TS packets go that have waited long enough.
    public mutating func handleTimeout(at now: MonotonicInstant, into batch: inout PayloadBatch) {
        guard let due = nextTimeout, due <= now else { return }
        let whole = waiting.count / Self.transportPacketBytes * Self.transportPacketBytes
        batch.append(waiting[..<whole])
        batch.endPayload()
        waiting.removeFirst(whole)
    }

    /// The input has ended: lets everything go.
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
