import ArgumentParser
import ReflectorModel
import ReflectorSimulation

/// `reflector simulate long-run`: what adaptive multipath costs and saves.
struct SimulateLongRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "long-run", abstract: "Compare adaptive multipath with 1, 2 and 3 paths over many days.",
        discussion: """
            Each region has three parents. The path to each parent has its own bad episodes: on average one in 32 minutes, \
            2 minutes long, with a loss of 0.5 to 90 % in bursts of 5 to 800 ms, both log-uniform. The policy of the edges \
            decides how many paths a stream uses. Exit status 1 unless it uses 1.1 to 1.2 paths on average and loses less \
            than 0.1 %.
            """)

    @Option(help: "Edge regions.")
    var regions = 100

    @Option(help: "Streams of each region.")
    var streams = 10

    @Option(help: "Days.")
    var days = 30

    @Option(help: "Seed.")
    var seed: UInt64 = 1

    func validate() throws {
        guard (1...10_000).contains(regions), (1...1_000).contains(streams), (1...366).contains(days) else {
            throw ValidationError("a figure is out of range")
        }
    }

    func run() throws {
        var longRun = LongRunSimulation()
        longRun.regions = regions
        longRun.streams = streams
        longRun.days = days
        longRun.seed = seed
        print("\(regions) regions, \(streams) streams, \(days) days, seed \(seed)")
        print("strategy    paths    lost %      lost of        repaired     paths added")
        var isGood = true
        for strategy in [LongRunSimulation.Strategy.always(1), .adaptive, .always(2), .always(3)] {
            let report = longRun.run(strategy)
            if strategy == .adaptive {
                isGood = (1.1...1.2).contains(report.averagePaths) && report.lossPercent < 0.1
            }
            print(row(strategy, report))
        }
        print(isGood ? "adaptive: 1.1 to 1.2 paths, under 0.1 % lost" : "adaptive misses 1.1 to 1.2 paths or 0.1 %")
        if !isGood { throw ExitCode(1) }
    }

    private func row(_ strategy: LongRunSimulation.Strategy, _ report: LongRunSimulation.Report) -> String {
        return strategy.name.left(12) + RepairGrid.text((report.averagePaths * 1_000).rounded() / 1_000).left(9)
            + RepairGrid.text(report.lossPercent).left(12) + "\(report.packets)".left(15)
            + "\(report.repaired)".left(13) + "\(report.additions)"
    }
}
