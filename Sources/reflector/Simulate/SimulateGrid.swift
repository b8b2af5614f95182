import ArgumentParser
import Glibc
import ReflectorModel
import ReflectorSimulation

/// `reflector simulate grid`: measures the repair of losses against the limits.
struct SimulateGrid: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grid", abstract: "Measure repair over a grid of losses, against the limits.",
        discussion: """
            Runs an encoder, an entrypoint and an edge in virtual time. The link to the edge loses datagrams in both \
            directions, by a Gilbert–Elliott chain that steps with packets or with time. Each row shows the residual loss, \
            the upper end of its 95 % confidence interval, and the overhead: what was sent in addition to one copy of each \
            packet. Exit status 1 if a limit is exceeded.
            """)

    @Option(help: "Packets for each point. 20 million take about a minute; fewer widen the confidence interval.")
    var packets: UInt64 = 1_000_000

    @Option(help: "Seed.")
    var seed: UInt64 = 1

    @Option(help: "Play-out deadline in ms.")
    var deadline: Int64 = 120

    @Option(help: "Round-trip time in ms.")
    var roundTrip: Int64 = 40

    @Option(help: "Packets a second.")
    var rate: Int64 = 1_000

    @Option(help: "Set reflectors between entrypoint and edge.")
    var sets = 0

    @Option(help: "Only points whose name contains this, e.g. '3 % / 5' or 'time'.")
    var only: String?

    func validate() throws {
        guard (1...1_000_000_000).contains(packets) else { throw ValidationError("--packets must be 1 to 10⁹") }
        guard (1...10_000).contains(deadline), (0...5_000).contains(roundTrip), (1...100_000).contains(rate),
            (0...4).contains(sets)
        else { throw ValidationError("a figure is out of range") }
    }

    func run() throws {
        var grid = RepairGrid(packets: packets, seed: seed)
        grid.playOutDeadline = .milliseconds(deadline)
        grid.roundTrip = .milliseconds(roundTrip)
        grid.packetsPerSecond = rate
        grid.sets = sets
        let clock = ContinuousClock()
        let started = clock.now
        print(
            "\(packets) packets a point, \(rate)/s, RTT \(roundTrip) ms, play-out deadline \(deadline) ms, seed \(seed)"
        )
        print(
            "loss % / burst, driven by   lost %      95 % bound  limit      overhead %  limit   NAKs/s  back %  "
                + "delay ms max  mean")
        var missed = 0
        for point in RepairGrid.points where only.map({ point.name.contains($0) }) ?? true {
            let result = grid.run(point)
            if !result.isGood { missed += 1 }
            print(row(result))
            fflush(nil)
        }
        let seconds = started.duration(to: clock.now) / .seconds(1)
        print("\(missed == 0 ? "every limit holds" : "\(missed) points miss a limit"); \(Int(seconds)) s")
        if missed > 0 { throw ExitCode(1) }
    }

    private func row(_ result: RepairGrid.Result) -> String {
        let report = result.report
        func figure(_ value: Double, _ width: Int, _ decimals: Double = 1e6) -> String {
            RepairGrid.text((value * decimals).rounded() / decimals).left(width)
        }
        let seconds = Double(report.sent) / Double(rate)
        return result.point.name.left(28) + figure(report.lossPercent, 12) + figure(report.lossPercentBound, 12)
            + "\(RepairGrid.text(result.point.residualMax))\(result.isResidualGood ? "" : " !")".left(11)
            + figure(report.overheadPercent, 12, 1e3)
            + "\(RepairGrid.text(result.point.overheadMax))\(result.isOverheadGood ? "" : " !")".left(8)
            + figure(Double(report.backDatagrams) / seconds, 8, 10)
            + figure(100 * Double(report.backBytes) / (Double(report.sent) * 1_363), 8, 100)
            + figure(report.delayMax.seconds * 1_000, 14, 10) + figure(report.delayMean.seconds * 1_000, 6, 10)
            + (report.wrong > 0 ? " OUT OF ORDER" : "")
    }
}
