import DNSService
import Logging
import OpsEndpoint
import ReflectorModel
import Synchronization

/// The name server's health, status and metrics over HTTP.
struct NameServerOps: Sendable {
    private let server: NameServer
    private let isListening = Listening()

    private final class Listening: Sendable {
        let value = Atomic(false)
    }

    init(server: NameServer) { self.server = server }

    /// The server answers queries from now on.
    func didOpen() { isListening.value.store(true, ordering: .releasing) }

    /// What to run beside the server.
    func endpoint(at endpoint: Endpoint, logger: Logger) -> OpsEndpoint<NameServer.Status> {
        OpsEndpoint(
            configuration: .init(endpoint: endpoint), logger: logger,
            status: { await server.status },
            metrics: { await server.metrics },
            ready: { isListening.value.load(ordering: .acquiring) ? nil : "not listening yet" })
    }
}
