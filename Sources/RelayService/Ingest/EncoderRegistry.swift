import Logging
import NIOCore
import ReflectorModel

/// Decides which encoder provides which stream: admits encoders, one for each stream, and keeps them until they end.
/// Lives on the ingest loop, as everything in `Ingest` does.
///
/// An encoder keeps its stream while it sends, unless the stream says `takeover`; `EncoderConflict` has the rules. An
/// encoder that crashed and restarted need not wait until TCP notices that its old connection is dead.
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
    /// Streams for which the sink has not answered `admit` and `open` yet.
    private var opening: Set<StreamName> = []
    /// Streams that were logged as to be pulled here. At most `encodersMax`.
    private var pullsWanted: Set<StreamName> = []
    private var lastNumber: UInt64 = 0
    /// Complete requests that ended a short while ago: the encoder may continue with another one. At most `encodersMax`.
    private var ends: [StreamName: RequestEnd] = [:]

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

    /// How long after the end of a request another one counts as its continuation.
    private static let continuedWithin = TimeSpan.seconds(2)

    private struct RequestEnd {
        /// First bytes of a packet whose remaining bytes may come with the next request.
        var beginning: [UInt8]
        var at: MonotonicInstant
    }

    /// Why an encoder is refused.
    enum Refusal: Error, Equatable {
        case busy
        case tooManyEncoders
        case unknownStream
        case unavailable
        /// Another entrypoint leads the stream, and this one does not take it meanwhile.
        case standby
        /// Another entrypoint leads the stream; the encoder should push there.
        case redirected(IngestRedirect)

        var counter: IngestCounter {
            switch self {
            case .busy: .refusedBusy
            case .tooManyEncoders: .refusedTooManyEncoders
            case .unknownStream: .refusedUnknownStream
            case .unavailable: .refusedUnavailable
            case .standby: .refusedStandby
            case .redirected: .encodersRedirected
            }
        }
    }

    /// Streams that encoders provide now, for `status`.
    var streams: [StreamName] { sessions.keys.sorted() }

    /// Asks the sink, then calls `body` on the loop with the session or with the reason for the refusal.
    ///
    /// - Parameter redirectable: our address at the encoder's connection, if the encoder can be sent to another
    ///   entrypoint.
    func open(
        _ stream: StreamName, from origin: EncoderOrigin, redirectable local: IPAddress? = nil,
        _ body: @escaping (Result<EncoderSession, Refusal>) -> Void
    ) {
        func refuse(_ refusal: Refusal) {
            // The name is verified: the sender has shown the stream's key, or used the stream's own port.
            reports.note(refusal.counter, stream: stream, ["from": "\(origin.description)"])
            body(.failure(refusal))
        }
        if opening.contains(stream) { return refuse(.busy) }
        let others = sessions.count + opening.count { sessions[$0] == nil } - (sessions[stream] == nil ? 0 : 1)
        guard others < configuration.encodersMax else { return refuse(.tooManyEncoders) }
        opening.insert(stream)
        let sink = sink
        let isPull = origin.input == .pull
        loop.makeFutureWithTask { await sink.admit(stream, isPull: isPull) }.assumeIsolated().whenComplete {
            [self] result in
            let admission = (try? result.get()) ?? .unavailable
            switch Self.decision(on: admission, from: origin, redirectable: local) {
            case .success(let policy): begin(stream, policy, from: origin, refuse, body)
            case .failure(let refusal):
                opening.remove(stream)
                refuse(refusal)
            }
        }
    }

    /// Whether to take the stream, by what the zone and the election say.
    static func decision(
        on admission: IngestAdmission, from origin: EncoderOrigin, redirectable local: IPAddress?
    ) -> Result<StreamPolicy, Refusal> {
        func redirect(to leader: IngestLeader, _ policy: StreamPolicy) -> IngestRedirect? {
            policy.redirects ? IngestRedirect(to: leader, from: local) : nil
        }
        switch admission {
        case .unknownStream: return .failure(.unknownStream)
        case .unavailable: return .failure(.unavailable)
        case .barred(let policy, let leader):
            if let leader, let redirect = redirect(to: leader, policy) { return .failure(.redirected(redirect)) }
            return .failure(.standby)
        case .admitted(let policy, let leader):
            // The node itself started a pull. Standbys of hot streams must have the encoder's bytes, too.
            guard let leader, origin.input != .pull, policy.standby != .hot else { return .success(policy) }
            if let redirect = redirect(to: leader, policy) { return .failure(.redirected(redirect)) }
            return policy.standby == .cold ? .failure(.standby) : .success(policy)
        }
    }

    /// The zone admits the stream, which is in `opening`: replaces the encoder that has it, or refuses the new one.
    private func begin(
        _ stream: StreamName, _ policy: StreamPolicy, from origin: EncoderOrigin,
        _ refuse: @escaping (Refusal) -> Void, _ body: @escaping (Result<EncoderSession, Refusal>) -> Void
    ) {
        var isTakeover = false
        if let current = sessions[stream] {
            let verdict = EncoderConflict(
                current: current.claim, newcomer: origin, secondEncoder: policy.secondEncoder,
                yieldAfter: configuration.yieldAfter
            ).verdict
            guard let counter = verdict.counter else {
                opening.remove(stream)
                return refuse(.busy)
            }
            isTakeover = verdict == .takenOver
            counters.add(to: counter)
            logger.info(
                "encoder replaced",
                metadata: [
                    "stream": "\(stream)", "session": "\(current.id.number)", "reason": "\(verdict)",
                    "from": "\(current.origin.description)", "by": "\(origin.description)",
                ])
            sessions[stream] = nil
            current.revoke(isReplaced: true)
        }
        lastNumber += 1
        let id = IngestSession(stream: stream, number: lastNumber)
        let sink = sink
        let end = takeEnd(of: stream)
        loop.makeFutureWithTask { await sink.open(id, isContinued: end != nil) }.assumeIsolated().whenComplete {
            [self] result in
            opening.remove(stream)
            guard (try? result.get()) == true else { return refuse(.unavailable) }
            let beginning = end?.beginning ?? []
            body(.success(start(id, policy, from: origin, isTakeover: isTakeover, beginning: beginning)))
        }
    }

    private func start(
        _ id: IngestSession, _ policy: StreamPolicy, from origin: EncoderOrigin, isTakeover: Bool, beginning: [UInt8]
    ) -> EncoderSession {
        let session = EncoderSession(
            id: id, from: origin, policy: policy, isTakeover: isTakeover, loop: loop, sink: sink,
            configuration: configuration, counters: counters, reports: reports, beginning: beginning)
        sessions[id.stream] = session
        counters.add(to: .encodersAccepted)
        logger.info(
            "encoder accepted",
            metadata: [
                "stream": "\(id.stream)", "session": "\(id.number)", "from": "\(origin.description)",
            ])
        if policy.isPull, origin.input != .pull { notePullWanted(id.stream) }
        return session
    }

    /// The zone's URL is not followed, because a URL there would show its password to everybody.
    private func notePullWanted(_ stream: StreamName) {
        guard !pullsWanted.contains(stream), pullsWanted.count < configuration.encodersMax,
            !configuration.pulls.contains(where: { $0.stream == stream })
        else { return }
        pullsWanted.insert(stream)
        logger.notice(
            "the zone says that entrypoints pull this stream, but an encoder pushes it here",
            metadata: ["stream": "\(stream)", "remedy": "give --pull \(stream)=URL, or let its stream line say push"])
    }

    /// An encoder ended a request, perhaps in the middle of a packet. It may continue with its next request, as
    /// GStreamer does.
    func noteEnd(of stream: StreamName, beginning: [UInt8]) {
        let now = loop.instant
        ends = ends.filter { now - $0.value.at <= Self.continuedWithin }
        guard ends.count < configuration.encodersMax else { return }
        ends[stream] = RequestEnd(beginning: beginning, at: now)
    }

    private func takeEnd(of stream: StreamName) -> RequestEnd? {
        guard let end = ends.removeValue(forKey: stream), loop.instant - end.at <= Self.continuedWithin else {
            return nil
        }
        return end
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
        for stream in all.keys.sorted() { all[stream]?.revoke(isReplaced: false) }
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
