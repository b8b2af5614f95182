import OpsEndpoint
import ReflectorModel

/// A node's status as Prometheus metrics: per node and link; streams are in `/status`.
enum NodeMetrics {
    private typealias Labels = [(name: String, value: String)]

    static func samples(of status: NodeStatus) -> [MetricSample] {
        let node: Labels = [("node", status.name), ("role", status.role)]
        var samples = [
            MetricSample(
                name: "reflector_uptime_seconds", labels: node, value: status.uptimeSeconds, kind: .gauge,
                help: "Seconds since the node started."),
            MetricSample(
                name: "reflector_zone_serial", labels: node, value: Double(status.serial ?? 0), kind: .gauge,
                help: "Zone serial of the newest DNS answer."),
            MetricSample(
                name: "reflector_streams", labels: node,
                value: Double(status.streamsTotal ?? status.streams.count), kind: .gauge,
                help: "Streams at this node."),
        ]
        if let seconds = status.certificateExpiresSeconds {
            samples.append(certificateExpiry(seconds, labels: node))
        }
        for (counter, value) in status.counters.sorted(by: { $0.key < $1.key }) {
            let name = String(snakeCase: counter)
            if let help = CounterHelp.gauges[name] {
                samples.append(
                    MetricSample(
                        name: "reflector_\(name)", labels: node, value: Double(value), kind: .gauge, help: help))
                continue
            }
            samples.append(
                MetricSample(
                    name: "reflector_\(name)_total", labels: node, value: Double(value), kind: .counter,
                    help: CounterHelp.texts[name] ?? "Counted since the node started."))
        }
        if let residence = status.residence {
            samples += residence.samples(
                name: "reflector_residence_seconds", labels: node,
                help: "How long packets stayed in this node; at an edge, until they were in order.", step: bucketStep)
        }
        for link in status.links { samples += self.samples(of: link, at: node) }
        for output in status.outputs ?? [] { samples += self.samples(of: output, at: node) }
        return samples
    }

    /// At most as many outputs as `--udp-out-max`.
    private static func samples(of output: OutputStatus, at node: Labels) -> [MetricSample] {
        let labels = node + [("stream", output.stream), ("address", output.address)]
        func sample(_ name: String, _ value: UInt64, _ help: String) -> MetricSample {
            MetricSample(
                name: "reflector_output_stream_\(name)_total", labels: labels, value: Double(value), kind: .counter,
                help: help)
        }
        return [
            MetricSample(
                name: "reflector_output_stream_requests", labels: labels, value: Double(output.requests), kind: .gauge,
                help: "Requests in force for a stream that is handed out over UDP."),
            sample("datagrams", output.datagrams, "Datagrams of a stream handed out over UDP."),
            sample("bytes", output.bytes, "Bytes of a stream handed out over UDP."),
            sample("send_failures", output.sendFailures, "Datagrams that the kernel refused to send."),
            sample("skips", output.skips, "Times that the rate limits made an output skip part of its stream."),
            sample("missing", output.missing ?? 0, "Packets of a handed-out stream missing at their deadline."),
            sample("late", output.late ?? 0, "Packets of a handed-out stream that arrived after their deadline."),
            sample("repaired", output.repaired ?? 0, "Packets of a handed-out stream that were recovered in time."),
        ]
    }

    /// Of a node or a name server.
    static func certificateExpiry(_ seconds: Int64, labels: [(name: String, value: String)]) -> MetricSample {
        MetricSample(
            name: "reflector_certificate_expires_seconds", labels: labels, value: Double(seconds), kind: .gauge,
            help: "Seconds until the certificate expires; negative afterwards.")
    }

    private static func samples(of link: LinkStatus, at node: Labels) -> [MetricSample] {
        let labels = node + [("peer", link.peer), ("part", link.part)]
        return [
            MetricSample(
                name: "reflector_link_loss_ratio", labels: labels, value: link.lossPercent / 100, kind: .gauge,
                help: "Share of the link's packets that were lost at first transmission, 0 to 1."),
            MetricSample(
                name: "reflector_link_smoothed_round_trip_seconds", labels: labels,
                value: (link.roundTripMilliseconds ?? .nan) / 1_000, kind: .gauge,
                help: "Smoothed round-trip time of the link; NaN until it is known."),
        ]
            + summary(
                link.roundTrip, name: "reflector_link_round_trip_seconds", labels: labels,
                help: "Round trips; quantiles of the last whole minute.")
            + summary(
                link.delayVariation, name: "reflector_link_delay_variation_seconds", labels: labels,
                help: "Delay of packets above the recent minimum, on the way here; quantiles of the last minute.")
            + summary(
                link.residence, name: "reflector_link_residence_seconds", labels: labels,
                help: "How long live packets stayed here before they were sent; quantiles of the last minute.")
    }

    /// A Prometheus summary; quantile 1 is the longest. Without samples, quantiles are NaN, as usual.
    private static func summary(
        _ delay: DelaySummary?, name: String, labels: Labels, help: String
    ) -> [MetricSample] {
        guard let delay else { return [] }
        func sample(_ suffix: String, _ more: Labels, _ value: Double) -> MetricSample {
            MetricSample(name: name, suffix: suffix, labels: labels + more, value: value, kind: .summary, help: help)
        }
        let quantiles = [
            ("0.5", delay.p50Milliseconds), ("0.99", delay.p99Milliseconds), ("1", delay.maxMilliseconds),
        ]
        return quantiles.map { sample("", [("quantile", $0.0)], ($0.1 ?? .nan) / 1_000) }
            + [sample("_sum", [], delay.sumMilliseconds / 1_000), sample("_count", [], Double(delay.count))]
    }

    /// Number of buckets merged into one, so that a node's histogram has ten lines: each reported bucket reaches four
    /// times as far as the one before, from 8 µs to 0.54 s.
    private static let bucketStep = 4
}
