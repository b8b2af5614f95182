import DatagramIO
import IdentityKeys
import Logging
import NodeIdentity
import ReflectorModel

/// A running node, for use from any thread.
public struct RunningNode: Sendable {
    /// The longest time that a stopping node waits for its children to move away.
    public static let drainTimeMax = Duration.seconds(2)
    private static let drainInterval = Duration.milliseconds(100)

    /// Where the relay protocol listens.
    public var endpoint: Endpoint { endpoints[0] }
    /// All addresses of the relay protocol, including those that no interface has yet.
    public let endpoints: [Endpoint]
    private let watch: Task<Void, Never>
    private let payloadLimits: PayloadLimits
    private let loop: DatagramLoop
    private let shell: LoopBound<NodeShell>
    private let resolver: StubResolver
    private let memory: NodeMemory
    private let configuration: NodeConfiguration
    private let revocations: RevocationWatch
    private let identityWatch: Task<Void, Never>
    private let demand = DemandChanges()

    /// Finds the node's own addresses, binds, and starts its event loop. Queries the name servers until they answer, or
    /// uses the addresses of the last run if they do not.
    public static func start(
        _ configuration: NodeConfiguration, output: (any StreamOutput)?, logger: Logger
    ) async throws -> RunningNode {
        let resolver = StubResolver(servers: configuration.servers, zone: configuration.zone)
        let memory = NodeMemory(directory: configuration.stateDirectory, logger: logger)
        let own = OwnAddress(configuration: configuration, resolver: resolver, memory: memory, logger: logger)
        let wanted = try await own.find()
        let loop = try DatagramLoop()
        let opener = NodeSockets(logger: logger)
        let (sockets, missing) = try await opener.open(wanted)
        let listening = sockets.map(\.local)
        let bound = listening + missing.filter { !$0.address.isUnspecified }
        for socket in sockets { try loop.add(socket) }
        let payloadLimits = PayloadLimits()
        await resolver.setNeedsV6(bound.allSatisfy { !$0.address.isV4 })
        let restored = await memory.answers(for: memory.names)
        let lists = ListsOnTheirWay()
        let revocations = RevocationWatch(
            RevocationWatch.Configuration(configuration, operators: configuration.identity.authorities), logger: logger
        ) { lists.pass($0) }
        let shell = try NodeShell(
            loop: loop, sockets: sockets, configuration: configuration, revocations: revocations.restored,
            resolver: resolver,
            memory: memory, restored: restored, output: output, payloadLimits: payloadLimits, logger: logger)
        let handle = try loop.start(handler: shell, name: configuration.name)
        // The loop sets its timer at the end of a wake-up: this call causes the first wake-up.
        loop.execute {}
        logger.info(
            "node started",
            metadata: [
                "name": "\(configuration.name)", "endpoint": "\(listening.map(\.description).joined(separator: ","))",
            ])
        Task { await RoleCheck(configuration: configuration, resolver: resolver, endpoints: bound).run(logger) }
        lists.connect(to: handle, on: loop)
        let identityWatch = Task { await watchIdentity(revocations, handle, loop) }
        let watch = Task { await addAddresses(missing, known: bound, own, opener, to: handle, on: loop) }
        return RunningNode(
            endpoints: bound, watch: watch, payloadLimits: payloadLimits, loop: loop, shell: handle, resolver: resolver,
            memory: memory, configuration: configuration, revocations: revocations, identityWatch: identityWatch)
    }

    /// Listens on missing addresses as soon as they exist, and on addresses that the zone gets later.
    private static func addAddresses(
        _ missing: [Endpoint], known: [Endpoint], _ own: OwnAddress, _ opener: NodeSockets,
        to shell: LoopBound<NodeShell>, on loop: DatagramLoop
    ) async {
        var (missing, known) = (missing.filter { !$0.address.isUnspecified }, known)
        var asked = ContinuousClock.now
        while !Task.isCancelled {
            let wait = missing.isEmpty ? NodeSockets.askInterval : NodeSockets.retryInterval
            guard (try? await Task.sleep(for: wait)) != nil else { return }
            if .now >= asked + NodeSockets.askInterval {
                asked = .now
                let more = await own.findAgain().filter { !known.contains($0) }
                known += more
                missing += more
            }
            for endpoint in missing {
                guard let socket = opener.openNow(endpoint) else { continue }
                missing.removeAll { $0 == endpoint }
                let bound = LoopBound(socket, loop: loop)
                loop.execute { shell.value.add(bound.value) }
            }
        }
    }

    /// Starts a node, runs `body`, and ends the node. Even if `body` throws, returns only after the node's thread has
    /// ended: a process must not exit while that thread still seals packets.
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

    /// Ends the node without a message to its children. A second call does nothing.
    private func halt() async {
        watch.cancel()
        identityWatch.cancel()
        loop.stop()
        loop.join()
        await resolver.shutDown()
        await memory.flush()
    }

    /// Tells the node whether any viewer wants a stream: true at the first viewer, false when the last one has left.
    public func setDemand(_ isWanted: Bool, for stream: StreamName) {
        guard demand.note(isWanted, for: stream) else { return }
        if reportDemand() { return }
        // The loop is too busy, or has ended: try again for some time, then give up.
        let node = self
        Task {
            for _ in 0..<Self.demandTriesMax {
                try? await Task.sleep(for: Self.demandRetry)
                if node.reportDemand() { return }
            }
            _ = node.demand.take()
        }
    }

    private static let demandRetry = Duration.milliseconds(20)
    /// Ten seconds: a loop that is stuck for longer cannot serve anyway.
    private static let demandTriesMax = 500

    /// Passes the noted changes of demand to the loop. False if the loop accepts no more work.
    private func reportDemand() -> Bool {
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
    /// - Parameter page: the streams to report; few at a time, because the loop does this between packets.
    public func status(streams page: StreamPage = .first) async -> NodeStatus? {
        let (shell, zone) = (shell, configuration.zone)
        var status = await loop.query { shell.value.status(zone: zone, streams: page) }
        status?.counters["demand_dropped"] = demand.dropped
        status?.counters.merge(revocations.counters.snapshot) { _, new in new }
        return status
    }

    public func isReady() async -> Bool {
        let shell = shell
        return await loop.query { shell.value.node.isReady } ?? false
    }

    /// False after its loop has ended. Waits for the loop: does not return while the loop is stuck.
    public func isRunning() async -> Bool { await loop.query { true } ?? false }

    /// Offers streams that this entrypoint can pull from their encoders.
    ///
    /// - Parameter onPull: called on the node's thread: with true when to start to pull a stream, with false when to
    ///   stop.
    public func offer(
        _ streams: [StreamName], onPull: @escaping @Sendable (_ stream: StreamName, _ isWanted: Bool) -> Void
    ) async {
        let shell = shell
        await loop.query { shell.value.offer(streams, onPull: onPull) }
    }

    /// The sink for the payloads of an entrypoint's encoders.
    public var ingestSink: any IngestSink {
        NodeIngest(
            loop: loop, shell: shell, resolver: resolver, memory: memory, name: configuration.name.lowercased(),
            payloadLimits: payloadLimits)
    }

    /// Uses another identity of the same node: a renewed certificate, other operators. Links and streams continue.
    public func replace(_ identity: IdentityFolder) async {
        await revocations.replaceOperators(identity.authorities)
        let shell = shell
        loop.execute { shell.value.replace(identity) }
    }

    /// Keeps the revocation list and the time for certificates up to date.
    private static func watchIdentity(
        _ revocations: RevocationWatch, _ shell: LoopBound<NodeShell>, _ loop: DatagramLoop
    ) async {
        async let lists: Void = revocations.run()
        while !Task.isCancelled {
            guard (try? await Task.sleep(for: wallClockInterval)) != nil else { break }
            loop.execute { shell.value.readWallClock() }
        }
        await lists
    }

    private static let wallClockInterval = Duration.seconds(10)

    /// Ends the node. First asks its children to move away (make before break), and waits for them for at most
    /// `drainTimeMax`; then closes every link.
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
