import Logging
import NIOCore
import ReflectorModel

/// Decides which encoder provides which stream: admits encoders, one for each stream, and keeps them until they end.
/// Lives on the ingest loop, as everything in `Ingest` does.
///
/// An encoder keeps its stream while it sends. An encoder that has been silent for `yieldAfter` loses the stream to the
/// next encoder with a valid key, so that an encoder that crashed and restarted need not wait until TCP notices that
/// its old connection is dead.
final class EncoderRegistry {
    let loop: any EventLoop
    let configuration: IngestConfiguration
    let counters: IngestCounters
    let logger: Logger
    /// Reports dropped and refused input.
    let reports: IngestReports
    let connections: IngestConnections
    var keys: StreamKeys
    private let sink: any IngestSink
    private var sessions: [StreamName: EncoderSession] = [:]
    /// Streams for which the sink has not answered `open` yet.
    private var opening: Set<StreamName> = []
    private var lastNumber: UInt64 = 0
    /// First bytes of packets whose remaining bytes may come with the encoder's next request. At most `encodersMax`.
    private var beginnings: [StreamName: Beginning] = [:]

    init(
        loop: any EventLoop, configuration: IngestConfiguration, keys: StreamKeys, sink: any IngestSink,
        counters: IngestCounters, logger: Logger
    ) {
        self.loop = loop
        self.configuration = configuration
        self.keys = keys
        self.sink = sink
        self.counters = counters
        self.logger = logger
        reports = IngestReports(loop: loop, counters: counters, logger: logger)
        connections = IngestConnections(configuration: configuration, reports: reports)
    }

    /// How long the first bytes of a packet wait for the request with the remaining bytes.
    private static let beginningAge = TimeSpan.seconds(2)

    private struct Beginning {
        var bytes: [UInt8]
        var ended: MonotonicInstant
    }

    /// Why an encoder is refused.
    enum Refusal: Error, Equatable {
        case busy
        case tooManyEncoders
        case unknownStream
        case unavailable

        var counter: IngestCounter {
            switch self {
            case .busy: .refusedBusy
            case .tooManyEncoders: .refusedTooManyEncoders
            case .unknownStream: .refusedUnknownStream
            case .unavailable: .refusedUnavailable
            }
        }
    }

    /// Streams that encoders provide now, for `status`.
    var streams: [StreamName] { sessions.keys.sorted() }

    /// Asks the sink, then calls `body` on the loop with the session or with the reason for the refusal.
    ///
    /// - Parameters:
    ///   - takesDatagrams: the stream comes over UDP.
    ///   - source: the encoder's address, for the log.
    func open(
        _ stream: StreamName, takesDatagrams: Bool = false, from source: IPAddress?,
        _ body: @escaping (Result<EncoderSession, Refusal>) -> Void
    ) {
        func refuse(_ refusal: Refusal) {
            // The name is verified: the sender has shown the stream's key, or used the stream's own port.
            reports.note(refusal.counter, stream: stream, ["from": "\(source?.description ?? "pull")"])
            body(.failure(refusal))
        }
        if opening.contains(stream) { return refuse(.busy) }
        if let current = sessions[stream] {
            // If reading from the encoder is paused, its silence does not count.
            guard current.isReady, loop.instant - current.lastInput >= configuration.yieldAfter else {
                return refuse(.busy)
            }
            logger.info("encoder yields", metadata: ["stream": "\(stream)"])
            counters.add(to: .encodersYielded)
            sessions[stream] = nil
            current.revoke()
        }
        guard sessions.count + opening.count < configuration.encodersMax else { return refuse(.tooManyEncoders) }
        opening.insert(stream)
        lastNumber += 1
        let id = IngestSession(stream: stream, number: lastNumber)
        let sink = sink
        loop.makeFutureWithTask { await sink.open(id) }.assumeIsolated().whenComplete { [self] result in
            opening.remove(stream)
            switch result {
            case .success(.accepted): body(.success(start(id, takesDatagrams: takesDatagrams, from: source)))
            case .success(.unknownStream): refuse(.unknownStream)
            case .success(.unavailable), .failure: refuse(.unavailable)
            }
        }
    }

    private func start(_ id: IngestSession, takesDatagrams: Bool, from source: IPAddress?) -> EncoderSession {
        let session = EncoderSession(
            id: id, loop: loop, sink: sink, configuration: configuration, counters: counters, reports: reports,
            takesDatagrams: takesDatagrams, beginning: takeBeginning(of: id.stream))
        sessions[id.stream] = session
        counters.add(to: .encodersAccepted)
        logger.info(
            "encoder accepted",
            metadata: [
                "stream": "\(id.stream)", "session": "\(id.number)", "from": "\(source?.description ?? "pull")",
            ])
        return session
    }

    /// An encoder ended a request in the middle of a packet. It may send the remaining bytes with its next request, as
    /// GStreamer does.
    func keep(beginning bytes: [UInt8], of stream: StreamName) {
        let now = loop.instant
        beginnings = beginnings.filter { now - $0.value.ended <= Self.beginningAge }
        guard !bytes.isEmpty, beginnings.count < configuration.encodersMax else { return }
        beginnings[stream] = Beginning(bytes: bytes, ended: now)
    }

    private func takeBeginning(of stream: StreamName) -> [UInt8] {
        guard let beginning = beginnings.removeValue(forKey: stream),
            loop.instant - beginning.ended <= Self.beginningAge
        else { return [] }
        return beginning.bytes
    }

    /// Removes the session after it has closed; its connection calls this from `onClose`.
    func remove(_ session: EncoderSession) {
        guard let current = sessions[session.id.stream], current === session else { return }
        sessions[session.id.stream] = nil
        logger.info(
            "encoder ended",
            metadata: [
                "stream": "\(session.id.stream)", "session": "\(session.id.number)",
                "bytes": "\(session.bytesTaken)", "payloads": "\(session.payloadsTaken)",
            ])
    }

    /// Ends every session at once, at shut-down.
    func revokeAll() {
        let all = sessions
        sessions = [:]
        for stream in all.keys.sorted() { all[stream]?.revoke() }
    }

    /// True if raw input may come from this address.
    func allows(_ address: IPAddress?) -> Bool {
        guard let address else { return false }
        return configuration.allow.contains { $0.contains(address) }
    }
}

extension SocketAddress {
    /// The IP address without the port; nil for a Unix socket.
    var ip: IPAddress? { ipAddress.flatMap { IPAddress($0) } }

    /// Address and port; nil for a Unix socket.
    var endpoint: Endpoint? {
        guard let ip, let port, let port = UInt16(exactly: port) else { return nil }
        return Endpoint(address: ip, port: port)
    }

    init(_ endpoint: Endpoint) throws {
        try self.init(ipAddress: endpoint.address.description, port: Int(endpoint.port))
    }
}
