import ArgumentParser
import ReflectorModel
import ReflectorSimulation

/// `reflector simulate failover`: parents and links die and return, many seeds.
struct SimulateFailover: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "failover", abstract: "Let parents and links die and return; no packet may be lost.",
        discussion: """
            Runs an edge with three parents, 20 to 40 packets a second and a play-out deadline of 500 ms. Prints the \
            distribution of the longest gaps in the output. Exit status 1 if any run loses a packet, or receives more \
            than one copy of the stream before the death or after the return.
            """)

    @Option(help: "Seeds, e.g. 7 or 1-10000.")
    var seeds: SeedRange = SeedRange(range: 1...500)

    func run() throws {
        let clock = ContinuousClock()
        let started = clock.now
        var gaps: [FailoverRun.Death: [TimeSpan]] = [:]
        var failed = 0
        var events: UInt64 = 0
        for seed in seeds.range {
            guard let report = FailoverRun(seed: seed).run() else { throw ExitCode(2) }
            gaps[report.death, default: []].append(report.gapMax)
            events = max(events, report.events)
            guard !report.isGood else { continue }
            failed += 1
            print("FAILED: reflector simulate failover --seeds \(seed): \(report)")
        }
        print("longest gap in the output, ms:   runs   median   90 %   99 %   most")
        for death in FailoverRun.Death.allCases {
            let sorted = (gaps[death] ?? []).sorted()
            guard let most = sorted.last else { continue }
            let cells =
                [50, 90, 99].map { "\(sorted[(sorted.count - 1) * $0 / 100].milliseconds)" } + ["\(most.milliseconds)"]
            print("  death of the \(death): \(sorted.count), \(cells.joined(separator: ", "))")
        }
        let seconds = max(started.duration(to: clock.now) / .seconds(1), 0.001)
        let count = Double(seeds.range.count)
        print(
            "\(failed) of \(seeds.range.count) runs failed; at most \(events) events a run; \(Int(count / seconds)) seeds/s"
        )
        if failed > 0 { throw ExitCode(1) }
    }
}
