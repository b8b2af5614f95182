import ReflectorModel

/// Cuts an encoder's MPEG-TS packets into payloads. `PacketPacker` cuts by size and time, `ContentPacker` by content.
protocol PayloadPacker {
    /// Limits payloads to `bytes` from now on; nil restores the initial size. The first payload may be larger if more
    /// bytes already wait.
    mutating func limit(to bytes: Int?)

    /// When `handleTimeout` must be called; nil while no whole TS packet waits.
    var nextTimeout: MonotonicInstant? { get }

    /// Appends input, and adds the payloads that it completes to `batch`.
    mutating func append(_ input: UnsafeRawBufferPointer, at now: MonotonicInstant, into batch: inout PayloadBatch)

    /// Emits the whole TS packets that have waited long enough.
    mutating func handleTimeout(at now: MonotonicInstant, into batch: inout PayloadBatch)

    /// The input has ended: emits all remaining bytes.
    mutating func finish(into batch: inout PayloadBatch)
}
