import NodeIdentity
import ReflectorModel

/// The handshake against an attacker who owns the network and holds the key of one node, in a world in which cryptography
/// is perfect (`SymbolicWorld`). In each seeded run the attacker reads, drops, repeats, reorders, mixes and forges
/// messages; afterwards no two honest ends may share a key with the wrong peer, the attacker may have no key of a link
/// between two of them, nobody may be refused in another's name, and links that got new keys must have kept their ends.
public struct HandshakeAttackSimulation: Sendable {
    /// The sum of all runs.
    public struct Report: Sendable, Equatable {
        public struct Violation: Sendable, Equatable, CustomStringConvertible {
            public var seed: UInt64
            public var text: String
            public var description: String { "seed \(seed): \(text)" }
        }

        public var runs: UInt64 = 0
        /// Links between two honest ends that both have finished, renewals included.
        public var links = 0
        /// Links of honest ends with the stolen node: allowed, since the attacker is that node.
        public var withStolen = 0
        /// Handshakes that gave new keys to a link.
        public var renewals = 0
        /// Children that an honest node has refused.
        public var refused = 0
        /// Children that the attacker could refuse, because they had accepted its Cookie: it could as well have dropped
        /// their messages.
        public var refusedByAttacker = 0
        /// The first violations, at most `violationsMax`.
        public var violations: [Violation] = []
        public var violationCount = 0

        static let violationsMax = 100

        mutating func add(_ run: AttackRun.Report, seed: UInt64) {
            runs += 1
            links += run.links
            withStolen += run.withStolen
            renewals += run.renewals
            refused += run.refused
            refusedByAttacker += run.refusedByAttacker
            violationCount += run.violations.count
            for text in run.violations.prefix(Self.violationsMax - violations.count) {
                violations.append(Violation(seed: seed, text: text))
            }
        }
    }

    /// Whether the attacker, who has recorded everything, takes all machines when all links are over.
    public var takesAllMachinesAfterwards = false
    /// What signatures prove. Anything but `perfect` must lead to violations.
    public var signatures = SymbolicWorld.Signatures.perfect

    public init() {}

    /// Runs these seeds, one after the other.
    public func run(seeds: ClosedRange<UInt64>) -> Report {
        var report = Report()
        for seed in seeds {
            var run = AttackRun(seed: seed, signatures: signatures)
            report.add(run.run(thenStealsEpochKeys: takesAllMachinesAfterwards), seed: seed)
        }
        return report
    }
}
