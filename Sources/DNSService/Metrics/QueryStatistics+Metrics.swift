import DNSAnswers
import ReflectorModel

/// Query statistics by name and as metrics.
extension QueryStatistics {
    /// All counts, named `udp_answered` and so on.
    func counters(transport: String) -> [String: UInt64] {
        var result: [String: UInt64] = [:]
        for counter in AnswerCounter.allCases { result["\(transport)_\(counter.name)"] = self[counter] }
        return result
    }

    /// - Parameter transport: `udp` or `tcp`.
    func samples(transport: String) -> [MetricSample] {
        func sample(_ name: String, _ label: (name: String, value: String)?, _ value: UInt64, _ help: String)
            -> MetricSample
        {
            MetricSample(
                name: "reflector_dns_\(name)_total", labels: [("transport", transport)] + (label.map { [$0] } ?? []),
                value: Double(value), kind: .counter, help: help)
        }
        var samples = [sample("received", nil, self[.received], "Messages received.")]
        samples += Self.withCommon(types).map { type, count in
            let name = type.map { DNSNames.type($0) } ?? "other"
            return sample("queries", ("type", name), count, "Well-formed queries by type.")
        }
        samples += codes.map { code, count in
            sample("responses", ("rcode", DNSNames.code(code)), count, "Replies by response code.")
        }
        for counter in AnswerCounter.allCases where counter != .received && !AnswerCounter.onTop.contains(counter) {
            samples.append(
                sample("outcomes", ("outcome", counter.name), self[counter], "Messages received, by outcome."))
        }
        samples.append(sample("truncated", nil, self[.truncated], "Replies truncated for lack of space, with TC."))
        samples.append(sample("explained", nil, self[.explained], "Answers to explain and _status queries."))
        for (verdict, counter) in [("valid", AnswerCounter.cookieValid), ("wrong", .cookieWrong)] {
            samples.append(sample("cookies", ("verdict", verdict), self[counter], "Server cookies in queries."))
        }
        for (action, counter) in [("dropped", AnswerCounter.rateDropped), ("truncated", .rateTruncated)] {
            samples.append(sample("rate_limited", ("action", action), self[counter], "Replies over the rate limit."))
        }
        return samples
    }

    /// Adds the common types that had no queries, so that their rates exist from the start.
    private static func withCommon(_ types: [(type: UInt16?, count: UInt64)]) -> [(type: UInt16?, count: UInt64)] {
        let common: [UInt16] = [1, 6, 16, 28, 33]
        let missing = common.filter { type in !types.contains { $0.type == type } }
        return missing.map { ($0, 0) } + types
    }
}

extension Responder {
    /// All counts, named `udp_answered` and so on.
    func counters(transport: String) -> [String: UInt64] { statistics.counters(transport: transport) }
}

extension LoopReport {
    /// All counts by name, for programs.
    var counters: [String: UInt64] {
        var result = statistics.counters(transport: "udp")
        for (name, value) in sockets { result["udp_socket_\(name)"] = value }
        return result
    }

    var samples: [MetricSample] {
        let latency = latencies.samples(
            name: "reflector_dns_latency_seconds", labels: [("transport", "udp")],
            help: "Time from receiving a query to sending its reply, measured per batch.", step: 2)
        let evictions = MetricSample(
            name: "reflector_dns_rate_limit_evictions_total", value: Double(limiterEvictions), kind: .counter,
            help: "Buckets of the rate limiter that were evicted while in use.")
        let socket = sockets.sorted { $0.key < $1.key }.map { name, value in
            MetricSample(
                name: "reflector_dns_udp_socket_total", labels: [("event", String(snakeCase: name))],
                value: Double(value), kind: .counter,
                help: "Events of the UDP sockets: datagrams sent, received and lost.")
        }
        return statistics.samples(transport: "udp") + latency + [evictions] + socket
    }
}

extension NameServer.Status {
    /// - Parameter unixTime: seconds since 1970.
    func samples(unixTime: Int64) -> [MetricSample] {
        func sample(
            _ name: String, _ labels: [(name: String, value: String)] = [], _ value: Double, _ kind: MetricSample.Kind,
            _ help: String
        ) -> MetricSample {
            MetricSample(name: "reflector_\(name)", labels: labels, value: value, kind: kind, help: help)
        }
        let own = zones.flatMap { zone in
            [
                sample(
                    "zone_serial", [("zone", zone.name)], Double(zone.serial), .gauge, "Serial of the zone as served."),
                sample(
                    "zone_rules", [("zone", zone.name)], Double(zone.rules), .gauge, "Map lines of the zone as served."),
            ]
        }
        let secondaries = secondaries.flatMap { secondary in
            let labels = [("address", secondary.address), ("zone", secondary.zone)]
            return [
                sample(
                    "secondary_serial", labels, Double(secondary.serial), .gauge, "Serial last transferred."),
                sample(
                    "secondary_transfer_timestamp_seconds", labels, Double(secondary.at), .gauge,
                    "Time of a secondary's last transfer of the zone."),
            ]
        }
        return own + secondaries + state + [
            sample(
                "zone_age_seconds", [], Double(max(unixTime - servedSince, 0)), .gauge,
                "Seconds since the current content was first served."),
            sample(
                "zone_generations_taken_total", [], Double(generation), .counter, "Generations of the files accepted."),
            sample(
                "zone_generations_refused_total", [], Double(refusals), .counter, "Generations of the files refused."),
            sample(
                "zone_problems", [], Double(problems.count), .gauge,
                "Problems of the newest generation if it was refused; 0 if it is served."),
        ]
    }

    /// Metrics of probes and overrides.
    private var state: [MetricSample] {
        let targets = hosts.map { host in
            MetricSample(
                name: "reflector_target_up", labels: [("zone", host.zone), ("set", host.set), ("host", host.name)],
                value: host.health == "dead" ? 0 : 1, kind: .gauge,
                help: "0 while probes report the set reflector as dead, otherwise 1.")
        }
        return targets + [
            MetricSample(
                name: "reflector_probing_frozen", value: probing.hasPrefix("frozen") ? 1 : 0, kind: .gauge,
                help: "1 while the prober is in panic mode and all hosts keep their state, otherwise 0."),
            MetricSample(
                name: "reflector_overrides", value: Double(overrides.count + entrypointOverrides.count), kind: .gauge,
                help: "Overrides in force."),
            MetricSample(
                name: "reflector_stream_leads", value: Double(leads.count { $0.host != nil }), kind: .gauge,
                help: "Streams that another candidate than the first leads."),
            MetricSample(
                name: "reflector_streams_orphaned", value: Double(leads.count { $0.host == nil }), kind: .gauge,
                help: "Streams that nobody leads."),
        ]
    }
}
