import DatagramIO
import IdentityKeys
import Logging
import OpsEndpoint
import ReflectorModel
import RelayService
import ServiceLifecycle
import UnixSignals

/// A running node with its ops endpoint and the other services of its role, until SIGTERM or SIGINT.
struct NodeDaemon {
    let node: RunningNode
    /// Loaded again at SIGHUP.
    let identity: IdentityInUse
    let logger: Logger
    private let manager = ServiceManager()
    private let startLatch: CountDownLatch

    /// - Parameter listeners: number of calls of `listens` before the daemon is ready, not counting the ops endpoint.
    init(node: RunningNode, identity: IdentityInUse, listeners: Int, logger: Logger) {
        self.node = node
        self.identity = identity
        self.logger = logger
        startLatch = CountDownLatch(count: listeners + 1) { [manager] in manager.ready() }
    }

    /// Another part of the daemon is reachable now.
    func listens() { startLatch.arrived() }

    /// - Parameters:
    ///   - others: services that feed the node or that it feeds; they end first, in reverse order.
    ///   - reloadKeys: called at SIGHUP, to load other files of keys.
    ///   - extra: more counters.
    ///   - outputs: the streams handed out over UDP.
    func run(
        ops: Endpoint, others: [any Service], reloadKeys: @escaping @Sendable () -> Void = {},
        extra: @escaping @Sendable () -> [String: UInt64] = { [:] },
        outputs: @escaping @Sendable () async -> [OutputStatus] = { [] }
    ) async throws {
        let (node, identity) = (node, identity)
        let status: @Sendable (StreamPage) async -> NodeStatus = { page in
            var status =
                await node.status(streams: page)
                ?? NodeStatus(
                    name: "", role: "", region: nil, zone: "", endpoint: "", uptimeSeconds: 0, serial: nil, links: [],
                    streams: [], counters: [:])
            status.counters.merge(extra()) { _, new in new }
            if page.isFirst { status.outputs = await Self.withQuality(await outputs(), of: node) }
            status.certificateExpiresSeconds = identity.secondsLeft(at: WallClock.certificateSeconds)
            return status
        }
        let endpoint = OpsEndpoint(
            configuration: .init(endpoint: ops), logger: logger, status: status,
            metrics: { NodeMetrics.samples(of: await status(.none)) },
            ready: { await node.isReady() ? nil : "stopping, or no set reflector knows this entrypoint yet" },
            onReady: { [startLatch] _ in startLatch.arrived() })
        // They end in reverse order, the ops endpoint last, so that the node can be watched while its children leave.
        let services: [any Service] = [
            ListeningService(what: "health and status", endpoint: ops, service: endpoint),
            WatchdogService(node: node, manager: manager), NodeService(node: node, logger: logger),
            ReloadService(
                node: node, identity: identity, manager: manager, logger: logger, reloadKeys: reloadKeys),
            ExpiryWatch(identity: identity, logger: logger),
        ]
        var configuration = ServiceGroupConfiguration(
            services: services + others + [StopNotice(manager: manager, logger: logger)],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = Self.stopTimeMax
        try await ServiceGroup(configuration: configuration).run()
    }

    /// The outputs with what the node knows of their streams; nil if there are none.
    private static func withQuality(_ outputs: [OutputStatus], of node: RunningNode) async -> [OutputStatus]? {
        guard !outputs.isEmpty else { return nil }
        let names = Set(outputs.map(\.stream)).compactMap { StreamName($0) }
        let streams = await node.status(streams: StreamPage(named: names))?.streams ?? []
        let byName = Dictionary(streams.map { ($0.name, $0) }) { first, _ in first }
        return outputs.map { $0.withQuality(of: byName[$0.stream]) }
    }

    /// After this time, everything that still runs is cancelled.
    private static let stopTimeMax = Duration.seconds(8)
}

/// A service that listens; its error names the address.
struct ListeningService: Service {
    let what: String
    let endpoint: Endpoint
    let service: any Service
    /// Set if the service may start to listen later, when the address exists, because the node has other addresses.
    var retries: Logger?

    private static let retryInterval = Duration.seconds(5)

    func run() async throws {
        var isLogged = false
        while true {
            do {
                return try await ListenFailure.naming(what, endpoint, .tcp) { try await service.run() }
            } catch let failure as ListenFailure where retries != nil && failure.isAddressMissing {
                if !isLogged { retries?.warning("retrying", metadata: ["problem": "\(failure)"]) }
                isLogged = true
                let waited: Void? = try? await cancelWhenGracefulShutdown {
                    try await Task.sleep(for: Self.retryInterval)
                }
                guard waited != nil, !Task.isShuttingDownGracefully else { return }
            }
        }
    }
}

/// Keeps a node running until the service group shuts down.
private struct NodeService: Service {
    let node: RunningNode
    let logger: Logger

    func run() async throws {
        try? await gracefulShutdown()
        let start = ContinuousClock.now
        await node.stop()
        let milliseconds = Int((ContinuousClock.now - start) / .milliseconds(1))
        logger.info("node stopped", metadata: ["drained-ms": "\(milliseconds)"])
    }
}

/// Notifies the service manager that the daemon stops, before any other service ends.
private struct StopNotice: Service {
    let manager: ServiceManager
    let logger: Logger

    func run() async throws {
        try? await gracefulShutdown()
        manager.stopping()
        logger.info("stopping")
    }
}

/// Sends keep-alives as long as the node's loop answers.
private struct WatchdogService: Service {
    let node: RunningNode
    let manager: ServiceManager

    func run() async throws {
        guard let interval = manager.watchdogInterval else {
            try? await gracefulShutdown()
            return
        }
        try? await cancelWhenGracefulShutdown {
            while await node.isRunning() {
                manager.watchdog()
                try await Task.sleep(for: interval)
            }
        }
    }
}

/// Reloads the identity and the files of keys at SIGHUP, without an interruption.
private struct ReloadService: Service {
    let node: RunningNode
    let identity: IdentityInUse
    let manager: ServiceManager
    let logger: Logger
    let reloadKeys: @Sendable () -> Void

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() { await reload() }
    }

    private func reload() async {
        manager.reloading()
        defer { manager.ready() }
        reloadKeys()
        if let folder = identity.reload(logger) { await node.replace(folder) }
    }
}
