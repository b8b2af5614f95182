import DNSService
import Logging
import OpsEndpoint
import ReflectorModel
import RelayService
import Synchronization

/// The name server's health, status and metrics over HTTP.
struct NameServerOps: Sendable {
    private let server: NameServer
    private let isListening = Listening()
    private let overrides: OverrideService?

    private final class Listening: Sendable {
        let value = Atomic(false)
    }

    /// - Parameters:
    ///   - keys: the key file with the operators who may override; without it nobody may.
    ///   - endpoint: where it will listen, or nil.
    init(server: NameServer, keys: KeyFile?, endpoint: Endpoint?) throws {
        self.server = server
        overrides = try keys.map { keys in
            try OverrideService(
                server: server, operators: keys.operatorKeys.phased, networkKeys: keys.networkKeys.phased,
                endpoint: endpoint.flatMap(Self.known))
        }
    }

    /// The server now answers queries.
    func didOpen() { isListening.value.store(true, ordering: .releasing) }

    /// Replaces the keys.
    func replaceKeys(_ keys: KeyFile) async throws {
        try await overrides?.replaceKeys(operators: keys.operatorKeys.phased, networkKeys: keys.networkKeys.phased)
    }

    /// The service that runs in parallel to the server.
    func endpoint(at endpoint: Endpoint, logger: Logger) -> OpsEndpoint<NameServer.Status> {
        OpsEndpoint(
            configuration: .init(endpoint: endpoint), logger: logger,
            status: { _ in await server.status },
            metrics: { await server.metrics },
            ready: { isListening.value.load(ordering: .acquiring) ? nil : "not listening yet" },
            command: overrides.map { command(by: $0, logger) })
    }

    private func command(by service: OverrideService, _ logger: Logger) -> OpsEndpoint<NameServer.Status>.Command {
        .init(path: "/override") { body, signature in
            let response = await service.answer(body, signature: signature)
            guard response.isAuthorized else {
                logger.warning(
                    "override refused: no operator of the key file has signed it (operator-public lines)")
                return nil
            }
            return (response.body, response.signature)
        }
    }

    /// The address that a request must give as its target. Nil for a wildcard, or if the port is not known yet: then a
    /// request for another server cannot be detected.
    private static func known(_ endpoint: Endpoint) -> String? {
        let isKnown = endpoint.address != IPAddress(v4: 0) && endpoint.address != IPAddress(high: 0, low: 0)
        return isKnown && endpoint.port != 0 ? "\(endpoint)" : nil
    }
}
