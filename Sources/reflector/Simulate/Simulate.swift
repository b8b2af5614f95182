import ArgumentParser
import ReflectorModel
import ReflectorSimulation

/// `reflector simulate`: the daemons' nodes in virtual time.
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run whole networks in virtual time and check their invariants.",
        subcommands: [
            SimulateNetworks.self, SimulateLine.self, SimulateGrid.self, SimulateFailover.self, SimulateLongRun.self,
            SimulateScale.self, SimulateThunderingHerd.self, SimulateHandshake.self, SimulateElection.self,
            SimulateRegion.self, SimulateDigest.self,
        ],
        defaultSubcommand: SimulateNetworks.self)
}

/// `reflector simulate networks`, the default: whole networks under injected faults, many seeds.
struct SimulateNetworks: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "networks", abstract: "Run whole networks with injected faults, many seeds.",
        discussion: """
            Runs the same nodes as the daemons, on a network that loses, reorders, duplicates and forges datagrams. Nodes \
            crash, the zone changes, and name servers stop answering. The seed decides the whole run: the same seed gives \
            the same digest on any machine.

            Exit status: 0 every invariant held, 1 one did not (the command that repeats the run is printed), \
            2 wrong usage.

            Examples:
              reflector simulate --seeds 1-100
              reflector simulate --scenario \(FaultScenario.allCases[0].rawValue) --seeds 7 --trace
            """)

    @Option(help: "One of: \(FaultScenario.allCases.map(\.rawValue).joined(separator: ", ")); all by default.")
    var scenario: FaultScenario?

    @Option(help: "Seeds, e.g. 7 or 1-100.")
    var seeds: SeedRange = SeedRange(range: 1...20)

    @Option(help: "Virtual seconds of each run, at least 16; the last 11 have no faults.")
    var seconds: Int = 24

    @Option(help: "A deliberate fault of the product, which the invariants must catch: \(Self.canaries).")
    var canary: Canary?

    @Flag(help: "Print faults, alarms and discontinuities as they happen.")
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
        for scenario in scenario.map({ [$0] }) ?? FaultScenario.allCases {
            let begun = clock.now
            var summary = FaultSummary()
            for seed in seeds.range {
                var options = FaultOptions(scenario: scenario, seed: seed)
                options.span = .seconds(Int64(seconds))
                options.canary = canary
                let simulation = FaultSimulation(options)
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

extension FaultScenario: ExpressibleByArgument {}
extension Canary: ExpressibleByArgument {}

/// Seeds a second, with one decimal.
private func rate(_ runs: Int, _ span: Duration) -> Double {
    let seconds = max(span / .seconds(1), 0.001)
    return (Double(runs) / seconds * 10).rounded() / 10
}

/// Totals of one scenario.
private struct FaultSummary {
    private var runs = 0
    private(set) var failed = 0
    private var delivered: UInt64 = 0
    private var missing: UInt64 = 0
    private var gapMax = TimeSpan.zero
    private var firstMax = TimeSpan.zero
    private var datagrams: UInt64 = 0

    mutating func add(_ report: FaultReport) {
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
