import NIOCore
import NIOHTTP1
import ReflectorModel

/// A connection of an encoder that pushes by HTTP: one `PUT` or `POST` of `/STREAM`, its body the stream, its key in
/// `?key=` or `Authorization: Bearer`. One request a connection.
///
/// ```
/// awaitingHead ─▶ opening ─▶ streaming ─▶ ending ─▶ answered
///       └────────────┴─ refused ─────────────────────▲
/// ```
/// Answers: 200 at the end of the stream; 400 malformed, 401 no key or a wrong one, 404 no such stream at this
/// entrypoint, 405 other methods, 408 no head in time, 409 another encoder provides the stream (see
/// `EncoderRegistry` for when it yields), 411 a body of no stated form, 503 too many encoders or the node cannot take it
/// now.
final class HTTPIngestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// How long, and how many bytes, a refused encoder may still send while it reads the answer. Closing at once
    /// would reset the connection and the answer could be lost (RFC 9112 §9.6).
    private static let lingerTime = TimeSpan.seconds(1)
    private static let lingerBytesMax = 1 << 20

    private enum State {
        case awaitingHead
        case opening(expectsContinue: Bool)
        case streaming(EncoderSession)
        case ending
        case answered
    }

    private let registry: EncoderRegistry
    private let gate: ReadGate
    private var state = State.awaitingHead
    /// What came while the sink was asked: at most what the kernel held.
    private var early: [ByteBuffer] = []
    private var bodyEnded = false
    private var isInactive = false
    private var lingeredBytes = 0
    private var timer: Scheduled<Void>?
    private var channel: (any Channel)?

    init(registry: EncoderRegistry, gate: ReadGate) {
        self.registry = registry
        self.gate = gate
    }

    func handlerAdded(context: ChannelHandlerContext) {
        channel = context.channel
        let limit = registry.configuration.headTimeout
        timer = registry.loop.assumeIsolated().scheduleTask(in: limit.amount) { [self] in
            guard case .awaitingHead = state else { return }
            registry.counters.add(to: .headTimedOut)
            answer(.requestTimeout, "no request within \(limit.milliseconds) ms")
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (unwrapInboundIn(data), state) {
        case (.head(let head), .awaitingHead): receive(head)
        case (.body(let bytes), .opening): early.append(bytes)
        case (.body(let bytes), .streaming(let session)): session.receive(bytes)
        case (.end, .opening): bodyEnded = true
        case (.end, .streaming(let session)): finish(session)
        case (.body(let bytes), _):
            lingeredBytes += bytes.readableBytes
            if lingeredBytes > Self.lingerBytesMax { context.close(promise: nil) }
        case (.head, _), (.end, _): break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        isInactive = true
        timer?.cancel()
        if case .streaming(let session) = state { session.finish() }
        channel = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The protocol error handler has answered 400 already where the request could not be read.
        if case .awaitingHead = state { registry.counters.add(to: .refusedMalformed) }
        context.close(promise: nil)
    }

    private func receive(_ head: HTTPRequestHead) {
        timer?.cancel()
        guard head.method == .PUT || head.method == .POST else {
            return refuse(.refusedMethod, .methodNotAllowed, "push with PUT or POST", [("Allow", "PUT, POST")])
        }
        let target = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = target.first, path.first == "/", let stream = StreamName(path.dropFirst()) else {
            return refuse(.refusedUnknownStream, .notFound, "the path is no stream name")
        }
        let presented = Self.bearer(head.headers) ?? Self.key(inQuery: target.count == 2 ? target[1] : "")
        switch registry.keys.verdict(on: presented, for: stream) {
        case .accepted: break
        case .missing:
            return refuse(.refusedMissingKey, .unauthorized, "key missing", [("WWW-Authenticate", "Bearer")])
        case .wrong: return refuseLater()
        case .unknownStream: return refuse(.refusedUnknownStream, .notFound, "no such stream here")
        }
        // RFC 9112 §6.3: a request that says neither has no body, whatever follows.
        guard head.headers.contains(name: "transfer-encoding") || head.headers.contains(name: "content-length") else {
            return refuse(.refusedMalformed, .lengthRequired, "send the stream chunked, or say its length")
        }
        let expectations = head.headers[canonicalForm: "expect"]
        open(stream, expectsContinue: expectations.contains { $0.lowercased() == "100-continue" })
    }

    /// A wrong key waits for its answer, unread, so that guessing takes long.
    private func refuseLater() {
        registry.counters.add(to: .refusedWrongKey)
        state = .ending
        gate.set(open: false)
        timer = registry.loop.assumeIsolated().scheduleTask(in: registry.configuration.wrongKeyDelay.amount) { [self] in
            answer(.unauthorized, "wrong key", [("WWW-Authenticate", "Bearer")])
        }
    }

    private func open(_ stream: StreamName, expectsContinue: Bool) {
        state = .opening(expectsContinue: expectsContinue)
        gate.set(open: false)
        registry.open(stream) { [self] result in
            switch result {
            case .success(let session): start(session, expectsContinue: expectsContinue)
            case .failure(.busy):
                answer(.conflict, "another encoder provides \(stream)", [("Retry-After", "3")])
            case .failure(.unknownStream): answer(.notFound, "\(stream) is not a stream of this entrypoint")
            case .failure(.tooManyEncoders): answer(.serviceUnavailable, "too many encoders", [("Retry-After", "10")])
            case .failure(.unavailable): answer(.serviceUnavailable, "try again later", [("Retry-After", "2")])
            }
        }
    }

    private func start(_ session: EncoderSession, expectsContinue: Bool) {
        state = .streaming(session)
        session.onReadiness = { [gate] in gate.set(open: $0) }
        session.onRevoked = { [self] in channel?.close(promise: nil) }
        session.onClose = { [self] in
            registry.remove(session)
            answer(.ok, "\(session.id.stream): \(session.bytesTaken) bytes in \(session.payloadsTaken) packets")
        }
        if expectsContinue, early.isEmpty, !bodyEnded {
            channel?.writeAndFlush(
                HTTPServerResponsePart.head(HTTPResponseHead(version: .http1_1, status: .continue)), promise: nil)
        }
        for bytes in early { session.receive(bytes) }
        early = []
        if bodyEnded || isInactive {
            finish(session)
        } else {
            gate.set(open: session.isReady)
            session.watchIdle(registry.configuration.idleTimeout) { [self] in channel?.close(promise: nil) }
        }
    }

    private func finish(_ session: EncoderSession) {
        state = .ending
        session.finish()
    }

    private func refuse(
        _ counter: IngestCounter, _ status: HTTPResponseStatus, _ reason: String, _ fields: [(String, String)] = []
    ) {
        registry.counters.add(to: counter)
        answer(status, reason, fields)
    }

    private func answer(_ status: HTTPResponseStatus, _ reason: String, _ fields: [(String, String)] = []) {
        state = .answered
        early = []
        guard let channel else { return }
        let text = ByteBuffer(string: reason + "\n")
        let headers = HTTPHeaders(
            fields + [
                ("Content-Type", "text/plain"), ("Content-Length", "\(text.readableBytes)"), ("Connection", "close"),
            ])
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        channel.write(HTTPServerResponsePart.body(.byteBuffer(text)), promise: nil)
        channel.writeAndFlush(HTTPServerResponsePart.end(nil)).assumeIsolated().whenComplete { _ in
            channel.close(mode: .output, promise: nil)
        }
        gate.set(open: true)
        timer = registry.loop.assumeIsolated().scheduleTask(in: Self.lingerTime.amount) {
            channel.close(promise: nil)
        }
    }

    private static func bearer(_ headers: HTTPHeaders) -> Substring? {
        guard let field = headers.first(name: "authorization"), field.lowercased().hasPrefix("bearer ") else {
            return nil
        }
        return field.dropFirst("bearer ".count)
    }

    /// The value of `key` in a query. Keys are made of characters that stand for themselves in a URL, so nothing is to
    /// be decoded.
    private static func key(inQuery query: Substring) -> Substring? {
        query.split(separator: "&").first { $0.hasPrefix("key=") }?.dropFirst("key=".count)
    }
}
