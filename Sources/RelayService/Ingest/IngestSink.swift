import ReflectorModel

/// One period in which an encoder provides a stream, from its admission to its end. A stream has at most one session at
/// a time; its next session has a higher number.
public struct IngestSession: Hashable, Sendable {
    public var stream: StreamName
    /// Unique in this process.
    public var number: UInt64

    public init(stream: StreamName, number: UInt64) {
        self.stream = stream
        self.number = number
    }
}

/// Whether the node accepts a stream from an encoder with a valid key.
public enum IngestOpening: Hashable, Sendable {
    case accepted
    /// The zone has no such stream, or does not assign it to this entrypoint.
    case unknownStream
    /// The node cannot tell or cannot carry it now; the encoder may try again.
    case unavailable
}

/// Receives the payloads of encoders; the node implements it. Called on the ingest thread, in this order for each
/// session: `open`, and if it accepts the session, any number of calls of `take`, then `close`. A stream's next session
/// opens after the previous one has closed.
public protocol IngestSink: Sendable {
    /// An encoder wants to provide the stream. Asynchronous, because it may query the DNS.
    func open(_ session: IngestSession) async -> IngestOpening

    /// Takes payloads in order. When the sink has handled them, it calls `taken` exactly once, on any thread, and
    /// passes false if it dropped them. Until then the bytes count as under way. If too many bytes are under way,
    /// reading from the encoder pauses.
    func take(_ batch: PayloadBatch, of session: IngestSession, taken: @escaping @Sendable (_ isTaken: Bool) -> Void)

    /// Size in bytes of the largest payload that the paths of the stream carry; nil for no limit. Called before each
    /// `take`.
    func payloadLimit(of session: IngestSession) -> Int?

    /// No more payloads of this session will come.
    func close(_ session: IngestSession)
}

extension IngestSink {
    public func payloadLimit(of session: IngestSession) -> Int? { nil }
}
