import Foundation
import ReflectorSimulation
import Testing

@Suite("The handshake against an attacker who owns the network and holds one stolen key")
struct HandshakeAttackTests {
    /// Seeds to run; `REFLECTOR_IDENTITY_SEEDS` sets another number.
    private var seeds: UInt64 {
        ProcessInfo.processInfo.environment["REFLECTOR_IDENTITY_SEEDS"].flatMap { UInt64($0) } ?? 3_000
    }

    @Test(
        "No honest end shares a key with the wrong peer, the attacker has no key of a link between two of them, nobody is refused in another's name, and renewed links keep their ends"
    )
    func seeded() {
        let report = HandshakeAttackSimulation().run(seeds: 1...seeds)
        for violation in report.violations { Issue.record("\(violation)") }
        // The attacks must not be so heavy that nothing happens, nor so light that the stolen key is never used.
        let runs = Int(seeds)
        #expect(report.links > runs / 2 && report.withStolen > runs / 4, "\(report)")
        #expect(report.renewals > runs / 10 && report.refused > runs / 10, "\(report)")
        #expect(report.refusedByAttacker > 0, "\(report)")
    }

    @Test("Who records everything, and takes all machines afterwards, has no key of a link between two honest ends")
    func forwardSecrecy() {
        var simulation = HandshakeAttackSimulation()
        simulation.takesAllMachinesAfterwards = true
        for violation in simulation.run(seeds: 1...500).violations { Issue.record("\(violation)") }
    }

    @Test(
        "Canaries: where signatures prove nothing, or do not depend on the text, the attacker gets keys of honest ends",
        arguments: [SymbolicWorld.Signatures.nothing, .ofAnyText])
    func canary(signatures: SymbolicWorld.Signatures) {
        var simulation = HandshakeAttackSimulation()
        simulation.signatures = signatures
        let violations = simulation.run(seeds: 1...300).violations
        #expect(violations.contains { $0.text.contains("the attacker has a key") })
    }
}
