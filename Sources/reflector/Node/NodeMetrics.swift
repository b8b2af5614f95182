import OpsEndpoint
import ReflectorModel

/// A node's status as Prometheus metrics: per node and link; streams stand in `/status`.
enum NodeMetrics {
    static func samples(of status: NodeStatus) -> [MetricSample] {
        let node: [(name: String, value: String)] = [("node", status.name), ("role", status.role)]
        var samples = [
            MetricSample(
                name: "reflector_uptime_seconds", labels: node, value: status.uptimeSeconds, kind: .gauge,
                help: "Seconds since the node started."),
            MetricSample(
                name: "reflector_zone_serial", labels: node, value: Double(status.serial ?? 0), kind: .gauge,
                help: "Zone serial of the newest DNS answer."),
            MetricSample(
                name: "reflector_streams", labels: node, value: Double(status.streams.count), kind: .gauge,
                help: "Streams at this node."),
        ]
        for (name, value) in status.counters.sorted(by: { $0.key < $1.key }) {
            samples.append(
                MetricSample(
                    name: "reflector_\(name)_total", labels: node, value: Double(value), kind: .counter,
                    help: "Counted since the node started."))
        }
        for link in status.links {
            let labels = node + [("peer", link.peer), ("part", link.part)]
            samples.append(
                MetricSample(
                    name: "reflector_link_loss_percent", labels: labels, value: link.lossPercent, kind: .gauge,
                    help: "Link packets lost the first time, in per cent."))
            samples.append(
                MetricSample(
                    name: "reflector_link_round_trip_milliseconds", labels: labels,
                    value: link.roundTripMilliseconds ?? 0, kind: .gauge, help: "Smoothed round-trip time."))
        }
        return samples
    }
}
