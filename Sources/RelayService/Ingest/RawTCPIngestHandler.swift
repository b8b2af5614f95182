import NIOCore
import ReflectorModel

/// A connection to a stream's own TCP port: all its bytes are the stream. Refusals close the connection.
final class RawTCPIngestHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let stream: StreamName
    private let registry: EncoderRegistry
    private let backPressure: ReadBackPressure
    private var session: EncoderSession?
    private var early: [ByteBuffer] = []
    private var isInactive = false

    /// - Parameter backPressure: pauses reading until the session is ready.
    init(stream: StreamName, registry: EncoderRegistry, backPressure: ReadBackPressure) {
        self.stream = stream
        self.registry = registry
        self.backPressure = backPressure
    }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        registry.open(stream, from: EncoderOrigin(input: .tcp, source: channel.remoteAddress?.ip)) { [self] result in
            guard case .success(let session) = result else {
                channel.close(promise: nil)
                return
            }
            start(session, channel: channel)
        }
    }

    private func start(_ session: EncoderSession, channel: any Channel) {
        self.session = session
        session.onReadiness = { [backPressure] in backPressure.set(open: $0) }
        session.onRevoked = { channel.close(promise: nil) }
        session.onJunk = { channel.close(promise: nil) }
        session.onClose = { [registry] in
            registry.remove(session)
            channel.close(promise: nil)
        }
        for bytes in early { session.receive(bytes) }
        early = []
        if isInactive {
            session.finish()
        } else {
            backPressure.set(open: session.isReady)
            session.watchIdle(registry.configuration.idleTimeout) { channel.close(promise: nil) }
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        // Reading is paused until there is a session, but a close by the peer delivers the bytes that the kernel holds.
        if let session { session.receive(bytes) } else { early.append(bytes) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        isInactive = true
        session?.finish()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
