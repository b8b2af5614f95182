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
            metrics: { await samples },
            ready: { isListening.value.load(ordering: .acquiring) ? nil : "not listening yet" })
    }

    private var samples: [MetricSample] {
        get async {
            let serials = await server.status.zones.map { zone in
                MetricSample(
                    name: "reflector_zone_serial", labels: [("zone", zone.name)], value: Double(zone.serial),
                    kind: .gauge, help: "Serial of the zone as served.")
            }
            let secondaries = await server.status.secondaries.flatMap { secondary in
                let labels = [("address", secondary.address), ("zone", secondary.zone)]
                return [
                    MetricSample(
                        name: "reflector_secondary_serial", labels: labels, value: Double(secondary.serial),
                        kind: .gauge, help: "Serial that a secondary last took."),
                    MetricSample(
                        name: "reflector_secondary_transfer_timestamp_seconds", labels: labels,
                        value: Double(secondary.at), kind: .gauge, help: "When a secondary last took the zone."),
                ]
            }
            let counters = await server.counters.sorted { $0.key < $1.key }.map { name, value in
                MetricSample(
                    name: "reflector_dns_\(name)_total", value: Double(value), kind: .counter,
                    help: "Counted since the start.")
            }
            return serials + secondaries + counters
        }
    }
}
