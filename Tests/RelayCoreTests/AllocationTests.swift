import CAllocations
import ReflectorModel
import ReflectorSimulation
import Testing

@Suite("Allocations of the packet path")
struct AllocationTests {
    /// Allocations of a line of nodes in ten virtual seconds of steady flow, and the packets delivered meanwhile.
    private func allocations(packetsPerSecond: Int64, edges: Int) throws -> (count: UInt64, delivered: UInt64) {
        var options = LineOptions()
        options.packetsPerSecond = packetsPerSecond
        options.edges = edges
        options.lastHop.delay = .milliseconds(5)
        let simulation = try #require(LineSimulation(options))
        // Longer than the ring, so that every table has its final size.
        simulation.run(for: .seconds(6))
        let deliveredBefore = simulation.counters(of: "edge-0")?[.delivered] ?? 0
        let before = allocations_of_this_thread()
        simulation.run(for: .seconds(10))
        let count = allocations_of_this_thread() - before
        return (count, (simulation.counters(of: "edge-0")?[.delivered] ?? 0) - deliveredBefore)
    }

    @Test("Entrypoint, set reflector and edge allocate nothing per packet: ten times the packets need no more")
    func nonePerPacket() throws {
        let slow = try allocations(packetsPerSecond: 500, edges: 4)
        let fast = try allocations(packetsPerSecond: 5_000, edges: 4)
        #expect(slow.delivered > 4_900 && fast.delivered > 49_000)
        // The remaining allocations come from heartbeats and renewals, whose number depends on time.
        #expect(slow.count > 0, "allocations are not counted")
        #expect(
            fast.count <= slow.count + 50, "\(fast.count) for \(fast.delivered), \(slow.count) for \(slow.delivered)")
    }
}
