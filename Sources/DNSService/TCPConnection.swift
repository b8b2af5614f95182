import DNSAnswers
import Glibc
import NIOCore
import ReflectorModel

/// What all connections of the TCP loop share: one responder and one reply buffer.
final class TCPAnswers {
    fileprivate var responder: Responder
    fileprivate let reply = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_535, alignment: 16)
    let privileged: [AddressBlock]
    var open = 0
    var accepted: UInt64 = 0
    /// Closed at once, because `connectionsMax` were open.
    var refused: UInt64 = 0
    /// Closed for want of a whole query in time.
    var idled: UInt64 = 0

    init(engine: AnswerEngine, privileged: [AddressBlock]) {
        responder = Responder(engine)
        self.privileged = privileged
    }

    deinit { reply.deallocate() }

    func replace(_ engine: AnswerEngine) { responder.engine = engine }

    func replace(_ cookies: ServerCookies) { responder.cookies = cookies }

    var tally: AnswerTally { responder.tally }

    var counters: [String: UInt64] {
        var result = responder.counters(transport: "tcp")
        result["tcp_connections_accepted"] = accepted
        result["tcp_connections_refused"] = refused
        result["tcp_connections_idled"] = idled
        result["tcp_connections_open"] = UInt64(open)
        return result
    }
}

/// One TCP connection (RFC 7766): messages behind two bytes of length, answered in order. Queries may be pipelined;
/// while the client does not read its answers, nothing more of its queries is read or answered, so that a connection
/// holds at most one read, one reply and the write buffer below its high-water mark.
final class TCPConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How long a client may take for a whole query, or to make room for a reply.
    static let idleMax = TimeAmount.seconds(10)

    private let answers: TCPAnswers
    private let source: IPAddress
    private let isPrivileged: Bool
    private var pending = ByteBuffer()
    private var isProcessing = false
    /// A read that was held back while the client did not take its answers.
    private var isReadHeld = false
    private var answeredAt = NIODeadline.now()
    private var timer: Scheduled<Void>?

    init(answers: TCPAnswers, source: IPAddress) {
        self.answers = answers
        self.source = source
        isPrivileged = answers.privileged.contains { $0.contains(source) }
    }

    func channelActive(context: ChannelHandlerContext) {
        answers.open += 1
        answers.accepted &+= 1
        answeredAt = .now()
        watchIdleness(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        answers.open -= 1
        timer?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        pending.writeBuffer(&bytes)
        process(context)
    }

    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable { context.read() } else { isReadHeld = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        process(context)
        if isReadHeld, context.channel.isWritable {
            isReadHeld = false
            context.read()
        }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func process(_ context: ChannelHandlerContext) {
        // A flush may change writability, which leads back here.
        guard !isProcessing else { return }
        isProcessing = true
        var hasWritten = false
        while context.channel.isWritable, let query = nextMessage() {
            answeredAt = .now()
            answers.responder.now = Int64(time(nil))
            let length = query.withUnsafeReadableBytes { bytes in
                answers.responder.answer(
                    bytes, from: source, over: .tcp, isPrivileged: isPrivileged, into: answers.reply)
            }
            guard length > 0 else { continue }
            var reply = context.channel.allocator.buffer(capacity: 2 + length)
            reply.writeInteger(UInt16(truncatingIfNeeded: length))
            reply.writeBytes(UnsafeRawBufferPointer(rebasing: answers.reply[..<length]))
            context.write(wrapOutboundOut(reply), promise: nil)
            hasWritten = true
        }
        pending.discardReadBytes()
        isProcessing = false
        if hasWritten { context.flush() }
    }

    private func nextMessage() -> ByteBuffer? {
        guard let length = pending.getInteger(at: pending.readerIndex, as: UInt16.self),
            pending.readableBytes >= 2 + Int(length)
        else { return nil }
        pending.moveReaderIndex(forwardBy: 2)
        return pending.readSlice(length: Int(length))
    }

    /// Bytes alone do not keep a connection: only whole queries that could be answered do.
    private func watchIdleness(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: answeredAt + Self.idleMax) {
            let (connection, context) = bound.value
            guard connection.answeredAt + Self.idleMax <= .now() else { return connection.watchIdleness(context) }
            connection.answers.idled &+= 1
            context.close(promise: nil)
        }
    }
}
