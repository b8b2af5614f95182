import ReflectorModel
import ReflectorSimulation
import RelayCore
import Testing

@Suite("Measurements of delay")
struct MeasurementTests {
    /// Keeps every measurement.
    private final class Record: LinkMeasurements {
        private var values: [LinkMeasure: [TimeSpan]] = [:]

        func record(_ measure: LinkMeasure, _ span: TimeSpan, count: Int, at now: MonotonicInstant) {
            values[measure, default: []] += Array(repeating: span, count: count)
        }

        func summary(of measure: LinkMeasure, at now: MonotonicInstant) -> DelaySummary? {
            guard let sorted = values[measure]?.sorted(), let last = sorted.last else { return nil }
            func milliseconds(_ span: TimeSpan) -> Double { span.seconds * 1_000 }
            return DelaySummary(
                count: UInt64(sorted.count), sumMilliseconds: sorted.reduce(0) { $0 + milliseconds($1) },
                p50Milliseconds: milliseconds(sorted[sorted.count / 2]),
                p99Milliseconds: milliseconds(sorted[sorted.count * 99 / 100]), maxMilliseconds: milliseconds(last))
        }
    }

    private func line(_ change: (inout LineOptions) -> Void) throws -> LineSimulation {
        var options = LineOptions()
        options.sets = 2
        options.otherHops.delay = .milliseconds(10)
        options.lastHop.delay = .milliseconds(20)
        options.makeMeasurements = { Record() }
        change(&options)
        return try #require(LineSimulation(options))
    }

    private func link(_ part: String, of node: String, in simulation: LineSimulation) throws -> LinkStatus {
        try #require(simulation.status(of: node)?.links.first { $0.part == part && $0.subscriptions > 0 })
    }

    @Test(
        "Over three quiet hops no packet stays in a node for longer than a flush, and delays do not vary",
        arguments: [1_000, 6_500])
    func quiet(packetsPerSecond: Int64) throws {
        let simulation = try line { $0.packetsPerSecond = packetsPerSecond }
        simulation.run(for: .seconds(20))
        for name in ["ep", "transit-0", "set-0"] {
            let residence = try #require(simulation.status(of: name)?.streams.first?.residence)
            #expect(residence.total > 17 * UInt64(packetsPerSecond), "\(name): \(residence.total)")
            #expect(try #require(residence.quantileMilliseconds(1)) <= 1, "\(name)")
            let child = try link("child", of: name, in: simulation)
            let onLink = try #require(child.residence)
            #expect(onLink.count > 17 * UInt64(packetsPerSecond))
            #expect(try #require(onLink.maxMilliseconds) <= 0.701)
            #expect(try #require(child.delayVariation).maxMilliseconds == 0)
            let expected = name == "set-0" ? 40.0 : 20
            #expect(abs(try #require(child.roundTrip?.p50Milliseconds) - expected) < 0.01)
        }
        let edge = try #require(simulation.status(of: "edge-0"))
        #expect(try #require(edge.residence?.quantileMilliseconds(1)) < 0.033, "packets in order are delivered at once")
        let parent = try link("parent", of: "edge-0", in: simulation)
        let variation = try #require(parent.delayVariation)
        #expect(variation.count > 80, "about five heartbeats a second: \(variation.count)")
        #expect(variation.maxMilliseconds == 0)
        #expect(edge.streams.first?.paths.first?.delayVariation == variation)
        #expect(parent.residence == nil)
    }

    @Test("Delay variation is the spread of the jitter, appears only on the link with jitter, and needs no clock sync")
    func jitter() throws {
        let simulation = try line {
            $0.lastHop.reorder = 1
            $0.lastHop.reorderDelayMax = .milliseconds(10)
        }
        simulation.run(for: .seconds(120))
        let variation = try #require(try link("parent", of: "edge-0", in: simulation).delayVariation)
        // The variation is uniform between 0 and 10 ms, because the lowest delay sample has almost no jitter.
        #expect(variation.count > 500)
        #expect(abs(try #require(variation.p50Milliseconds) - 5) < 1)
        #expect(abs(try #require(variation.p99Milliseconds) - 9.9) < 0.5)
        #expect(try #require(variation.maxMilliseconds) <= 10.001)
        let back = try #require(try link("child", of: "set-0", in: simulation).delayVariation)
        #expect(try #require(back.maxMilliseconds) > 5 && back.maxMilliseconds ?? 11 <= 10.001)
        #expect(try link("parent", of: "set-0", in: simulation).delayVariation?.maxMilliseconds == 0)
    }

    @Test("At an edge, only the packets after a lost one wait for order, as long as its repair takes")
    func waitForOrder() throws {
        let simulation = try line { $0.lastHop.loss = 0.001 }
        simulation.run(for: .seconds(60))
        let residence = try #require(simulation.status(of: "edge-0")?.streams.first?.residence)
        // A loss is detected after 2 to 20 ms and repaired 40 ms later; at 1,000 packets a second about 50 packets wait
        // for each lost one: 5 %.
        let waited = residence.counts.dropFirst(DelayBuckets.count / 2).reduce(0, +)
        #expect(waited > residence.total / 100 && waited < residence.total / 8, "\(residence.counts)")
        #expect(try #require(residence.quantileMilliseconds(0.9)) < 0.033)
        let most = try #require(residence.quantileMilliseconds(1))
        #expect(most > 40 && most <= 182, "\(most) ms")
        // The relay before it does not delay packets.
        let relay = try #require(simulation.status(of: "set-0")?.streams.first?.residence?.quantileMilliseconds(1))
        #expect(relay <= 1)
    }

    @Test("The age of backlog packets is not counted as residence")
    func backlog() throws {
        let simulation = try line { $0.viewersAt = .seconds(8) }
        simulation.run(for: .seconds(12))
        let status = try #require(simulation.status(of: "ep"))
        #expect(status.counters["backlog_sent"] ?? 0 > 1_000)
        let onLink = try #require(try link("child", of: "ep", in: simulation).residence)
        #expect(try #require(onLink.maxMilliseconds) <= 0.701)
        #expect(try #require(status.residence?.quantileMilliseconds(1)) <= 1)
    }
}
