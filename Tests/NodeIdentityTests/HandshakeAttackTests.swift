import Foundation
import Testing

@Suite("The handshake against an attacker who owns the network and holds one stolen key")
struct HandshakeAttackTests {
    /// Seeds to run; `REFLECTOR_IDENTITY_SEEDS` sets another number.
    private var seeds: UInt64 {
        ProcessInfo.processInfo.environment["REFLECTOR_IDENTITY_SEEDS"].flatMap { UInt64($0) } ?? 3_000
    }

    @Test("No honest end shares a key with the wrong peer, and the attacker has no key of a link between two of them")
    func seeded() throws {
        var links = 0
        var withStolen = 0
        for seed in 1...seeds {
            var run = try AttackRun(seed: seed)
            let report = try run.run()
            for violation in report.violations { Issue.record("seed \(seed): \(violation)") }
            links += report.links
            withStolen += report.withStolen
        }
        // The attacks must not be so heavy that nothing happens, nor so light that the stolen key is never used.
        #expect(links > Int(seeds) / 2, "\(links) links in \(seeds) runs")
        #expect(withStolen > Int(seeds) / 4, "\(withStolen) links with the stolen node in \(seeds) runs")
    }

    @Test("Who records everything, and takes all machines afterwards, has no key of a link between two honest ends")
    func forwardSecrecy() throws {
        for seed in 1...UInt64(500) {
            var run = try AttackRun(seed: seed)
            for violation in try run.run(thenStealsEpochKeys: true).violations {
                Issue.record("seed \(seed): \(violation)")
            }
        }
    }

    @Test(
        "Canaries: where signatures prove nothing, or do not depend on the text, the attacker gets keys of honest ends",
        arguments: [SymbolicWorld.Signatures.nothing, .ofAnyText])
    func canary(signatures: SymbolicWorld.Signatures) throws {
        var stolenKeys = 0
        for seed in 1...UInt64(300) {
            var run = try AttackRun(seed: seed, signatures: signatures)
            stolenKeys += try run.run().violations.count { $0.contains("the attacker has a key") }
        }
        #expect(stolenKeys > 0)
    }
}
