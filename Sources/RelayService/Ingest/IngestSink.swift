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

/// Whether this entrypoint may take a stream from an encoder with a valid key, by the zone.
public enum IngestAdmission: Hashable, Sendable {
    /// - leader: another entrypoint that leads the stream; nil if this one leads it, or nobody is known to.
    case admitted(StreamPolicy, leader: IngestLeader? = nil)
    /// The zone would assign the stream to this entrypoint, but an operator has barred it for a while.
    case barred(StreamPolicy, leader: IngestLeader?)
    /// The zone has no such stream, or does not assign it to this entrypoint.
    case unknownStream
    /// The node cannot tell or cannot carry it now; the encoder may try again.
    case unavailable
}

/// Another entrypoint that leads a stream.
public struct IngestLeader: Hashable, Sendable {
    /// Host name relative to the zone.
    public let name: String
    /// Its addresses in the zone, IPv4 first.
    public let addresses: [IPAddress]

    public init(name: String, addresses: [IPAddress]) {
        self.name = name
        self.addresses = addresses
    }
}

/// Receives the payloads of encoders; the node implements it. Called on the ingest thread, in this order for each
/// session: `admit`, and if it admits the stream, `open`; if that is true, any number of calls of `take`, then `close`.
/// A stream's next session opens after the previous one has closed.
public protocol IngestSink: Sendable {
    /// An encoder wants to provide the stream. Asynchronous, because it may query the DNS.
    ///
    /// - Parameter isPull: the node itself asked for the stream to be pulled, and waits for it.
    func admit(_ stream: StreamName, isPull: Bool) async -> IngestAdmission

    /// The session begins. False if the node can't carry the stream now.
    ///
    /// - Parameter isContinued: its bytes follow those of the stream's previous session, so none are missing between.
    func open(_ session: IngestSession, isContinued: Bool) async -> Bool

    /// Takes payloads in order. When the sink has handled them, it calls `taken` exactly once, on any thread, and
    /// passes false if it dropped them. Until then the bytes count as under way. If too many bytes are under way,
    /// reading from the encoder pauses.
    func take(_ batch: PayloadBatch, of session: IngestSession, taken: @escaping @Sendable (_ isTaken: Bool) -> Void)

    /// Size in bytes of the largest payload that the paths of the stream carry; nil for no limit. Called before each
    /// `take`.
    func payloadLimit(of session: IngestSession) -> Int?

    /// No more payloads of this session will come.
    ///
    /// - Parameter isReplaced: the stream's next session is about to open, so the stream has not lost its encoder.
    func close(_ session: IngestSession, isReplaced: Bool)
}

extension IngestSink {
    public func payloadLimit(of session: IngestSession) -> Int? { nil }
}
