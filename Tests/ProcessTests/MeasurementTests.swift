import Foundation
import ReflectorModel
import TestSupport
import Testing

@testable import reflector

@Suite("Delays reported by running nodes", .serialized)
struct MeasurementTests {
    @Test("status, trace and /metrics report delay variation and residence of nodes and links; /metrics has no streams")
    func told() async throws {
        try await TestNetwork.with(net: 65) { network in
            try await network.startAll()
            let stream = try #require(StreamName("live/news"))
            try await network.startEncoder(stream, file: TestPictureFile.path, at: "ep-bos")
            try await network.startViewer(of: "edge-bos", name: "viewer")
            let edge = try await eventually("measurements of the edge", within: .seconds(20)) {
                let status = try await network.status(of: "edge-bos")
                let link = status.links.first { $0.part == "parent" && $0.delayVariation?.count ?? 0 > 20 }
                return status.streams.first?.delivered ?? 0 > 500 && link != nil ? status : nil
            }

            let link = try #require(edge.links.first { $0.part == "parent" && $0.subscriptions > 0 })
            let variation = try #require(link.delayVariation)
            // On a busy machine's loopback this is milliseconds: it does not include the offset of the two clocks.
            #expect(try #require(variation.p50Milliseconds) < 20)
            #expect(try #require(variation.p99Milliseconds) >= variation.p50Milliseconds ?? .infinity)
            #expect(try #require(link.roundTrip?.p50Milliseconds) > 0)
            let waited = try #require(edge.streams.first?.residence)
            #expect(waited.total >= 500)
            #expect(try #require(waited.quantileMilliseconds(0.5)) < 5)

            // Only live packets have a residence at the parent; how many packets the edge got as preburst is unknown.
            let parent = try await eventually("measurements of the parent", within: .seconds(20)) {
                let status = try await network.status(of: link.peer)
                let child = status.links.first { $0.part == "child" && $0.peer == "edge-bos" }
                let isMeasured = status.streams.first?.residence?.total ?? 0 > 500 && child?.residence?.count ?? 0 > 500
                return isMeasured ? status : nil
            }
            let child = try #require(parent.links.first { $0.part == "child" && $0.peer == "edge-bos" })
            let residence = try #require(child.residence)
            #expect(residence.count > 500 && residence.p50Milliseconds ?? 100 < 20)

            let trace = try Program.run(
                Program.reflector, ["trace", "live/news", "--region", "1283", "--zones", network.zones.path])
            #expect(trace.code == 0, "\(trace.output)\n\(trace.errors)")
            #expect(trace.lines[1].contains("VARIATION") && trace.lines[1].contains("RESIDENCE"))
            let hop = try #require(trace.lines.first { $0.contains("└─ \(link.peer)") })
            #expect(hop.matches(of: /\d+\.\d\d\/\d+\.\d\d ms/).count == 2, "\(trace.output)")
            let status = try Program.run(Program.reflector, ["status", "--zones", network.zones.path])
            #expect(status.code == 0)
            let line = try #require(status.lines.first { $0.hasPrefix("edge-bos") })
            #expect(line.matches(of: /\d+\.\d\d\/\d+\.\d\d ms/).count == 2, "\(status.output)")

            for name in ["edge-bos", link.peer, "ep-bos"] {
                let ops = try network.node(name).ops
                let text = try Program.run("curl", ["-s", "--max-time", "5", "http://\(ops)/metrics"]).output
                #expect(MetricsFormat.problems(of: text) == [], "\(name)")
                #expect(!text.contains("live/news"))
                // Each metric has a help text of its own, and a name in the style of Prometheus.
                #expect(!text.contains("Counted since the node started."))
                #expect(text.matches(of: /(?m)^# HELP \S*[A-Z]/).isEmpty)
                #expect(text.contains("# TYPE reflector_residence_seconds histogram"))
                #expect(text.contains("reflector_streams{") && text.contains("} 1\n"))
            }
            let metrics = try Program.run("curl", ["-s", "http://\(try network.node(link.peer).ops)/metrics"]).lines
            for metric in ["delay_variation", "round_trip", "residence"] {
                let name = "reflector_link_\(metric)_seconds"
                let quantile = metrics.first {
                    $0.hasPrefix("\(name){") && $0.contains("peer=\"edge-bos\"") && $0.contains("quantile=\"0.99\"")
                }
                let value = try #require(quantile?.split(separator: " ").last.flatMap { Double($0) })
                #expect(value >= 0 && value < 1, "\(name) \(value)")
            }
        }
    }

    @Test("Metrics of a node with all kinds of links are well formed, even without recent measurements")
    func format() {
        var residence = DelayBuckets()
        residence.note(.microseconds(50), count: 90)
        residence.note(.seconds(3), count: 10)
        func link(_ peer: String, _ delay: DelaySummary?) -> LinkStatus {
            LinkStatus(
                peer: peer, endpoint: "127.0.0.1:1", part: "child", state: "alive", roundTripMilliseconds: nil,
                lossPercent: 0, packetsSent: 0, packetsReceived: 0, retransmits: 0, subscriptions: 1, roundTrip: delay,
                delayVariation: delay, residence: delay)
        }
        let measured = DelaySummary(
            count: 4, sumMilliseconds: 8, p50Milliseconds: 1.5, p99Milliseconds: 3, maxMilliseconds: 3)
        let silent = DelaySummary(
            count: 4, sumMilliseconds: 8, p50Milliseconds: nil, p99Milliseconds: nil, maxMilliseconds: nil)
        let status = NodeStatus(
            name: "set-1", role: "set", region: nil, zone: "reflector.net", endpoint: "127.0.0.1:4900",
            uptimeSeconds: 1, serial: 1, links: [link("a", measured), link("b", silent), link("c", nil)], streams: [],
            counters: [:], streamsTotal: 700, residence: residence)
        let samples = NodeMetrics.samples(of: status)
        #expect(samples.first { $0.name == "reflector_streams" }?.value == 700)
        let buckets = samples.filter { $0.name == "reflector_residence_seconds" && $0.suffix == "_bucket" }
        #expect(buckets.count == 10)
        #expect(buckets.map(\.value) == [0, 0] + Array(repeating: 90, count: 7) + [100])
        let variation = samples.filter { $0.name == "reflector_link_delay_variation_seconds" }
        #expect(variation.count == 10)
        #expect(variation.first?.value == 0.001_5)
        #expect(variation.filter { $0.value.isNaN }.count == 3)
    }
}

/// The parts of the Prometheus text format 0.0.4 that our metrics use.
private enum MetricsFormat {
    /// Every broken rule, with the line; empty for a valid text.
    static func problems(of text: String) -> [String] {
        var problems: [String] = []
        var types: [String: String] = [:]
        var finished: Set<String> = []
        var current = ""
        var series: Set<String> = []
        for line in text.split(separator: "\n") {
            if let type = line.wholeMatch(of: /# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary)/) {
                let name = String(type.1)
                if types.updateValue(String(type.2), forKey: name) != nil { problems.append("declared twice: \(line)") }
                finished.insert(current)
                current = name
                continue
            }
            if line.hasPrefix("# HELP ") { continue }
            guard
                let sample = line.wholeMatch(
                    of: /([a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-zA-Z_]\w*="[^"]*",?)*\})? (-?[0-9.e+-]+|NaN|[+-]Inf)/)
            else {
                problems.append("not a sample: \(line)")
                continue
            }
            let suffixes = ["histogram": ["_bucket", "_sum", "_count"], "summary": ["", "_sum", "_count"]]
            let allowed = (suffixes[types[current] ?? ""] ?? [""]).map { current + $0 }
            if !allowed.contains(String(sample.1)) || finished.contains(current) {
                problems.append("not with its metric: \(line)")
            }
            if !series.insert("\(sample.1)\(sample.2 ?? "")").inserted { problems.append("twice: \(line)") }
        }
        if types.isEmpty { problems.append("no metrics") }
        return problems
    }
}
