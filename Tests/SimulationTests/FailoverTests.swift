import Foundation
import ReflectorModel
import Testing

@testable import ReflectorSimulation

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
    @Test("Which node wakes first is what a search through all says, whatever was changed before")
    func wakeTree() {
        var random = SeededGenerator(seed: 5)
        for count in [1, 2, 3, 7, 64, 100] {
            var tree = WakeTree(count: count)
            var instants = Array(repeating: MonotonicInstant.distantFuture, count: count)
            for _ in 0..<1_000 {
                let node = Int(random.next(below: UInt64(count)))
                let at =
                    random.chance(0.1)
                    ? MonotonicInstant.distantFuture : MonotonicInstant(nanoseconds: Int64(random.next(below: 50)))
                instants[node] = at
                tree.set(node, at)
                #expect(tree.next == instants.min())
                #expect(tree.first == instants.firstIndex(of: tree.next))
            }
        }
    }

    @Test(
        "Two processes simulate the same crowd alike",
        .enabled(if: FileManager.default.isExecutableFile(atPath: ".build/release/reflector")))
    func repeats() throws {
        func lastWord(_ seed: String) throws -> String? {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: ".build/release/reflector")
            process.arguments = [
                "simulate", "crowd", "--edges", "30", "--streams", "200", "--per-edge", "4", "--seconds", "5",
                "--seed", seed,
            ]
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            let data = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            let line = String(decoding: data, as: UTF8.self).split(separator: "\n").first { $0.contains("digest ") }
            return line?.split(separator: " ").last.map(String.init)
        }
        let first = try #require(try lastWord("1"))
        #expect(try lastWord("1") == first)
        #expect(try lastWord("2") != first)
    }

    private var small: CrowdOptions {
        var options = CrowdOptions()
        options.entrypoints = 3
        options.layers = [2, 3, 5]
        return options
    }

    @Test("Every wanted stream of a small crowd flows, and no node carries what nobody below it wants")
    func flows() {
        var options = small
        options.edges = 40
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

    @Test("Viewers that begin with what a full ring is about to overwrite lose nothing of it")
    func fullRings() {
        var options = small
        options.edges = 60
        options.streams = 400
        options.streamsPerEdge = 20
        options.span = .seconds(8)
        options.ringPacketsMin = 64
        options.loss = 0.002
        let report = CrowdSimulation(options) { 0 }.run()
        #expect(report.flowing == report.wanted)
        #expect(report.lost == 0)
    }
}
