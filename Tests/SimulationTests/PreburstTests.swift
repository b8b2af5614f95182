import ReflectorModel
import ReflectorSimulation
import RelayCore
import Testing

@Suite("Preburst")
struct PreburstTests {
    @Test(
        "At any rate, a viewer's backlog catches up with the stream; then packets are delivered as they arrive",
        arguments: [1_000, 8_000, 10_000])
    func catchesUp(packetsPerSecond: Int64) throws {
        var options = LineOptions()
        options.packetsPerSecond = packetsPerSecond
        options.lastHop.delay = .milliseconds(20)
        options.viewersAt = .seconds(1)
        let simulation = try #require(LineSimulation(options))
        simulation.run(for: .seconds(5))
        let before = ["ep", "set-0"].map { simulation.counters(of: $0)?[.backlogSent] ?? 0 }
        #expect(before[0] > UInt64(packetsPerSecond) / 2, "there was a backlog: \(before)")
        simulation.run(for: .seconds(2))
        #expect(["ep", "set-0"].map { simulation.counters(of: $0)?[.backlogSent] ?? 0 } == before)
        #expect(simulation.counters(of: "edge-0")?[.lost] == 0)
    }
}
