import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ReflectorModel

/// An entrypoint's inputs for encoders: HTTP push, raw TCP and UDP ports, pulls. Everything runs on one event loop, so
/// nothing here needs a lock; payloads leave through an `IngestSink`.
public final class IngestServer: Sendable {
    /// Kernel buffer of an encoder's connection. At most this much arrives unpaced when the connection closes, so this
    /// is the most that a session may have to queue.
    private static let receiveBufferBytes = 131_072
    /// Kernel buffer to request for a stream over UDP: it holds a few pictures of 1 MB, in case this thread is late.
    private static let datagramBufferBytes = 8 << 20
    /// Longest datagram.
    private static let datagramBytesMax = 65_536
    /// Largest read, equal to a session's step.
    private static let readBytes = 16_384
    private static let datagramsPerRead = 16
    /// Interval between two attempts to listen on an address that no interface has.
    private static let retryInterval = Duration.seconds(5)

    /// All counters since the start, by name.
    public let counters: IngestCounters
    /// The address of the HTTP server, with the actual port if the configuration has port 0.
    public let httpEndpoint: Endpoint?
    /// The addresses of the raw ports, in the order of the configuration.
    public let rawTCPEndpoints: [Endpoint]
    public let rawUDPEndpoints: [Endpoint]

    private let loop: any EventLoop
    private let registry: NIOLoopBound<EncoderRegistry>
    private let listeners: [any Channel]
    private let pulls: EncoderPulls
    /// Tasks that wait for the addresses that were missing at the start.
    private let lateListeners: [Task<Void, Never>]

    /// Opens all ports, or throws and leaves nothing open. Pulls begin with `setPullWanted`.
    ///
    /// - Parameters:
    ///   - group: one of its loops becomes the ingest loop.
    ///   - sink: the node.
    public static func start(
        configuration: IngestConfiguration, keys: StreamKeys, sink: any IngestSink,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, logger: Logger
    ) async throws -> IngestServer {
        let loop = group.next()
        let counters = IngestCounters()
        let registry = try await loop.submit {
            NIOLoopBound(
                EncoderRegistry(
                    loop: loop, configuration: configuration, keys: keys, sink: sink, counters: counters,
                    logger: logger),
                eventLoop: loop)
        }.get()
        var listeners: [any Channel] = []
        var missing: [Endpoint] = []
        do {
            if let endpoint = configuration.httpListen {
                listeners.append(
                    try await ListenFailure.naming("encoders that push by HTTP", endpoint, .tcp) {
                        try await listenHTTP(endpoint, loop: loop, registry: registry)
                    })
            }
            for port in configuration.rawTCP {
                listeners.append(
                    try await ListenFailure.naming("the encoder of \(port.stream)", port.listen, .tcp) {
                        try await listenTCP(port, loop: loop, registry: registry)
                    })
            }
            for port in configuration.rawUDP {
                listeners.append(
                    try await ListenFailure.naming("the encoder of \(port.stream)", port.listen, .udp) {
                        try await listenUDP(port, loop: loop, registry: registry, logger: logger)
                    })
            }
            for endpoint in configuration.httpListenAlso {
                do {
                    listeners.append(
                        try await ListenFailure.naming("encoders that push by HTTP", endpoint, .tcp) {
                            try await listenHTTP(endpoint, loop: loop, registry: registry)
                        })
                } catch let failure as ListenFailure where failure.isAddressMissing {
                    logger.warning("listening on the others, and retrying", metadata: ["problem": "\(failure)"])
                    missing.append(endpoint)
                }
            }
        } catch {
            for listener in listeners { try? await listener.close() }
            throw error
        }
        return IngestServer(
            configuration: configuration, counters: counters, loop: loop, registry: registry, listeners: listeners,
            missing: missing, logger: logger)
    }

    private init(
        configuration: IngestConfiguration, counters: IngestCounters, loop: any EventLoop,
        registry: NIOLoopBound<EncoderRegistry>, listeners: [any Channel], missing: [Endpoint], logger: Logger
    ) {
        self.counters = counters
        self.loop = loop
        self.registry = registry
        self.listeners = listeners
        var endpoints = listeners.compactMap { $0.localAddress?.endpoint }[...]
        httpEndpoint = configuration.httpListen == nil ? nil : endpoints.popFirst()
        rawTCPEndpoints = Array(endpoints.prefix(configuration.rawTCP.count))
        rawUDPEndpoints = Array(endpoints.dropFirst(configuration.rawTCP.count).prefix(configuration.rawUDP.count))
        pulls = EncoderPulls(
            configuration, loop: loop, registry: registry, counters: counters, logger: logger)
        lateListeners = missing.map { endpoint in
            Task { await Self.listenLater(endpoint, loop: loop, registry: registry, logger: logger) }
        }
    }

    /// Listens on an address as soon as an interface has it, until the task is cancelled.
    private static func listenLater(
        _ endpoint: Endpoint, loop: any EventLoop, registry: NIOLoopBound<EncoderRegistry>, logger: Logger
    ) async {
        while (try? await Task.sleep(for: retryInterval)) != nil {
            guard let channel = try? await listenHTTP(endpoint, loop: loop, registry: registry) else { continue }
            logger.info("listening for encoders", metadata: ["endpoint": "\(endpoint)"])
            await withTaskCancellationHandler {
                _ = try? await channel.closeFuture.get()
            } onCancel: {
                channel.close(promise: nil)
            }
            return
        }
    }

    /// Replaces the stream keys. Encoders that are already admitted stay.
    public func replaceKeys(_ keys: StreamKeys) {
        loop.execute { [registry] in registry.value.keys = keys }
    }

    /// Begins or ends the pull of a stream of the configuration.
    public func setPullWanted(_ isWanted: Bool, _ stream: StreamName) { pulls.setWanted(isWanted, stream) }

    /// Streams that encoders provide now.
    public func streams() async throws -> [StreamName] {
        try await loop.submit { [registry] in registry.value.streams }.get()
    }

    /// Closes all ports and ends every session.
    public func shutDown() async {
        for task in lateListeners { task.cancel() }
        for listener in listeners { try? await listener.close() }
        await pulls.shutDown()
        for task in lateListeners { await task.value }
        try? await loop.submit { [registry] in registry.value.revokeAll() }.get()
    }

    private static func listenHTTP(
        _ endpoint: Endpoint, loop: any EventLoop, registry: NIOLoopBound<EncoderRegistry>
    ) async throws -> any Channel {
        try await serverBootstrap(loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let registry = registry.value
                    guard registry.connections.admit(channel) else { return channel.close(promise: nil) }
                    let backPressure = ReadBackPressure()
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(backPressure)
                    try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false)
                    try pipeline.addHandler(HTTPIngestHandler(registry: registry, backPressure: backPressure))
                }
            }
            .bind(to: SocketAddress(endpoint)).get()
    }

    private static func listenTCP(
        _ port: IngestConfiguration.RawPort, loop: any EventLoop, registry: NIOLoopBound<EncoderRegistry>
    ) async throws -> any Channel {
        try await serverBootstrap(loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let registry = registry.value
                    guard registry.allows(channel.remoteAddress?.ip) else {
                        let source = channel.remoteAddress?.ip?.description ?? ""
                        registry.reports.note(.refusedSource, stream: port.stream, ["from": "\(source)"])
                        return channel.close(promise: nil)
                    }
                    guard registry.connections.admit(channel) else { return channel.close(promise: nil) }
                    registry.connections.prove(channel)
                    let backPressure = ReadBackPressure(isOpen: false)
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(backPressure)
                    try pipeline.addHandler(
                        RawTCPIngestHandler(stream: port.stream, registry: registry, backPressure: backPressure))
                }
            }
            .bind(to: SocketAddress(port.listen)).get()
    }

    private static func serverBootstrap(_ loop: any EventLoop) -> ServerBootstrap {
        ServerBootstrap(group: loop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 128)
            // Set on the listening socket, because the handshake negotiates the window scale (tcp(7)).
            .serverChannelOption(.socketOption(.so_rcvbuf), value: receiveBufferBytes)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: readBytes))
    }

    private static func listenUDP(
        _ port: IngestConfiguration.RawPort, loop: any EventLoop, registry: NIOLoopBound<EncoderRegistry>,
        logger: Logger
    ) async throws -> any Channel {
        let options = try DatagramPortOptions(port)
        let channel = try await DatagramBootstrap(group: loop)
            .channelOption(.socketOption(.so_reuseaddr), value: port.isGroup ? 1 : 0)
            .channelOption(.datagramVectorReadMessageCount, value: datagramsPerRead)
            .channelOption(
                .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: datagramBytesMax * datagramsPerRead)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        RawUDPIngestHandler(port: port, registry: registry.value, options: options))
                }
            }
            .bind(to: try options.bindAddress).get()
        do {
            try await options.join(on: channel)
            let granted = await options.setReceiveBuffer(datagramBufferBytes, of: channel)
            if granted < datagramBufferBytes {
                logger.warning(
                    "small receive buffer: a picture that comes in one burst may lose datagrams",
                    metadata: [
                        "stream": "\(port.stream)", "granted": "\(granted)", "wanted": "\(datagramBufferBytes)",
                        "remedy": "sysctl -w net.core.rmem_max=\(datagramBufferBytes), or grant CAP_NET_ADMIN",
                    ])
            }
        } catch {
            try? await channel.close()
            throw error
        }
        return channel
    }
}
