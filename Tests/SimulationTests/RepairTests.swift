import ReflectorModel
import Testing

@testable import ReflectorSimulation

@Suite("Repair of losses")
struct RepairTests {
    private func line(_ change: (inout LineOptions) -> Void) throws -> LineSimulation {
        var options = LineOptions()
        options.lastHop.delay = .milliseconds(20)
        change(&options)
        return try #require(LineSimulation(options))
    }

    @Test("On the grid of losses, residual loss and overhead stay within the limits", arguments: RepairGrid.points)
    func grid(point: RepairGrid.Point) {
        let result = RepairGrid(packets: 300_000, seed: 4).run(point)
        let report = result.report
        // This number of packets tests only the larger limits; `reflector simulate grid --packets 20000000` tests all.
        #expect(report.lossPercent <= point.residualMax, "\(point.name): \(report.lost) of \(report.sent)")
        if point.residualMax >= 0.05 { #expect(result.isResidualGood, "\(report.lossPercentBound)") }
        #expect(result.isOverheadGood, "\(point.name): \(report.overheadPercent)")
        #expect(report.wrong == 0)
    }

    @Test("The confidence bound on the loss is Poisson's, and wider if losses come in bursts")
    func bound() {
        var report = LineReport()
        report.sent = 1_000_000
        #expect(abs(report.lossPercentBound - 0.000_3) < 0.000_005)
        report.lost = 10
        report.episodes = Array(repeating: 1, count: 10)
        #expect(abs(report.lossPercentBound - 0.001_696) < 0.000_01)
        report.episodes = [10]
        #expect(abs(report.lossPercentBound - 0.004_744) < 0.000_05)
    }

    @Test("Jitter of 0 to 10 ms without loss costs under 1 % spurious retransmits")
    func jitterOnly() throws {
        let simulation = try line {
            $0.packets = 60_000
            $0.lastHop.reorder = 1
            $0.lastHop.reorderDelayMax = .milliseconds(10)
        }
        let report = simulation.run()
        #expect(report.lost == 0)
        #expect(report.lastHopRetransmits < 600, "\(report.lastHopRetransmits)")
        // The delay stays within the jitter and a flush: the edge waits no longer for a packet that is only reordered.
        #expect(report.delayMax < .milliseconds(32), "\(report.delayMax.milliseconds) ms")
    }

    @Test("If one packet in twenty is overtaken by up to eight others, under 0.2 % of retransmits are spurious")
    func reorderingOnly() throws {
        let simulation = try line {
            $0.packets = 60_000
            $0.lastHop.reorder = 0.05
            $0.lastHop.reorderDelayMax = .milliseconds(8)
        }
        let report = simulation.run()
        #expect(report.lost == 0)
        #expect(report.lastHopRetransmits < 120, "\(report.lastHopRetransmits)")
    }

    @Test("If the last packets before a silence are lost, they are repaired within 200 ms after they were sent")
    func tailLoss() throws {
        let simulation = try line { _ in }
        simulation.run(for: .seconds(3))
        simulation.startCounting()
        simulation.run(for: .milliseconds(50))
        simulation.loses = { _, to, bytes in to == "edge-0" && bytes[0] == 0x30 }
        simulation.run(for: .milliseconds(5))
        simulation.isEncoderSilent = true
        simulation.run(for: .milliseconds(5))
        simulation.loses = nil
        let report = simulation.finish()
        #expect(report.sent == 55)
        #expect(report.delivered == 55)
        #expect(report.delayMax < .milliseconds(200), "\(report.delayMax.milliseconds) ms")
    }

    @Test("A pause of the encoder causes no retransmit")
    func pauseAndResume() throws {
        let simulation = try line { _ in }
        simulation.run(for: .seconds(3))
        simulation.startCounting()
        for pause in [150, 900, 3_000] as [Int64] {
            simulation.run(for: .seconds(1))
            simulation.isEncoderSilent = true
            simulation.run(for: .milliseconds(pause))
            simulation.isEncoderSilent = false
        }
        simulation.run(for: .seconds(1))
        let report = simulation.finish()
        #expect(report.delivered == report.sent)
        #expect(report.lastHopRetransmits == 0)
        #expect(simulation.counters(of: "edge-0")?[.linksDied] == 0)
    }

    @Test("A node that wakes 250 or 400 ms late does not declare its links dead", arguments: ["edge-0", "set-0"])
    func lateWakeUp(name: String) throws {
        let simulation = try line { $0.playOutDeadline = .milliseconds(500) }
        simulation.run(for: .seconds(3))
        simulation.startCounting()
        simulation.run(for: .seconds(1))
        simulation.pause(name, for: .milliseconds(name == "edge-0" ? 400 : 250))
        simulation.run(for: .seconds(3))
        let report = simulation.finish()
        #expect(report.delivered == report.sent)
        #expect(report.lastHopRetransmits == 0)
        for node in ["edge-0", "set-0"] { #expect(simulation.counters(of: node)?[.linksDied] == 0) }
    }

    @Test("A loss on the first of three hops is repaired there: no NAK from any of 100 edges, one retransmit per hop")
    func nakStorm() throws {
        let simulation = try line {
            $0.sets = 2
            $0.edges = 100
            $0.packetsPerSecond = 200
            $0.packets = 4_000
            $0.playOutDeadline = .milliseconds(500)
            $0.otherHops.delay = .milliseconds(10)
        }
        simulation.run(for: .seconds(3))
        var lost = 0
        var count = 0
        simulation.loses = { from, to, bytes in
            guard from == "ep", to == "transit-0", bytes[0] == 0x30 else { return false }
            count += 1
            guard count % 50 < 2 else { return false }
            lost += 1
            return true
        }
        simulation.startCounting()
        simulation.run(for: .seconds(20))
        let report = simulation.finish()
        #expect(lost > 100)
        #expect(report.delivered == report.sent)
        let naks = (0..<100).reduce(UInt64(0)) { $0 + (simulation.counters(of: "edge-\($1)")?[.naksSent] ?? 0) }
        #expect(naks == 0)
        #expect(simulation.counters(of: "set-0")?[.naksSent] == 0)
        #expect(report.hops[1].retransmits <= UInt64(lost + lost / 20), "\(report.hops[1].retransmits) for \(lost)")
        #expect(report.lastHopRetransmits <= UInt64(100 * (lost + lost / 20)), "\(report.lastHopRetransmits)")
    }

    @Test("A hundred children, each with 2 % loss, cost their parent less than 2.5 % overhead, and lose no packet")
    func manyLossyChildren() throws {
        let simulation = try line {
            $0.edges = 100
            $0.packetsPerSecond = 200
            $0.packets = 4_000
            $0.playOutDeadline = .milliseconds(500)
            $0.lastHop.loss = 0.02
            $0.lastHop.episode = .datagrams(2)
        }
        let report = simulation.run()
        #expect(report.lost == 0)
        #expect(report.overheadPercent < 2.5, "\(report.overheadPercent)")
        #expect(simulation.counters(of: "set-0")?[.nakNumbersOverBucket] == 0)
    }

    @Test("A packet that both paths lose is repaired once; a packet that only one path loses is not requested")
    func twoPaths() throws {
        for isCommon in [true, false] {
            let simulation = try line {
                $0.parents = 2
                $0.paths = 2
                $0.playOutDeadline = .milliseconds(200)
            }
            simulation.run(for: .seconds(5))
            var lost: Set<UInt64> = []
            simulation.loses = { from, to, bytes in
                guard to == "edge-0", bytes[0] == 0x30, isCommon || from == "set-0" else { return false }
                let sequence = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 22, as: UInt64.self))
                guard sequence % 100 < 3 else { return false }
                lost.insert(sequence)
                return true
            }
            simulation.startCounting()
            simulation.run(for: .seconds(20))
            let report = simulation.finish()
            #expect(lost.count > 500)
            #expect(report.delivered == report.sent)
            // All other packets arrive twice.
            let limit = isCommon ? UInt64(lost.count + lost.count / 10) : UInt64(lost.count / 50)
            #expect(report.lastHopRetransmits <= limit, "\(report.lastHopRetransmits) of \(lost.count), \(isCommon)")
            #expect(report.lastHopData > 39_000)
        }
    }

    @Test("Without loss, three hops add less than 5 ms to the delay of a packet")
    func threeHops() throws {
        let simulation = try line {
            $0.sets = 2
            $0.packets = 30_000
            $0.otherHops.delay = .milliseconds(5)
        }
        let report = simulation.run()
        #expect(report.lost == 0)
        #expect(report.delayMax - .milliseconds(30) < .milliseconds(5), "\(report.delayMax.milliseconds) ms")
    }

    @Test("The same seed gives the same digest, over 20 seeds")
    func digests() throws {
        func digest(_ seed: UInt64) throws -> UInt64 {
            try line {
                $0.seed = seed
                $0.packets = 2_000
                $0.lastHop.loss = 0.05
            }.run().digest
        }
        let first = try (1...20).map(digest)
        #expect(try (1...20).map(digest) == first)
        #expect(Set(first).count == 20)
    }
}
