import ReflectorModel
import ReflectorSimulation
import Testing

@testable import RelayCore

@Suite("Adaptive multipath")
struct PathPolicyTests {
    private static let good = PathPolicy.Second(delivered: 1_000, missing: 0, repaired: 5)
    private static let bad = PathPolicy.Second(delivered: 999, missing: 1, repaired: 20)
    private static let veryBad = PathPolicy.Second(delivered: 900, missing: 100, repaired: 0)

    /// The number of wanted paths after each second.
    private func wanted(_ seconds: [PathPolicy.Second], _ policy: inout PathPolicy, from start: Int64 = 0) -> [Int] {
        seconds.enumerated().map { index, second in
            policy.note(second, at: instant((start + Int64(index)) * 1_000))
            return policy.wanted
        }
    }

    @Test("One bad second adds no path, two in three add a path, and a third path follows only if that does not help")
    func shortBadPeriodAdds() {
        var policy = PathPolicy()
        let (good, bad) = (Self.good, Self.bad)
        #expect(wanted([good, bad, good, good, bad, good, bad], &policy) == [1, 1, 1, 1, 1, 1, 2])
        #expect(wanted([bad, bad, bad], &policy, from: 7) == [2, 3, 3])
    }

    @Test("A second that loses 2 % or more adds a path at once")
    func veryBadAddsAtOnce() {
        var policy = PathPolicy()
        #expect(wanted([Self.veryBad], &policy) == [2])
    }

    @Test("Five minutes without a bad second remove a path; if that was too early, the next one stays twice as long")
    func longGoodPeriodRemoves() {
        var policy = PathPolicy()
        _ = wanted([Self.veryBad], &policy)
        let first = wanted(Array(repeating: Self.good, count: 310), &policy, from: 1)
        #expect(first.firstIndex(of: 1) == 299)
        _ = wanted([Self.veryBad], &policy, from: 320)
        let second = wanted(Array(repeating: Self.good, count: 610), &policy, from: 321)
        #expect(second.firstIndex(of: 1) == 599)
    }

    @Test("A second without packets does not count, and repairs alone make a second bad only if there are many")
    func whatIsBad() {
        #expect(!PathPolicy.Second(delivered: 0, missing: 0, repaired: 0).isBad)
        #expect(!PathPolicy.Second(delivered: 1_000, missing: 0, repaired: 50).isBad)
        #expect(PathPolicy.Second(delivered: 1_000, missing: 0, repaired: 51).isBad)
    }

    @Test("A parent of lower rank must be clearly better: half the loss, or half the delay and 50 ms less")
    func merit() {
        func path(_ loss: Double, _ milliseconds: Int64) -> PathMerit {
            PathMerit(loss: loss, roundTrip: .milliseconds(milliseconds))
        }
        #expect(!path(0.004, 40).isClearlyBetter(than: path(0.005, 40)))
        #expect(path(0.004, 400).isClearlyBetter(than: path(0.01, 40)))
        #expect(!path(0.03, 40).isClearlyBetter(than: path(0.05, 40)))
        #expect(path(0, 60).isClearlyBetter(than: path(0, 130)))
        #expect(!path(0, 20).isClearlyBetter(than: path(0, 60)))
        #expect(!path(0.02, 20).isClearlyBetter(than: path(0.005, 200)))
    }

    @Test("An edge whose first parent's path goes bad gets a second path within 3 s and in the end leaves the bad one")
    func edgeAdapts() throws {
        var options = LineOptions()
        options.parents = 3
        options.packetsPerSecond = 200
        options.playOutDeadline = .milliseconds(300)
        options.lastHop.delay = .milliseconds(20)
        let simulation = try #require(LineSimulation(options))
        simulation.run(for: .seconds(5))
        func copies(over seconds: Int64) -> Double {
            simulation.startCounting()
            simulation.run(for: .seconds(seconds))
            return Double(simulation.counted.lastHopData) / Double(simulation.counted.sent)
        }
        #expect(copies(over: 5) < 1.01)
        var random = SeededGenerator(seed: 3)
        simulation.loses = { from, to, _ in
            (from == "set-0" && to == "edge-0" || from == "edge-0" && to == "set-0") && random.next() % 10 < 3
        }
        simulation.run(for: .seconds(3))
        #expect(copies(over: 20) > 1.6)
        // After five minutes of good seconds with two paths, the path that loses 30 % is removed.
        simulation.run(for: .seconds(330))
        #expect(copies(over: 20) < 1.05)
        #expect(simulation.paths(of: "edge-0") == ["set-1"])
        simulation.loses = nil
        simulation.run(for: .seconds(630))
        #expect(simulation.paths(of: "edge-0") == ["set-0"])
    }
}
