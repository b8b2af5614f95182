import ArgumentParser
import ReflectorModel
import ReflectorSimulation

/// `reflector simulate digest`: one hash for each scenario, to compare two builds of the same code.
struct SimulateDigest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "digest", abstract: "Print one hash for each scenario, to show that two builds behave alike.",
        discussion: """
            Each scenario runs once for each seed. A hash covers each datagram that arrived (time, receiver, sender \
            and bytes), each delivery, each lost packet and each event. Equal hashes mean that both builds sent the \
            same bytes at the same times. Invariants are not checked here: `reflector simulate networks` does that.

            scale and thundering-herd run once, with few nodes and the first of the seeds. So does long-run, which \
            sends no datagrams: its hash covers the figures that it reports.

            Example:
              reflector simulate digest --seeds 1-100 > before.txt
            """,
        shouldDisplay: false)

    /// The scenarios that `simulate networks` does not run.
    private static let others = ["failover", "scale", "thundering-herd", "long-run"]

    @Option(help: "Seeds, e.g. 7 or 1-1000.")
    var seeds: SeedRange = SeedRange(range: 1...100)

    @Option(help: "One of: \((FaultScenario.allCases.map(\.rawValue) + others).joined(separator: ", ")).")
    var only: String?

    func validate() throws {
        guard let only, !FaultScenario.allCases.map(\.rawValue).contains(only), !Self.others.contains(only) else {
            return
        }
        throw ValidationError("--only: no scenario '\(only)'")
    }

    func run() throws {
        for scenario in FaultScenario.allCases where isAsked(scenario.rawValue) {
            report(scenario.rawValue) { seed in
                FaultSimulation(FaultOptions(scenario: scenario, seed: seed)).run().digest
            }
        }
        if isAsked("failover") { report("failover") { FailoverRun(seed: $0).run()?.digest ?? 0 } }
        if isAsked("scale") { show("scale", scale) }
        if isAsked("thundering-herd") { show("thundering-herd", thunderingHerd) }
        if isAsked("long-run") { show("long-run", longRun) }
    }

    private var scale: UInt64 {
        var options = ScaleOptions()
        options.edges = 50
        options.streams = 200
        options.span = .seconds(20)
        options.seed = seeds.range.lowerBound
        return ScaleSimulation(options, clock: { 0 }).run().digest
    }

    private var thunderingHerd: UInt64 {
        var options = ThunderingHerdOptions()
        options.seed = seeds.range.lowerBound
        return ThunderingHerdSimulation(options).run().digest
    }

    private var longRun: UInt64 {
        var simulation = LongRunSimulation()
        simulation.regions = 5
        simulation.streams = 2
        simulation.seed = seeds.range.lowerBound
        return [LongRunSimulation.Strategy.always(1), .adaptive, .always(2), .always(3)]
            .reduce(FixedHash.mix(0)) { digest, strategy in
                let report = simulation.run(strategy)
                return [
                    report.packets, report.missing, report.repaired, report.additions, report.pathSeconds.bitPattern,
                    report.seconds.bitPattern,
                ].reduce(digest) { FixedHash.combine($0, $1) }
            }
    }

    private func isAsked(_ name: String) -> Bool { only == nil || only == name }

    private func report(_ name: String, _ run: (UInt64) -> UInt64) {
        show(name, seeds.range.reduce(FixedHash.mix(0)) { FixedHash.combine($0, run($1)) })
    }

    private func show(_ name: String, _ digest: UInt64) {
        let hex = String(digest, radix: 16)
        print("\(name) \(String(repeating: "0", count: 16 - hex.count))\(hex)")
    }
}
