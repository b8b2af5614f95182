import NIOCore
import NIOPosix
import ReflectorModel

/// Sends one query to one server and waits for its answer: over UDP from a socket of its own, so that each query has a
/// random port and receives only from that server; or over TCP, for an answer that was truncated.
struct QueryExchange: Sendable {
    let loop: any EventLoop
    let counters: ResolverCounters

    /// Why a query got no usable answer.
    enum Failure: Error, Equatable {
        case timedOut
        case unreachable
        case malformed
    }

    struct Answer: Sendable {
        var reply: OutgoingQuery.Reply
        var roundTrip: TimeSpan
    }

    func overUDP(_ query: OutgoingQuery, to server: Endpoint, timeout: TimeSpan) async throws(Failure) -> Answer {
        counters.add(to: .queriesUDP)
        return try await run(query, timeout: timeout) { waiting in
            DatagramBootstrap(group: loop)
                // Room for any UDP answer, so that none is truncated silently.
                .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 65_535))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(DatagramAnswerHandler(waiting.value))
                    }
                }
                .connect(to: server)
        }
    }

    func overTCP(_ query: OutgoingQuery, to server: Endpoint, timeout: TimeSpan) async throws(Failure) -> Answer {
        counters.add(to: .queriesTCP)
        return try await run(query, timeout: timeout) { waiting in
            ClientBootstrap(group: loop)
                .connectTimeout(timeout.amount)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(StreamAnswerHandler(waiting.value))
                    }
                }
                .connect(to: server)
        }
    }

    private func run(
        _ query: OutgoingQuery, timeout: TimeSpan,
        connect: @escaping @Sendable (NIOLoopBound<AnswerWaiting>) -> EventLoopFuture<any Channel>
    ) async throws(Failure) -> Answer {
        let start = loop.instant
        let loop = loop
        let counters = counters
        do {
            let reply = try await loop.flatSubmit { () -> EventLoopFuture<OutgoingQuery.Reply> in
                let promise = loop.makePromise(of: OutgoingQuery.Reply.self)
                let waiting = AnswerWaiting(query: query, counters: counters, promise: promise)
                let timer = loop.assumeIsolated().scheduleTask(in: timeout.amount) { waiting.fail(.timedOut) }
                let connected = connect(NIOLoopBound(waiting, eventLoop: loop))
                connected.assumeIsolated().whenComplete { result in
                    switch result {
                    case .success(let channel):
                        // Close the socket, whatever the outcome.
                        promise.futureResult.whenComplete { _ in channel.close(promise: nil) }
                    case .failure: waiting.fail(.unreachable)
                    }
                }
                promise.futureResult.assumeIsolated().whenComplete { _ in timer.cancel() }
                return promise.futureResult
            }.get()
            if case .malformed = reply { throw Failure.malformed }
            return Answer(reply: reply, roundTrip: loop.instant - start)
        } catch {
            let failure = error as? Failure ?? .unreachable
            counters.add(to: failure == .timedOut ? .timeouts : failure == .malformed ? .lame : .unreachable)
            throw failure
        }
    }
}

/// Waits for one answer: the first message that matches the query ends the wait. Lives on the loop.
private final class AnswerWaiting {
    let query: OutgoingQuery
    private let counters: ResolverCounters
    private var promise: EventLoopPromise<OutgoingQuery.Reply>?

    init(query: OutgoingQuery, counters: ResolverCounters, promise: EventLoopPromise<OutgoingQuery.Reply>) {
        self.query = query
        self.counters = counters
        self.promise = promise
    }

    func receive(_ bytes: [UInt8]) {
        let reply = query.classify(bytes)
        if case .mismatched(let counter) = reply { return counters.add(to: counter) }
        promise?.succeed(reply)
        promise = nil
    }

    func fail(_ failure: QueryExchange.Failure) {
        promise?.fail(failure)
        promise = nil
    }
}

/// Sends the query when its socket is open, and passes datagrams on.
private final class DatagramAnswerHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let waiting: AnswerWaiting

    init(_ waiting: AnswerWaiting) { self.waiting = waiting }

    func channelActive(context: ChannelHandlerContext) {
        guard let server = context.channel.remoteAddress else { return waiting.fail(.unreachable) }
        let envelope = AddressedEnvelope(remoteAddress: server, data: ByteBuffer(bytes: waiting.query.bytes))
        context.writeAndFlush(wrapOutboundOut(envelope), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // The socket is connected: the kernel lets only the server's address and port through.
        waiting.receive(Array(unwrapInboundIn(data).data.readableBytesView))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { waiting.fail(.unreachable) }
    func channelInactive(context: ChannelHandlerContext) { waiting.fail(.unreachable) }
}

/// Sends the query on a connection and reads the one answer; a length of two bytes precedes each message (RFC 1035
/// §4.2.2).
private final class StreamAnswerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let waiting: AnswerWaiting
    private var received = ByteBuffer()

    init(_ waiting: AnswerWaiting) { self.waiting = waiting }

    func channelActive(context: ChannelHandlerContext) {
        var message = ByteBuffer()
        message.writeInteger(UInt16(clamping: waiting.query.bytes.count))
        message.writeBytes(waiting.query.bytes)
        context.writeAndFlush(wrapOutboundOut(message), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var part = unwrapInboundIn(data)
        received.writeBuffer(&part)
        guard let answer = received.readLengthPrefixedSlice(as: UInt16.self) else { return }
        waiting.receive(Array(answer.readableBytesView))
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { waiting.fail(.unreachable) }
    func channelInactive(context: ChannelHandlerContext) { waiting.fail(.unreachable) }
}

extension DatagramBootstrap {
    fileprivate func connect(to server: Endpoint) -> EventLoopFuture<any Channel> {
        connect(host: server.address.description, port: Int(server.port))
    }
}

extension ClientBootstrap {
    fileprivate func connect(to server: Endpoint) -> EventLoopFuture<any Channel> {
        connect(host: server.address.description, port: Int(server.port))
    }
}
