import ReflectorModel
import ReflectorSimulation
import Testing

@Suite("Death and return of parents and links")
struct FailoverTests {
    /// 10,000 with `reflector simulate failover --seeds 1-10000`.
    @Test("Over 500 seeds nothing is lost, one copy is paid for before and after, and the edge returns")
    func nothingIsLost() throws {
        for seed in UInt64(1)...500 {
            let report = try #require(FailoverRun(seed: seed).run())
            #expect(report.isGood, "reflector simulate failover --seeds \(seed): \(report)")
            #expect(report.gapMax < .milliseconds(700), "seed \(seed): \(report.gapMax.milliseconds) ms")
        }
    }

    @Test("A parent that has only just begun to fetch is not taken for one that starves")
    func freshParentDoesNotStarve() throws {
        // It said that its upstream had been silent since the beginning of time, and got company for ten seconds.
        for seed: UInt64 in [780, 1_424, 2_023, 3_150, 4_990, 5_182, 5_470, 6_278, 6_761, 8_183, 9_951] {
            let report = try #require(FailoverRun(seed: seed).run())
            #expect(report.isGood, "reflector simulate failover --seeds \(seed): \(report)")
        }
    }
}

@Suite("A month of adaptive multipath")
struct MonthTests {
    @Test("Adaptive paths cost little more than one and lose nearly as little as two")
    func adaptivePays() {
        var month = MonthSimulation()
        month.regions = 20
        month.streams = 2
        let one = month.run(.always(1))
        let adaptive = month.run(.adaptive)
        let two = month.run(.always(2))
        #expect(one.averagePaths == 1 && two.averagePaths == 2)
        #expect((1.1...1.2).contains(adaptive.averagePaths), "\(adaptive.averagePaths)")
        #expect(adaptive.lossPercent < 0.1, "\(adaptive.lossPercent)")
        #expect(adaptive.lossPercent < one.lossPercent / 2, "\(adaptive.lossPercent) of \(one.lossPercent)")
        #expect(month.run(.adaptive) == adaptive)
    }
}

@Suite("A crowd of nodes")
struct CrowdTests {
    @Test("Every wanted stream of a small crowd flows, and no node carries what nobody below it wants")
    func flows() {
        var options = CrowdOptions()
        options.edges = 40
        options.entrypoints = 3
        options.layers = [2, 3, 5]
        options.streams = 300
        options.streamsPerEdge = 5
        options.span = .seconds(10)
        var ticks: UInt64 = 0
        let report = CrowdSimulation(options) {
            ticks += 1
            return ticks
        }.run()
        #expect(report.wanted == 200)
        #expect(report.flowing == report.wanted)
        #expect(report.lost == 0)
        #expect(report.layers.map(\.nodes) == [3, 2, 3, 5, 40])
        #expect(report.layers[4].streams == 200)
        #expect(report.layers[1...3].allSatisfy { $0.streams <= 200 })
    }
}
