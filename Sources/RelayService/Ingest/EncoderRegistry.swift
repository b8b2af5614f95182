import Logging
import NIOCore
import ReflectorModel

/// Who provides which stream now: lets encoders in, one a stream, and remembers them until they end. Lives on the
/// ingest loop, as everything in `Ingest` does.
///
/// An encoder keeps its stream as long as it sends. One that has been silent for `yieldAfter` loses it to the next
/// that asks and shows a key: an encoder that crashed and came back must not wait for TCP to notice.
final class EncoderRegistry {
    let loop: any EventLoop
    let configuration: IngestConfiguration
    let counters: IngestCounters
    let logger: Logger
    var keys: StreamKeys
    private let sink: any IngestSink
    private var sessions: [StreamName: EncoderSession] = [:]
    /// Streams for which the sink is being asked.
    private var opening: Set<StreamName> = []
    private var lastNumber: UInt64 = 0
    private var connections: [IPAddress: Int] = [:]
    private var connectionCount = 0

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
    }

    /// Why an encoder is not let in.
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

    /// Streams being provided, for `status`.
    var streams: [StreamName] { sessions.keys.sorted() }

    /// Asks the sink and calls `body` on the loop with the session or why there is none.
    func open(_ stream: StreamName, _ body: @escaping (Result<EncoderSession, Refusal>) -> Void) {
        func refuse(_ refusal: Refusal) {
            counters.add(to: refusal.counter)
            body(.failure(refusal))
        }
        if opening.contains(stream) { return refuse(.busy) }
        if let current = sessions[stream] {
            // One that is held back by us is not silent.
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
            case .success(.accepted): body(.success(start(id)))
            case .success(.unknownStream): refuse(.unknownStream)
            case .success(.unavailable), .failure: refuse(.unavailable)
            }
        }
    }

    private func start(_ id: IngestSession) -> EncoderSession {
        let session = EncoderSession(
            id: id, loop: loop, sink: sink, configuration: configuration, counters: counters)
        sessions[id.stream] = session
        counters.add(to: .encodersAccepted)
        logger.info("encoder accepted", metadata: ["stream": "\(id.stream)", "session": "\(id.number)"])
        return session
    }

    /// Takes the session out once it has closed; its connection calls this from `onClose`.
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

    /// Counts a connection until it closes. False, and counted, when there are too many, or too many from its address:
    /// one that opens connections and says nothing must not lock the others out.
    func admit(_ connection: any Channel) -> Bool {
        let address = connection.remoteAddress?.ip ?? IPAddress(high: 0, low: 0)
        let fromThere = connections[address] ?? 0
        guard connectionCount < configuration.connectionsMax, fromThere < configuration.connectionsPerAddressMax else {
            counters.add(to: .refusedTooManyConnections)
            return false
        }
        connectionCount += 1
        connections[address] = fromThere + 1
        connection.closeFuture.assumeIsolated().whenComplete { [self] _ in
            connectionCount -= 1
            connections[address] = connections[address].flatMap { $0 > 1 ? $0 - 1 : nil }
        }
        return true
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
