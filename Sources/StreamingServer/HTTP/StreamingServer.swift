import HTTPServing
import Logging
import NIOCore
import ReflectorModel
import ServiceLifecycle

/// The built-in streaming server of an edge: progressive MPEG-TS at `/live/news.ts` and HLS at `/live/news/index.m3u8`,
/// from a hub to which the node delivers.
public struct StreamingServer: Service {
    /// Where and how to listen.
    public struct Configuration: Sendable {
        /// With port 0 the kernel chooses a port, which is passed to `onReady`.
        public var endpoint: Endpoint
        /// Another server of the same hub maintains the hub's streams: this one only adds an address for viewers.
        public var isAdditional = false
        /// Maximum number of connections from one IPv4 address or IPv6 /64: many viewers may share an address.
        public var connectionsPerAddressMax = 1_024
        /// The head of a connection's first request must be complete within this time.
        public var headTimeout = TimeAmount.seconds(10)
        /// A connection without a further request is closed after this time.
        public var idleTimeout = TimeAmount.seconds(30)

        public init(endpoint: Endpoint) { self.endpoint = endpoint }
    }

    /// Connections above the limit of viewers, for 503 responses and segment requests.
    private static let connectionsSpare = 4_096

    private let configuration: Configuration
    private let hub: LiveStreamHub
    private let onReady: @Sendable (Endpoint) -> Void

    /// - Parameter onReady: called once with the bound address, when viewers can connect.
    public init(
        configuration: Configuration, hub: LiveStreamHub, onReady: @escaping @Sendable (Endpoint) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.hub = hub
        self.onReady = onReady
    }

    /// Serves until the task is cancelled or the service group shuts down gracefully; then ends all viewers.
    /// Throws if the address cannot be bound.
    public func run() async throws {
        let service = HTTPService(
            configuration: .init(
                endpoint: configuration.endpoint, name: "viewers",
                bounds: ConnectionBounds(
                    connectionsMax: hub.configuration.viewersMax + Self.connectionsSpare,
                    connectionsPerAddressMax: configuration.connectionsPerAddressMax,
                    headTimeout: configuration.headTimeout, idleTimeout: configuration.idleTimeout),
                onEvent: { [hub] in hub.count($0.rawValue) }),
            responder: ViewerResponder(hub: hub), logger: hub.logger, onReady: onReady)
        if configuration.isAdditional { return try await service.run() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in hub.beginnings {
                    repeat {
                        try await Task.sleep(for: .seconds(1))
                        hub.sweep()
                    } while !hub.isIdle
                }
            }
            try await withTaskCancellationOrGracefulShutdownHandler {
                try await service.run()
            } onCancelOrGracefulShutdown: {
                hub.shutDown()
            }
            group.cancelAll()
        }
    }
}
