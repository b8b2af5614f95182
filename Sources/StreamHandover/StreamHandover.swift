import DatagramIO
import HTTPServing
import Logging
import NIOCore
import ReflectorModel
import ServiceLifecycle
import StreamingServer

/// Hands an edge's streams to other people's streaming servers: as MPEG-TS over UDP, to a multicast group or to an
/// allowed address, while they request them over HTTP. `nginx-rtmp`, SRS and MediaMTX request with hooks that they
/// have; see "Your own streaming servers".
public struct StreamHandover: Service {
    private static let bounds = ConnectionBounds(
        connectionsMax: 512, connectionsPerAddressMax: 256, headTimeout: .seconds(5), stallTimeout: .seconds(10))

    private let configuration: HandoverConfiguration
    private let logger: Logger
    private let onReady: @Sendable (Endpoint) -> Void
    private let counters = HandoverCounters()
    private let handover: RunningHandover

    /// Starts the thread that sends; it sleeps until the first request.
    /// - Parameter onReady: called once with the bound address.
    /// - Throws: `DatagramError` if a configured interface does not exist.
    public init(
        configuration: HandoverConfiguration, hub: LiveStreamHub, logger: Logger,
        onReady: @escaping @Sendable (Endpoint) -> Void = { _ in }
    ) throws(DatagramError) {
        self.configuration = configuration
        self.logger = logger
        self.onReady = onReady
        handover = try RunningHandover(configuration, hub, counters, logger)
    }

    /// Serves requests until the task is cancelled or the service group shuts down; then all outputs end. Throws if the
    /// address cannot be bound.
    public func run() async throws {
        let service = HTTPService(
            configuration: .init(
                endpoint: configuration.endpoint, name: "requests of streaming servers", bounds: Self.bounds),
            responder: HandoverResponder(
                configuration: configuration, handover: handover, counters: counters, logger: logger),
            logger: logger, onReady: onReady)
        defer { handover.stop() }
        try await service.run()
    }

    /// The outputs now, without the quality of their streams, which the node knows.
    public func outputs() async -> [OutputStatus] { await handover.outputs() }

    /// The counters since the start.
    public var statistics: [String: UInt64] { counters.snapshot }
}

/// The sending thread, for use from any thread.
struct RunningHandover: Sendable {
    private let loop: DatagramLoop
    private let shell: LoopBound<HandoverLoop>

    init(
        _ configuration: HandoverConfiguration, _ hub: LiveStreamHub, _ counters: HandoverCounters, _ logger: Logger
    ) throws(DatagramError) {
        var options = DatagramLoop.Options()
        // It only sends.
        (options.batch, options.receiveBufferBytes) = (64, 2_048)
        loop = try DatagramLoop(options: options)
        let handler = try HandoverLoop(
            loop: loop, hub: hub, configuration: configuration, counters: counters, logger: logger)
        shell = try loop.start(handler: handler, name: "udp-out")
    }

    func stop() { loop.stop() }

    func ask(_ order: HandoverOrder) async throws(HandoverRefusal) -> Destination {
        let (loop, shell) = (loop, shell)
        let result: Result<Destination, HandoverRefusal>? = await loop.query {
            Result { () throws(HandoverRefusal) in try shell.value.ask(order, at: loop.now) }
        }
        guard let result else { throw .unavailable }
        return try result.get()
    }

    /// Nil when the thread has ended.
    func progress(of stream: StreamName, at destination: Endpoint) async -> HandoverLoop.Progress? {
        let shell = shell
        return await loop.query { shell.value.progress(of: stream, at: destination) }
    }

    func withdraw(_ stream: StreamName, at destination: Endpoint?, by requester: Requester) async -> Int {
        let shell = shell
        return await loop.query { shell.value.withdraw(stream, at: destination, by: requester) } ?? 0
    }

    func withdrawAll(of requester: Requester) async -> Int {
        let shell = shell
        return await loop.query { shell.value.withdrawAll(of: requester) } ?? 0
    }

    func renewAll(of server: IPAddress, prefix: String) async -> Int {
        let (loop, shell) = (loop, shell)
        return await loop.query { shell.value.renewAll(of: server, prefix: prefix, at: loop.now) } ?? 0
    }

    func outputs() async -> [OutputStatus] {
        let (loop, shell) = (loop, shell)
        return await loop.query { shell.value.status(at: loop.now) } ?? []
    }
}
