import DatagramIO
import Logging
import ReflectorModel

/// A node in operation, from any thread's view.
public struct RunningNode: Sendable {
    /// Where the relay protocol listens.
    public let endpoint: Endpoint
    private let loop: DatagramLoop
    private let shell: LoopBound<NodeShell>
    private let resolver: StubResolver
    private let memory: NodeMemory
    private let configuration: NodeConfiguration

    /// Finds the node's own address, binds, and starts its event loop. Asks the name servers until they answer, or
    /// takes the address of the last run if they do not.
    public static func start(
        _ configuration: NodeConfiguration, output: (any StreamOutput)?, logger: Logger
    ) async throws -> RunningNode {
        let resolver = StubResolver(servers: configuration.servers, zone: configuration.zone)
        let memory = NodeMemory(directory: configuration.stateDirectory, logger: logger)
        let endpoint = try await ownEndpoint(configuration, resolver, memory, logger)
        let crypto = try LibcryptoBox(configuration.keys)
        let loop = try DatagramLoop()
        let socket = try DatagramSocket(bind: endpoint)
        let bound = socket.local
        try loop.add(socket)
        let restored = await memory.answers(for: memory.names)
        let shell = NodeShell(
            loop: loop, socket: socket, configuration: configuration, crypto: crypto, resolver: resolver,
            memory: memory, restored: restored, output: output, logger: logger)
        let handle = try loop.start(handler: shell, name: configuration.name)
        // The loop sets its timer at the end of a wake-up: this is the first.
        loop.execute {}
        logger.info("node started", metadata: ["name": "\(configuration.name)", "endpoint": "\(bound)"])
        return RunningNode(
            endpoint: bound, loop: loop, shell: handle, resolver: resolver, memory: memory,
            configuration: configuration)
    }

    private static func ownEndpoint(
        _ configuration: NodeConfiguration, _ resolver: StubResolver, _ memory: NodeMemory, _ logger: Logger
    ) async throws -> Endpoint {
        if let listen = configuration.listen { return listen }
        while true {
            switch await resolver.addresses(ofHost: configuration.name) {
            case .success(let addresses):
                if let address = addresses.first {
                    await memory.keep(address: address)
                    return Endpoint(address: address, port: configuration.port)
                }
                logger.error("no address in the zone for this host", metadata: ["name": "\(configuration.name)"])
            case .failure(let failure):
                logger.error("own address not found", metadata: ["reason": "\(failure)"])
                if let address = await memory.address {
                    logger.warning(
                        "no name server answers: using the last address", metadata: ["address": "\(address)"])
                    return Endpoint(address: address, port: configuration.port)
                }
            }
            try await Task.sleep(for: .seconds(1))
        }
    }

    /// A viewer wants a stream, or the last one has left.
    public func setDemand(_ isWanted: Bool, for stream: StreamName) {
        let (loop, shell) = (loop, shell)
        loop.execute {
            if isWanted {
                shell.value.node.want(stream, at: loop.now)
            } else {
                shell.value.node.release(stream, at: loop.now)
            }
        }
    }

    /// Nil when the node has stopped.
    public func status() async -> NodeStatus? {
        let (shell, zone) = (shell, configuration.zone)
        return await loop.query { shell.value.status(zone: zone) }
    }

    public func isReady() async -> Bool {
        let shell = shell
        return await loop.query { shell.value.node.isReady } ?? false
    }

    /// Where an entrypoint's encoders' payloads go.
    public var ingestSink: any IngestSink {
        NodeIngest(
            loop: loop, shell: shell, resolver: resolver, memory: memory, name: configuration.name.lowercased())
    }

    /// Ends the node's loop. Children see its silence and move.
    public func stop() async {
        loop.stop()
        await resolver.shutDown()
    }
}

/// Hands encoders' payloads to the node's loop.
struct NodeIngest: IngestSink {
    let loop: DatagramLoop
    let shell: LoopBound<NodeShell>
    let resolver: StubResolver
    let memory: NodeMemory
    let name: String

    func open(_ session: IngestSession) async -> IngestOpening {
        let answer: LookUpAnswer
        switch await resolver.lookUp(.candidates(session.stream)) {
        case .records(let found): answer = found
        case .noSuchName, .noData: return .unknownStream
        case .failed:
            guard let remembered = await memory.answer(for: .candidates(session.stream)) else { return .unavailable }
            answer = remembered
        }
        guard answer.hosts.contains(where: { $0.name == name }) else { return .unknownStream }
        let (loop, shell) = (loop, shell)
        let isProvided = await loop.query { shell.value.node.provide(session.stream, at: loop.now) }
        return isProvided == true ? .accepted : .unavailable
    }

    func take(_ batch: PayloadBatch, of session: IngestSession, taken: @escaping @Sendable () -> Void) {
        let (loop, shell) = (loop, shell)
        let isAccepted = loop.execute {
            let now = loop.now
            batch.forEach { payload in shell.value.node.ingest(payload, stream: session.stream, at: now) }
            taken()
        }
        if !isAccepted { taken() }
    }

    func close(_ session: IngestSession) {
        let (loop, shell) = (loop, shell)
        loop.execute { shell.value.node.encoderLeft(session.stream, at: loop.now) }
    }
}
