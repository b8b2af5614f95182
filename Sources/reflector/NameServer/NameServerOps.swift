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
            status: { await server.status },
            metrics: { await samples },
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

    private var samples: [MetricSample] {
        get async {
            let status = await server.status
            let serials = status.zones.map { zone in
                MetricSample(
                    name: "reflector_zone_serial", labels: [("zone", zone.name)], value: Double(zone.serial),
                    kind: .gauge, help: "Serial of the zone as served.")
            }
            let health = status.hosts.map { host in
                MetricSample(
                    name: "reflector_target_up", labels: [("zone", host.zone), ("set", host.set), ("host", host.name)],
                    value: host.health == "dead" ? 0 : 1, kind: .gauge,
                    help: "0 while probes say that the set reflector is dead.")
            }
            let doubts = [
                MetricSample(
                    name: "reflector_probing_frozen", value: status.probing.hasPrefix("frozen") ? 1 : 0, kind: .gauge,
                    help: "1 while the prober doubts itself and all hosts stand as before."),
                MetricSample(
                    name: "reflector_overrides", value: Double(status.overrides.count), kind: .gauge,
                    help: "Overrides in force."),
            ]
            let secondaries = status.secondaries.flatMap { secondary in
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
            return serials + health + doubts + secondaries + counters
        }
    }
}
