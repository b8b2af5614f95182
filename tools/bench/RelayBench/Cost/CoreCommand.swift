import ArgumentParser
import Foundation

/// Measures our own code, without sockets and kernel, and checks that the cost stays the same with many streams and
/// children.
struct CoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "core", abstract: "Time and allocations of the relay's own code, per packet and child.")

    @Option(help: "Packets timed at each point.")
    var packets = 20_000
    @Option(
        parsing: .upToNextOption, help: "Only these points, each as STREAMSxCHILDREN.",
        transform: { point in
            let numbers = point.split(separator: "x").compactMap { Int($0) }
            guard numbers.count == 2, numbers.allSatisfy({ $0 > 0 }) else { throw ValidationError("not AxB: \(point)") }
            return (streams: numbers[0], children: numbers[1])
        })
    var points: [(streams: Int, children: Int)] = []

    /// A row counts as flat if no point costs more than this multiple of the first.
    private static let flatMax = 1.25

    func run() throws {
        if !points.isEmpty { return try row("points", points) }
        try row("streams, 4 children", [(1, 4), (10, 4), (100, 4), (1_000, 4)])
        try row("children, 1 stream", [(1, 4), (1, 16), (1, 64), (1, 500)])
    }

    private func row(_ name: String, _ points: [(streams: Int, children: Int)]) throws {
        ResultsFile.say("\(name): ns of our own code per packet and child, flushed one by one / in runs of 32")
        var first: [Double]?
        for point in points {
            let costs = try [1, 32].map { run in
                let bench = try CoreBench(streams: point.streams, children: point.children)
                return try bench.measure(packets: max(packets / max(point.children / 16, 1), 2_048), run: run)
            }
            let base = first ?? costs.map(\.nanoseconds)
            first = base
            let ratios = zip(costs, base).map { $0.nanoseconds / $1 }
            ResultsFile.say(
                String(
                    format: "  %4d x %3d: %6.1f / %6.1f ns, %.2f / %.2f of the first (%@), %.4f allocations a packet",
                    point.streams, point.children, costs[0].nanoseconds, costs[1].nanoseconds, ratios[0], ratios[1],
                    ratios.allSatisfy { $0 <= Self.flatMax } ? "flat" : "not flat",
                    costs.map(\.allocations).max() ?? 0))
        }
    }
}
