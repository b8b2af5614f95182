import NIOCore
import NIOHTTP1

/// Sits between the HTTP/1 codec of a connection and everything else. Tracks unanswered requests, enforces time-outs,
/// and adds rules of RFC 9112 that NIO omits: HTTP/1.0 clients get no chunks, a response to HEAD has no body, a request
/// without Host gets 400, and the connection ends after `Connection: close`.
///
/// ```
/// fresh ─▶ busy ⇄ idle
///            └─▶ closing: our side is closed, the client may still read
/// ```
final class ConnectionHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// Maximum number of unanswered requests; the channel's back-pressure stops reading long before this limit.
    private static let unansweredMax = 64
    /// How long a client may take to read the end of the last response before we close the connection.
    private static let lingerTime = TimeAmount.seconds(1)

    private struct Facts {
        var isHead: Bool
        var isOld: Bool
        var closes: Bool
    }

    private let id: ConnectionTable.ID
    private let limiter: ConnectionLimiter
    private var unanswered = CircularBuffer<Facts>()
    private var requests = 0
    private var isBodyOpen = false
    private var hasHadRequest = false
    private var isClosing = false
    /// When the request, the body or the next request must be complete.
    private var deadline: NIODeadline?
    private var stalledAt: NIODeadline?
    private var timer: Scheduled<Void>?
    private var timerAt = NIODeadline.distantFuture

    init(id: ConnectionTable.ID, limiter: ConnectionLimiter) {
        self.id = id
        self.limiter = limiter
    }

    func handlerAdded(context: ChannelHandlerContext) {
        expect(within: limiter.bounds.headTimeout, context)
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(var head):
            guard !isClosing else { return }
            let problem = RequestRules.problem(of: head)
            if problem != nil { limiter.count(.malformed) }
            head.headers.remove(name: RequestRules.mark)
            if let problem { head.headers.add(name: RequestRules.mark, value: problem) }
            head.uri = RequestRules.originForm(head.uri)
            requests += 1
            let isOld = RequestRules.isOld(head.version)
            let closes =
                !head.isKeepAlive || isOld || problem != nil || requests >= limiter.bounds.requestsMax
            unanswered.append(Facts(isHead: head.method == .HEAD, isOld: isOld, closes: closes))
            guard unanswered.count <= Self.unansweredMax else { return context.close(promise: nil) }
            isBodyOpen = true
            hasHadRequest = true
            limiter.busy(id)
            expect(within: limiter.bounds.headTimeout, context)
            context.fireChannelRead(wrapInboundOut(.head(head)))
        case .body:
            if !isClosing { context.fireChannelRead(data) }
        case .end:
            guard !isClosing else { return }
            isBodyOpen = false
            if unanswered.isEmpty { expect(within: limiter.bounds.idleTimeout, context) } else { deadline = nil }
            context.fireChannelRead(data)
        }
    }

    // MARK: Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard let facts = unanswered.first else {
            // The answer to something that was not a request.
            return context.write(data, promise: promise)
        }
        switch unwrapOutboundIn(data) {
        case .head(var head):
            if facts.isOld { head.version = .http1_0 }
            if head.headers[canonicalForm: "connection"].contains("close") {
                unanswered[unanswered.startIndex].closes = true
            }
            if unanswered[unanswered.startIndex].closes {
                head.headers.replaceOrAdd(name: "Connection", value: "close")
            }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body where facts.isHead: promise?.succeed()
        case .body: context.write(data, promise: promise)
        case .end:
            unanswered.removeFirst()
            if facts.isHead {
                promise?.succeed()
                if facts.closes { end(context) }
            } else if facts.closes {
                let written = context.eventLoop.makePromise(of: Void.self)
                if let promise { written.futureResult.cascade(to: promise) }
                written.futureResult.assumeIsolated().whenComplete { [self] _ in end(context) }
                context.write(data, promise: written)
            } else {
                context.write(data, promise: promise)
            }
            guard unanswered.isEmpty, !facts.closes else { return }
            limiter.idle(id)
            if !isBodyOpen { expect(within: limiter.bounds.idleTimeout, context) }
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            stalledAt = nil
        } else if stalledAt == nil {
            stalledAt = .now()
            wake(at: .now() + limiter.bounds.stallTimeout, context)
        }
        context.fireChannelWritabilityChanged()
    }

    /// Closes our side, and the whole connection soon after: a client that still sends would otherwise get a reset
    /// before it has read the answer (RFC 9112 §9.6).
    private func end(_ context: ChannelHandlerContext) {
        guard !isClosing else { return }
        isClosing = true
        context.flush()
        context.close(mode: .output, promise: nil)
        expect(within: Self.lingerTime, context)
    }

    // MARK: Time

    private func expect(within limit: TimeAmount, _ context: ChannelHandlerContext) {
        let instant = NIODeadline.now() + limit
        deadline = instant
        wake(at: instant, context)
    }

    /// One timer at a time, which is moved only to an earlier instant: most requests are answered before it fires.
    private func wake(at instant: NIODeadline, _ context: ChannelHandlerContext) {
        guard instant < timerAt else { return }
        timer?.cancel()
        timerAt = instant
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: instant) { [self] in
            timerAt = .distantFuture
            timerFired(context)
        }
    }

    private func timerFired(_ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        if let deadline, deadline <= now {
            if !isClosing { limiter.count(hasHadRequest && !isBodyOpen ? .idleTimedOut : .headTimedOut) }
            return context.close(promise: nil)
        }
        let stalled = stalledAt.map { $0 + limiter.bounds.stallTimeout }
        if let stalled, stalled <= now {
            limiter.count(.stalled)
            return context.close(promise: nil)
        }
        if let deadline { wake(at: deadline, context) }
        if let stalled { wake(at: stalled, context) }
    }
}
