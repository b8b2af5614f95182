import NIOCore
import NIOHTTP1
import ReflectorModel

/// A connection of an encoder that pushes over HTTP. It carries one `PushRequest`, whose body is the stream.
///
/// It uses SwiftNIO's HTTP codec. Hummingbird, which serves the viewers, does not fit: a Hummingbird handler is a task
/// of its own, so each chunk of a body would change threads, and payloads must stay on the event loop that all inputs
/// share. Also, reading must pause while the node is behind, and a refusal must be sent while the body still arrives.
///
/// ```
/// awaitingHead ─▶ opening ─▶ streaming ─▶ ending ─▶ answered
///       └────────────┴─ refused ─────────────────────▲
/// ```
/// Answers: 200 at the end of the stream; 307 another entrypoint leads the stream and the stream says `redirect`; 400 malformed, 401 no key or a wrong one, 404 no such stream at this
/// entrypoint, 405 other methods, 408 no head in time, 409 another encoder provides the stream (`EncoderConflict` says
/// when it yields), 411 a body without length or chunks, 415 no MPEG-TS, 417 an expectation other than 100-continue,
/// 503 too many encoders, the node cannot take it now, or another entrypoint leads a cold stream.
final class HTTPIngestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// How long, and how many bytes, a refused encoder may still send while it reads the answer. Closing at once
    /// would reset the connection and the answer could be lost (RFC 9112 §9.6).
    private static let lingerTime = TimeSpan.seconds(1)
    private static let lingerBytesMax = 1 << 20
    /// A shorter body without MPEG-TS may be a part of a packet.
    private static let rejectableBytesMin = 1_024

    private enum State {
        case awaitingHead
        case opening(expectsContinue: Bool)
        case streaming(EncoderSession)
        case ending
        case answered
    }

    private let registry: EncoderRegistry
    private let backPressure: ReadBackPressure
    private var state = State.awaitingHead
    /// Body bytes that arrived before the sink replied to `open`: at most what the kernel held.
    private var early: [ByteBuffer] = []
    private var bodyEnded = false
    private var isJunk = false
    private var isInactive = false
    private var lingeredBytes = 0
    private var timer: Scheduled<Void>?
    private var channel: (any Channel)?

    init(registry: EncoderRegistry, backPressure: ReadBackPressure) {
        self.registry = registry
        self.backPressure = backPressure
    }

    func handlerAdded(context: ChannelHandlerContext) {
        channel = context.channel
        let limit = registry.configuration.headTimeout
        timer = registry.loop.assumeIsolated().scheduleTask(in: limit.amount) { [self] in
            guard case .awaitingHead = state else { return }
            note(.headTimedOut)
            answer(.requestTimeout, "no request within \(limit.milliseconds) ms")
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (unwrapInboundIn(data), state) {
        case (.head(let head), .awaitingHead): receive(head)
        case (.body(let bytes), .opening): early.append(bytes)
        case (.body(let bytes), .streaming(let session)): session.receive(bytes)
        case (.end, .opening): bodyEnded = true
        case (.end, .streaming(let session)):
            bodyEnded = true
            finish(session)
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
        // The protocol error handler has already answered 400 if the request could not be read. A connection that ended
        // in the middle of a request is not a malformed request.
        switch (state, error as? HTTPParserError) {
        case (_, nil), (_, .invalidEOFState?): break
        case (.awaitingHead, _), (.streaming, _): note(.refusedMalformed)
        default: break
        }
        context.close(promise: nil)
    }

    private func receive(_ head: HTTPRequestHead) {
        timer?.cancel()
        let request: PushRequest
        do throws(PushRequest.Refusal) {
            request = try PushRequest(head)
        } catch {
            return refuse(error.counter, error.status, error.reason, error.fields)
        }
        let stream = request.stream
        switch registry.keys.verdict(on: request.key, for: stream) {
        case .accepted: break
        case .missing:
            return refuse(.refusedMissingKey, .unauthorized, "key missing", Self.challenge)
        case .wrong: return refuseLater()
        case .unknownStream: return refuse(.refusedUnknownStream, .notFound, "no such stream here")
        }
        if let channel { registry.connections.prove(channel) }
        open(request)
    }

    private static let challenge = [("WWW-Authenticate", "Bearer"), ("WWW-Authenticate", "Basic realm=\"reflector\"")]

    /// The answer to a wrong key is delayed, to slow down guessing; nothing is read meanwhile.
    private func refuseLater() {
        note(.refusedWrongKey)
        state = .ending
        backPressure.set(open: false)
        timer = registry.loop.assumeIsolated().scheduleTask(in: registry.configuration.wrongKeyDelay.amount) { [self] in
            answer(.unauthorized, "wrong key", Self.challenge)
        }
    }

    private func open(_ request: PushRequest) {
        let stream = request.stream
        state = .opening(expectsContinue: request.expectsContinue)
        backPressure.set(open: false)
        let origin = EncoderOrigin(input: .http, source: channel?.remoteAddress?.ip)
        let local = request.isRedirected ? nil : channel?.localAddress?.ip
        registry.open(stream, from: origin, redirectable: local) { [self] result in
            switch result {
            case .success(let session): start(session, expectsContinue: request.expectsContinue)
            case .failure(.redirected(let redirect)): answer(redirect, to: request)
            case .failure(.standby):
                answer(.serviceUnavailable, "another entrypoint leads \(stream) now", [("Retry-After", "1")])
            case .failure(.busy):
                answer(.conflict, "another encoder provides \(stream)", [("Retry-After", "3")])
            case .failure(.unknownStream): answer(.notFound, "\(stream) is not a stream of this entrypoint")
            case .failure(.tooManyEncoders): answer(.serviceUnavailable, "too many encoders", [("Retry-After", "10")])
            case .failure(.unavailable): answer(.serviceUnavailable, "try again later", [("Retry-After", "2")])
            }
        }
    }

    private func answer(_ redirect: IngestRedirect, to request: PushRequest) {
        let location = redirect.location(target: request.target, port: channel?.localAddress?.endpoint?.port ?? 0)
        answer(.temporaryRedirect, "\(redirect.leader) leads \(request.stream) now", [("Location", location)])
    }

    private func start(_ session: EncoderSession, expectsContinue: Bool) {
        state = .streaming(session)
        session.onReadiness = { [backPressure] in backPressure.set(open: $0) }
        session.onRevoked = { [self] in channel?.close(promise: nil) }
        session.onJunk = { [self] in (state, isJunk) = (.ending, true) }
        session.onClose = { [self] in
            registry.remove(session)
            if isJunk { return answer(.unsupportedMediaType, "this is not MPEG-TS; push MPEG-TS (ffmpeg: -f mpegts)") }
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
        } else if case .streaming = state {
            backPressure.set(open: session.isReady)
            session.watchIdle(registry.configuration.idleTimeout) { [self] in channel?.close(promise: nil) }
        }
    }

    private func finish(_ session: EncoderSession) {
        if !session.hasFoundPackets, session.bytesReceived >= Self.rejectableBytesMin { isJunk = true }
        state = .ending
        let rest = session.finish(isComplete: bodyEnded)
        // The request was complete, so the encoder is still there and may continue with its next request.
        if bodyEnded { registry.noteEnd(of: session.id.stream, beginning: rest) }
    }

    private func refuse(
        _ counter: IngestCounter, _ status: HTTPResponseStatus, _ reason: String, _ fields: [(String, String)] = []
    ) {
        note(counter)
        answer(status, reason, fields)
    }

    /// The stream's name is unverified, so the report leaves it out.
    private func note(_ cause: IngestCounter) {
        registry.reports.note(cause, ["from": "\(channel?.remoteAddress?.ip?.description ?? "")"])
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
        backPressure.set(open: true)
        timer = registry.loop.assumeIsolated().scheduleTask(in: Self.lingerTime.amount) {
            channel.close(promise: nil)
        }
    }
}
