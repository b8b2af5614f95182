import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// Hummingbird's HTTP/1 connection, admitted by a `ConnectionLimiter` and supervised by a `ConnectionHandler`.
struct BoundedHTTPChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    /// Maximum number of bytes of one header field or of the request target, and of a whole head.
    private static let fieldBytesMax = 8_192
    private static let headBytesMax = 32_768
    private static let fieldsMax = 100

    private struct NotAdmitted: Error {}

    private let http1: HTTP1Channel
    private let limiter: ConnectionLimiter

    init(limiter: ConnectionLimiter, responder: @escaping HTTPChannelHandler.Responder) {
        self.limiter = limiter
        http1 = HTTP1Channel(
            responder: responder,
            configuration: .init(
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: Self.fieldBytesMax, maxHeaderListSize: Self.headBytesMax,
                    maxHeaderFieldCount: Self.fieldsMax)))
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        guard let id = limiter.admit(channel) else { return channel.eventLoop.makeFailedFuture(NotAdmitted()) }
        channel.closeFuture.whenComplete { [limiter] _ in limiter.remove(id) }
        return http1.setup(channel: channel, logger: logger).flatMapThrowing { [limiter] value in
            let pipeline = channel.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            try pipeline.addHandler(ConnectionHandler(id: id, limiter: limiter), position: .after(decoder))
            return value
        }
    }

    func handle(value: Value, logger: Logger) async { await http1.handle(value: value, logger: logger) }
}
