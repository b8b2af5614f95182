import ArgumentParser
import ReflectorModel
import ReflectorSimulation

/// `reflector simulate handshake`: the handshake against an attacker who owns the network.
struct SimulateHandshake: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "handshake", abstract: "Attack the handshake with one stolen key, many seeds.",
        discussion: """
            In each run an attacker owns the network and holds the private key of one of five nodes. It reads, drops, \
            repeats, reorders, mixes and forges messages; cryptography is perfect. No two honest nodes may share a key with \
            the wrong peer, the attacker may have no key of a link between two of them, nobody may be refused in another's \
            name, and a link that gets new keys must keep its ends.

            Exit status: 0 all of this held, 1 it did not (the seed is printed), 2 wrong usage.

            Examples:
              reflector simulate handshake --seeds 1-100000
              reflector simulate handshake --seeds 1-1000 --then-take-all-machines
              reflector simulate handshake --seeds 1-300 --signatures nothing
            """)

    @Option(help: "Seeds, e.g. 7 or 1-100000.")
    var seeds: SeedRange = SeedRange(range: 1...3_000)

    @Flag(help: "When all links are over, the attacker takes all machines; recorded links must stay secret.")
    var thenTakeAllMachines = false

    @Option(help: "What a signature proves: perfect, of-any-text or nothing. The last two must make the runs fail.")
    var signatures: SymbolicWorld.Signatures = .perfect

    func run() throws {
        var simulation = HandshakeAttackSimulation()
        simulation.takesAllMachinesAfterwards = thenTakeAllMachines
        simulation.signatures = signatures
        let clock = ContinuousClock()
        let started = clock.now
        let report = simulation.run(seeds: seeds.range)
        for violation in report.violations { print("VIOLATED: \(violation)") }
        let seconds = max(started.duration(to: clock.now) / .seconds(1), 0.001)
        print(
            "\(report.runs) runs: \(report.links) links between honest nodes, \(report.withStolen) ends of links with "
                + "the stolen node, \(report.renewals) renewals; \(report.refused) children refused, "
                + "\(report.refusedByAttacker) more by the attacker; \(report.violationCount) violations; "
                + "\(Int(Double(report.runs) / seconds)) seeds a second"
        )
        if report.violationCount > 0 { throw ExitCode(1) }
    }
}

extension SymbolicWorld.Signatures: ExpressibleByArgument {
    public init?(argument: String) {
        switch argument {
        case "perfect": self = .perfect
        case "of-any-text": self = .ofAnyText
        case "nothing": self = .nothing
        default: return nil
        }
    }

    public var defaultValueDescription: String { "perfect" }
}
