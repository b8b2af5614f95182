import DatagramIO
import Logging
import ReflectorModel

/// A node in operation, from any thread's view.
public struct RunningNode: Sendable {
    /// Longest time that children are given to move away before the node stops.
    public static let drainTimeMax = Duration.seconds(2)
    private static let drainInterval = Duration.milliseconds(100)

    /// Where the relay protocol listens.
    public let endpoint: Endpoint
    private let loop: DatagramLoop
    private let shell: LoopBound<NodeShell>
    private let resolver: StubResolver
    private let memory: NodeMemory
    private let configuration: NodeConfiguration
    private let inUse: KeysInUse
    private let demand = DemandChanges()

    /// Finds the node's own address, binds, and starts its event loop. Asks the name servers until they answer, or
    /// takes the address of the last run if they do not.
    public static func start(
        _ configuration: NodeConfiguration, output: (any StreamOutput)?, logger: Logger
    ) async throws -> RunningNode {
        let resolver = StubResolver(servers: configuration.servers, zone: configuration.zone)
        let memory = NodeMemory(directory: configuration.stateDirectory, logger: logger)
        let endpoint = try await OwnAddress(
            configuration: configuration, resolver: resolver, memory: memory, logger: logger
        ).find()
        let crypto = try LibcryptoBox(configuration.keys)
        let loop = try DatagramLoop()
        let socket: DatagramSocket
        do throws(DatagramError) {
            socket = try DatagramSocket(bind: endpoint)
        } catch {
            throw ListenFailure(what: "the relay protocol", endpoint: endpoint, transport: .udp, cause: error)
        }
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
        Task { await RoleCheck(configuration: configuration, resolver: resolver, endpoint: bound).run(logger) }
        return RunningNode(
            endpoint: bound, loop: loop, shell: handle, resolver: resolver, memory: memory,
            configuration: configuration, inUse: KeysInUse(configuration.keys.networkKeys))
    }

    /// Runs `body` beside a started node and, however it ends, returns only when the node's thread has ended: a process
    /// must not exit under a thread that still seals packets.
    public static func with(
        _ configuration: NodeConfiguration, output: (any StreamOutput)?, logger: Logger,
        _ body: (RunningNode) async throws -> Void
    ) async throws {
        let node = try await start(configuration, output: output, logger: logger)
        do {
            try await body(node)
        } catch {
            await node.halt()
            throw error
        }
        await node.halt()
    }

    /// Ends the node without a word to its children. Once more does nothing.
    private func halt() async {
        loop.stop()
        loop.join()
        await resolver.shutDown()
        await memory.flush()
    }

    /// A viewer wants a stream, or the last one has left.
    public func setDemand(_ isWanted: Bool, for stream: StreamName) {
        guard demand.note(isWanted, for: stream) else { return }
        if tellDemand() { return }
        // The loop has too much to do: soon it has not, or it has ended.
        let node = self
        Task {
            for _ in 0..<Self.demandTriesMax {
                try? await Task.sleep(for: Self.demandRetry)
                if node.tellDemand() { return }
            }
            _ = node.demand.take()
        }
    }

    private static let demandRetry = Duration.milliseconds(20)
    /// Ten seconds: a loop that stands still for longer serves nobody.
    private static let demandTriesMax = 500

    /// False if the loop takes no work.
    private func tellDemand() -> Bool {
        let (loop, shell, demand) = (loop, shell, demand)
        return loop.execute {
            for change in demand.take() {
                if change.isWanted {
                    shell.value.node.want(change.stream, at: loop.now)
                } else {
                    shell.value.node.release(change.stream, at: loop.now)
                }
            }
        }
    }

    /// Nil when the node has stopped.
    /// - Parameter page: the streams to tell; few at a time, since this is done between packets.
    public func status(streams page: StreamPage = .first) async -> NodeStatus? {
        let (shell, zone) = (shell, configuration.zone)
        var status = await loop.query { shell.value.status(zone: zone, streams: page) }
        status?.counters["demand_dropped"] = demand.dropped
        return status
    }

    public func isReady() async -> Bool {
        let shell = shell
        return await loop.query { shell.value.node.isReady } ?? false
    }

    /// False once its loop has ended. Waits for the loop, so a loop that is stuck gives no answer.
    public func isRunning() async -> Bool { await loop.query { true } ?? false }

    /// Where an entrypoint's encoders' payloads go.
    public var ingestSink: any IngestSink {
        NodeIngest(
            loop: loop, shell: shell, resolver: resolver, memory: memory, name: configuration.name.lowercased())
    }

    /// Takes other network keys; links and streams go on. Throws, and changes nothing, if a phase that is in use would
    /// stand for another key, or libcrypto refuses one.
    public func replaceKeys(_ keys: KeyFile) async throws {
        let box = try LibcryptoBox(keys)
        try inUse.replace(keys.networkKeys)
        let shell = shell
        loop.execute { shell.value.replaceKeys(box) }
    }

    /// Ends the node. Its children are told first and move away, make before break, for at most `drainTimeMax`; then
    /// every link is closed.
    public func stop() async {
        let (loop, shell) = (loop, shell)
        let deadline = ContinuousClock.now + Self.drainTimeMax
        while await loop.query({ shell.value.drain() }) == false, ContinuousClock.now < deadline {
            guard (try? await Task.sleep(for: Self.drainInterval)) != nil else { break }
        }
        _ = await loop.query { shell.value.close() }
        await halt()
    }
}
