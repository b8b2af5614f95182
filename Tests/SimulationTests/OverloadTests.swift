import ReflectorModel
import RelayCore
import Testing

@testable import ReflectorSimulation

@Suite("Overload of links")
struct OverloadTests {
    private func line(_ change: (inout LineOptions) -> Void) throws -> LineSimulation {
        var options = LineOptions()
        options.parents = 3
        options.packetsPerSecond = 200
        options.playOutDeadline = .milliseconds(500)
        options.lastHop.delay = .milliseconds(20)
        change(&options)
        return try #require(LineSimulation(options))
    }

    private func trace(_ text: String) throws -> ImpairmentTrace { try ImpairmentTrace(text, file: "test") }

    /// The number of parents in use after each second.
    private func paths(_ simulation: LineSimulation, seconds: Int) -> [Int] {
        (0..<seconds).map { _ in
            simulation.run(for: .seconds(1))
            return simulation.paths(of: "edge-0").count
        }
    }

    @Test("A common line that loses 30 % sheds extra paths within 15 s; they come back once the loss has ended")
    func commonLoss() throws {
        let simulation = try line {
            $0.paths = 3
            $0.accessTrace = try? trace("0 0 - 0\n20 30 - 0\n60 0 - 0\n")
        }
        #expect(paths(simulation, seconds: 20).last == 3)
        let during = paths(simulation, seconds: 40)
        // The loss takes effect after ten seconds; the timers of the streams may add a second.
        let shed = try #require(during.firstIndex(of: 1))
        #expect((9...14).contains(shed), "\(during)")
        // Then the edge tries the idle parents again; the wait doubles each time.
        #expect(during.filter { $0 == 1 }.count >= 12, "\(during)")
        let after = paths(simulation, seconds: 50)
        #expect(after.last == 3, "\(after)")
        #expect((simulation.counters(of: "edge-0")?[.pathsShed] ?? 0) >= 2)
    }

    @Test("A bottleneck too narrow for three copies is clean again once two of them are shed")
    func bottleneck() throws {
        // 200 packets of some 63 bytes a second are 101 kbit/s a copy.
        let simulation = try line {
            $0.paths = 3
            // If the copies were sent in step, the queue would always drop the last of three.
            $0.otherHops.delay = .milliseconds(5)
            $0.otherHops.jitter = .milliseconds(4)
            $0.accessTrace = try? trace("0 0 - 0\n20 0 - 0 0 150\n")
        }
        #expect(paths(simulation, seconds: 20).last == 3)
        let during = paths(simulation, seconds: 14)
        #expect(during.last == 1, "\(during)")
        simulation.startCounting()
        let before = simulation.counted
        // After these two seconds the edge tries the other parents again.
        simulation.run(for: .seconds(2))
        let after = simulation.counted
        #expect(after.sent - before.sent == 400)
        #expect(after.delivered - before.delivered >= 390, "\(after.delivered - before.delivered)")
    }

    @Test("Of three links the one that loses 30 % is shed, and nothing is lost", arguments: ["set-0", "set-1"])
    func oneOfThree(bad: String) throws {
        let simulation = try line { $0.paths = 3 }
        simulation.run(for: .seconds(5))
        simulation.startCounting()
        var random = SeededGenerator(seed: 7)
        simulation.loses = { from, to, _ in
            [from, to].contains(bad) && [from, to].contains("edge-0") && random.chance(0.3)
        }
        let count = paths(simulation, seconds: 15)
        let shed = try #require(count.firstIndex(of: 2), "\(count)")
        #expect((9...14).contains(shed), "\(count)")
        #expect(!simulation.paths(of: "edge-0").contains(bad))
        let report = simulation.finish()
        #expect(report.lost == 0 && report.delivered == report.sent)
    }

    @Test("A loss of 15 % sheds no path: the path policy keeps all three")
    func belowTheLimit() throws {
        let simulation = try line {
            $0.paths = 3
            $0.access.loss = 0.15
        }
        simulation.run(for: .seconds(5))
        #expect(paths(simulation, seconds: 40).allSatisfy { $0 == 3 })
        #expect(simulation.counters(of: "edge-0")?[.pathsShed] == 0)
    }

    @Test("A child that loses 30 % is refused another stream by its parent and gets it from the next parent")
    func newStreams() throws {
        let simulation = try line { _ in }
        let other = try #require(StreamName("live/other"))
        simulation.provide(other)
        simulation.run(for: .seconds(5))
        #expect(simulation.paths(of: "edge-0") == ["set-0"])
        var random = SeededGenerator(seed: 7)
        // For the first stream the other two parents are down, so it stays on the bad link.
        simulation.crash("set-1")
        simulation.crash("set-2")
        simulation.loses = { from, to, _ in
            [from, to].contains("set-0") && [from, to].contains("edge-0") && random.chance(0.3)
        }
        simulation.run(for: .seconds(30))
        #expect(simulation.paths(of: "edge-0") == ["set-0"])
        #expect(simulation.status(of: "set-0")?.links.contains { $0.breaker == "refusing" } == true)
        simulation.restart("set-1")
        simulation.restart("set-2")
        simulation.want(other, at: "edge-0")
        simulation.run(for: .seconds(5))
        #expect((simulation.counters(of: "set-0")?[.subscribesRefusedLossy] ?? 0) > 0)
        let second = simulation.paths(of: "edge-0", stream: other)
        #expect(!second.isEmpty && !second.contains("set-0"), "\(second)")
        let had = simulation.deliveredOfOthers(at: "edge-0")
        simulation.run(for: .seconds(2))
        #expect(simulation.deliveredOfOthers(at: "edge-0") - had >= 390)
        // The first stream stays or moves; it does not end.
        #expect(!simulation.paths(of: "edge-0").isEmpty)
    }
}
