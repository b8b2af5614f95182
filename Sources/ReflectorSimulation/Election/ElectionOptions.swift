import ReflectorModel
import RelayCore

/// A rule of the election that is broken on purpose, to show that the invariants notice it.
public enum ElectionCanary: String, CaseIterable, Sendable {
    /// The word of one witness suffices to start a second puller.
    case noMajority = "no-majority"
    /// A backup goes on pulling while a better candidate leads.
    case noStandDown = "no-stand-down"
    /// A better candidate leads again as soon as it is back.
    case failbackAtOnce = "failback-at-once"
    /// An edge delivers a packet of one source among those of another.
    case mixSources = "mix-sources"

    /// The rules with the fault.
    func rules() -> ElectionRules {
        var rules = ElectionRules()
        switch self {
        case .noMajority: rules.needsMajority = false
        case .noStandDown: rules.standsDown = false
        case .failbackAtOnce: rules.failbackAfter = .zero
        case .mixSources: break
        }
        return rules
    }
}

/// The options of one run: the same options give the same run in every process.
public struct ElectionOptions: Sendable {
    public var seed: UInt64
    public var canary: ElectionCanary?

    public init(seed: UInt64) { self.seed = seed }
}

/// What one run found.
public struct ElectionReport: Sendable {
    /// Changes of leaders, over all witnesses and streams.
    public var leaderChanges = 0
    /// How often an entrypoint began to pull.
    public var pulls = 0
    public var delivered: UInt64 = 0
    public var datagrams: UInt64 = 0
    /// Hash of every datagram and fault: equal for equal options, in every process.
    public var digest: UInt64 = 0
    public var violationCount = 0
    /// The texts of the first violations.
    public var violations: [String] = []

    public var isGood: Bool { violationCount == 0 }

    init(_ network: ElectionNetwork) {
        datagrams = network.datagrams
        digest = network.digest.value
        violationCount = network.invariants.violationCount
        violations = network.invariants.violations.map {
            "\(Double($0.at.nanoseconds / 1_000) / 1e6) s: \($0.text)"
        }
        for host in network.hosts {
            for receipt in host.receiver?.receipts ?? [] {
                delivered += receipt.delivered
                digest = FixedHash.combine(digest, receipt.delivered)
            }
        }
    }
}
