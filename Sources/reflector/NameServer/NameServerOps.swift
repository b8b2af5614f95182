import DNSService
import Logging
import OpsEndpoint
import ReflectorModel
import Synchronization

/// The name server's health, status and metrics over HTTP.
struct NameServerOps: Sendable {
    private let server: NameServer
    private let signer: OverrideSigner?
    private let isListening = Listening()

    private final class Listening: Sendable {
        let value = Atomic(false)
    }

    /// - Parameter signer: of overrides; without one they are not taken.
    init(server: NameServer, signer: OverrideSigner?) {
        self.server = server
        self.signer = signer
    }

    /// The server answers queries from now on.
    func didOpen() { isListening.value.store(true, ordering: .releasing) }

    /// What to run beside the server.
    func endpoint(at endpoint: Endpoint, logger: Logger) -> OpsEndpoint<NameServer.Status> {
        OpsEndpoint(
            configuration: .init(endpoint: endpoint), logger: logger,
            status: { _ in await server.status },
            metrics: { await server.metrics },
            ready: { isListening.value.load(ordering: .acquiring) ? nil : "not listening yet" },
            command: signer.map { overrides(at: endpoint, $0) })
    }

    private func overrides(at endpoint: Endpoint, _ signer: OverrideSigner) -> OpsEndpoint<NameServer.Status>.Command {
        // Behind a wildcard, and where the port is not known yet, a request can't be told to be for another server.
        let isKnown = endpoint.address != IPAddress(v4: 0) && endpoint.address != IPAddress(high: 0, low: 0)
        let service = OverrideService(
            server: server, signer: signer, endpoint: isKnown && endpoint.port != 0 ? "\(endpoint)" : nil)
        return .init(path: "/override") { body, signature in
            let response = await service.answer(body, signature: signature)
            guard response.isAuthorized else { return nil }
            return (response.body, response.signature)
        }
    }
}
