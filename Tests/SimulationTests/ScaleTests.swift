import Foundation
import ReflectorModel
import Testing

@testable import ReflectorSimulation

@Suite("Thousands of nodes")
struct ScaleTests {
    @Test("After any changes, the tree has the same first node as a linear search")
    func wakeTree() {
        var random = SeededGenerator(seed: 5)
        for count in [1, 2, 3, 7, 64, 100] {
            var tree = WakeTree()
            tree.grow(to: count)
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
        "Two processes give the same digest",
        .enabled(if: FileManager.default.isExecutableFile(atPath: ".build/release/reflector")))
    func repeats() throws {
        func lastWord(_ seed: String) throws -> String? {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: ".build/release/reflector")
            process.arguments = [
                "simulate", "scale", "--edges", "30", "--streams", "200", "--per-edge", "4", "--seconds", "5",
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

    private var small: ScaleOptions {
        var options = ScaleOptions()
        options.entrypoints = 3
        options.layers = [2, 3, 5]
        return options
    }

    @Test("Every wanted stream of a small network flows, and no node carries a stream that no edge below it wants")
    func flows() {
        var options = small
        options.edges = 40
        options.streams = 300
        options.streamsPerEdge = 5
        options.span = .seconds(10)
        var ticks: UInt64 = 0
        let report = ScaleSimulation(options) {
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

    @Test("A viewer loses no packet although the ring is full and about to overwrite its first packets")
    func fullRings() {
        var options = small
        options.edges = 60
        options.streams = 400
        options.streamsPerEdge = 20
        options.span = .seconds(8)
        options.ringPacketsMin = 64
        options.loss = 0.002
        let report = ScaleSimulation(options) { 0 }.run()
        #expect(report.flowing == report.wanted)
        #expect(report.lost == 0)
    }
}
