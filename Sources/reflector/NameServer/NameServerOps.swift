import DatagramIO
import DNSService
import IdentityKeys
import Logging
import OpsEndpoint
import ReflectorModel
import Synchronization

/// The name server's health, status and metrics over HTTP.
struct NameServerOps: Sendable {
    private let server: NameServer
    private let isListening = Listening()
    private let overrides: OverrideService?
    private let identity: IdentityInUse?
    private let logger: Logger

    private final class Listening: Sendable {
        let value = Atomic(false)
    }

    /// - Parameters:
    ///   - identity: the server's identity with the operators who may override; without it nobody may.
    ///   - endpoint: where it will listen, or nil.
    init(server: NameServer, identity: IdentityInUse?, endpoint: Endpoint?, logger: Logger) {
        self.server = server
        self.identity = identity
        self.logger = logger
        overrides = identity.map {
            OverrideService(
                server: server, identity: $0.current, endpoint: endpoint.flatMap(Self.known), logger: logger)
        }
    }

    /// The server now answers queries.
    func didOpen() { isListening.value.store(true, ordering: .releasing) }

    /// Replaces the identity.
    func replace(_ identity: IdentityFolder) async { await overrides?.replace(identity) }

    /// The service that runs in parallel to the server.
    func endpoint(at endpoint: Endpoint) -> OpsEndpoint<NameServer.Status> {
        OpsEndpoint(
            configuration: .init(endpoint: endpoint), logger: logger,
            status: { _ in await server.status },
            metrics: { await server.metrics + (overrides?.samples ?? []) + expiry },
            ready: { isListening.value.load(ordering: .acquiring) ? nil : "not listening yet" },
            command: overrides.map { service in
                .init(path: "/override") { body, signature in await service.answer(body, signature: signature) }
            })
    }

    private var expiry: [MetricSample] {
        guard let identity else { return [] }
        return [
            NodeMetrics.certificateExpiry(
                identity.secondsLeft(at: WallClock.certificateSeconds),
                labels: [("node", identity.current.content.name), ("role", "nameserver")])
        ]
    }

    /// The address that a request must give as its target. Nil for a wildcard, or if the port is not known yet: then a
    /// request for another server cannot be detected.
    private static func known(_ endpoint: Endpoint) -> String? {
        let isKnown = endpoint.address != IPAddress(v4: 0) && endpoint.address != IPAddress(high: 0, low: 0)
        return isKnown && endpoint.port != 0 ? "\(endpoint)" : nil
    }
}
