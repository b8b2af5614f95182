import ArgumentParser
import ReflectorModel
import ReflectorSimulation

/// `reflector simulate`: the daemons' nodes in virtual time.
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run whole networks in virtual time and judge what is promised.",
        subcommands: [
            SimulateNetworks.self, SimulateLine.self, SimulateGrid.self, SimulateFailover.self, SimulateMonth.self,
            SimulateCrowd.self, SimulateStampede.self, SimulateDigest.self,
        ],
        defaultSubcommand: SimulateNetworks.self)
}

/// `reflector simulate networks`, or without the word: whole networks, many seeds.
struct SimulateNetworks: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "networks", abstract: "Run whole networks with faults, many seeds.",
        discussion: """
            The same nodes as in the daemons, on a network that loses, reorders, doubles and forges, with crashes, edits \
            and name servers that fall silent. A seed decides everything: the same seed gives the same digest anywhere.

            Exit status: 0 every promise was kept, 1 one was not (the command that shows it again is printed), \
            2 wrong usage.

            Examples:
              reflector simulate --seeds 1-100
              reflector simulate --scenario \(Scenario.allCases[0].rawValue) --seeds 7 --trace
            """)

    @Option(help: "One of: \(Scenario.allCases.map(\.rawValue).joined(separator: ", ")); all by default.")
    var scenario: Scenario?

    @Option(help: "Seeds, as 7 or 1-100.")
    var seeds: SeedRange = SeedRange(range: 1...20)

    @Option(help: "Virtual seconds of each run, at least 16; the last 11 are without faults.")
    var seconds: Int = 24

    @Option(help: "A fault to put into the product, to see it caught: \(Self.canaries).")
    var canary: Canary?

    @Flag(help: "Tell of faults, alarms and discontinuities as they happen.")
    var trace = false

    @Flag(help: "Print the digest of every run.")
    var digest = false

    private static var canaries: String { Canary.allCases.map(\.rawValue).joined(separator: ", ") }

    func validate() throws {
        guard (16...3_600).contains(seconds) else { throw ValidationError("--seconds must be 16 to 3600") }
    }

    func run() throws {
        var failed = false
        let clock = ContinuousClock()
        let started = clock.now
        var runs = 0
        for scenario in scenario.map({ [$0] }) ?? Scenario.allCases {
            let begun = clock.now
            var summary = SimulationSummary()
            for seed in seeds.range {
                var options = SimulationOptions(scenario: scenario, seed: seed)
                options.span = .seconds(Int64(seconds))
                options.canary = canary
                let simulation = Simulation(options)
                if trace { simulation.trace = { print("    \($0)") } }
                let report = simulation.run()
                summary.add(report)
                runs += 1
                if digest { print("\(scenario.rawValue) \(seed) \(String(report.digest, radix: 16))") }
                if !report.isGood {
                    print("FAILED: \(report.command)")
                    for violation in report.violations { print("    \(violation)") }
                }
            }
            failed = failed || summary.failed > 0
            print("\(scenario.rawValue): \(summary.text(seconds: begun.duration(to: clock.now)))")
        }
        print("\(runs) runs, \(rate(runs, started.duration(to: clock.now))) seeds a second")
        if failed { throw ExitCode(1) }
    }
}

/// `7` or `1-100`.
struct SeedRange: ExpressibleByArgument {
    var range: ClosedRange<UInt64>

    init(range: ClosedRange<UInt64>) { self.range = range }

    init?(argument: String) {
        let ends = argument.split(separator: "-", omittingEmptySubsequences: false).map { UInt64($0) }
        switch ends.count {
        case 1:
            guard let one = ends[0] else { return nil }
            range = one...one
        case 2:
            guard let low = ends[0], let high = ends[1], low <= high else { return nil }
            range = low...high
        default: return nil
        }
    }

    var defaultValueDescription: String { "\(range.lowerBound)-\(range.upperBound)" }
}

extension Scenario: ExpressibleByArgument {}
extension Canary: ExpressibleByArgument {}

/// Seeds a second, with one decimal.
private func rate(_ runs: Int, _ span: Duration) -> Double {
    let seconds = max(span / .seconds(1), 0.001)
    return (Double(runs) / seconds * 10).rounded() / 10
}

/// Totals of one scenario.
private struct SimulationSummary {
    private var runs = 0
    private(set) var failed = 0
    private var delivered: UInt64 = 0
    private var missing: UInt64 = 0
    private var gapMax = TimeSpan.zero
    private var firstMax = TimeSpan.zero
    private var datagrams: UInt64 = 0

    mutating func add(_ report: SimulationReport) {
        runs += 1
        if !report.isGood { failed += 1 }
        delivered += report.delivered
        missing += report.missing
        gapMax = max(gapMax, report.gapMax)
        firstMax = max(firstMax, report.firstMax)
        datagrams += report.counts.datagrams
    }

    func text(seconds: Duration) -> String {
        "\(runs - failed) of \(runs) seeds good; delivered \(delivered), lost \(missing), longest gap "
            + "\(gapMax.milliseconds) ms, slowest start \(firstMax.milliseconds) ms, \(datagrams) datagrams, "
            + "\(rate(runs, seconds)) seeds a second"
    }
}
