import ArgumentParser
import ReflectorModel
import ReflectorSimulation

/// `reflector simulate digest`: one hash a scenario, to compare two builds of the same code.
struct SimulateDigest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "digest", abstract: "Print one hash for each scenario, to show that two builds behave alike.",
        discussion: """
            Every seed of every scenario runs once. A hash covers each datagram that arrived (time, receiver, sender and \
            bytes), each delivery, each lost packet and each event. Equal hashes mean that both builds sent the same \
            bytes at the same times. Promises are not judged here: `reflector simulate networks` does that.

            Example:
              reflector simulate digest --seeds 1-100 > before.txt
            """)

    @Option(help: "Seeds, as 7 or 1-1000.")
    var seeds: SeedRange = SeedRange(range: 1...100)

    @Option(help: "One of: \(Scenario.allCases.map(\.rawValue).joined(separator: ", ")), failover, crowd, stampede.")
    var only: String?

    func run() throws {
        for scenario in Scenario.allCases where isAsked(scenario.rawValue) {
            report(scenario.rawValue) { seed in
                Simulation(SimulationOptions(scenario: scenario, seed: seed)).run().digest
            }
        }
        if isAsked("failover") { report("failover") { FailoverRun(seed: $0).run()?.digest ?? 0 } }
        // The two large scenarios run once, with a few nodes each.
        if isAsked("crowd") {
            var options = CrowdOptions()
            options.edges = 50
            options.streams = 200
            options.span = .seconds(20)
            options.seed = seeds.range.lowerBound
            show("crowd", CrowdSimulation(options, clock: { 0 }).run().digest)
        }
        if isAsked("stampede") {
            var options = StampedeOptions()
            options.seed = seeds.range.lowerBound
            show("stampede", StampedeSimulation(options).run().digest)
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
