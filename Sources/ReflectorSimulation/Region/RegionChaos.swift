import ReflectorModel
import RelayCore

/// A rule of the region that is broken on purpose, to show that the invariants notice it.
public enum RegionCanary: String, CaseIterable, Sendable {
    /// Of two leaders of one slot, both keep it.
    case twoLeaders = "two-leaders"
    /// An edge delivers a packet twice.
    case deliverTwice = "deliver-twice"
    /// A member answers each request for a packet with a retransmit to the whole group.
    case repairStorm = "repair-storm"
    /// Members keep and multicast what they did not verify.
    case unverified
}

/// What one run found.
public struct RegionRunReport: Sendable {
    public var members = 0
    public var delivered: UInt64 = 0
    /// Packets that edges gave up at the play-out deadline.
    public var lost: UInt64 = 0
    /// Longest time without a packet at a running edge.
    public var gapMax = TimeSpan.zero
    public var twoLeadersMax = TimeSpan.zero
    /// Hash of every datagram and fault: equal for equal options, in every process.
    public var digest: UInt64 = 0
    public var violationCount = 0
    /// The texts of the first violations.
    public var violations: [String] = []

    public var isGood: Bool { violationCount == 0 }

    init(_ network: RegionNetwork) {
        members = network.edges.count
        digest = network.digest.value
        violationCount = network.invariants.violationCount
        violations = network.invariants.violations.map { "\(Double($0.at.nanoseconds / 1_000) / 1e6) s: \($0.text)" }
        for receiver in network.receivers {
            for receipt in receiver?.receipts ?? [] {
                delivered += receipt.delivered
                lost += receipt.missing
                digest = FixedHash.combine(digest, receipt.delivered)
            }
        }
    }
}

/// A region under faults of every kind, and what must hold during them and afterwards.
///
/// ```
/// |── 4 s warm-up ──|── 14 s of faults ──|── 20 s to recover ──|── 10 s steady state ──|
/// ```
public struct RegionChaos {
    public var seed: UInt64
    public var canary: RegionCanary?
    /// One or two entrypoints, one or two set regions of two to four members, and two to four edge regions of one to
    /// three, instead of a single edge region.
    public var hasSetRegions = false
    /// Receives a line of text for each fault, alarm and discontinuity.
    public var trace: ((String) -> Void)?

    private static let faults = MonotonicInstant.zero + .seconds(4)..<MonotonicInstant.zero + .seconds(18)
    private static let recovered = faults.upperBound + .seconds(20)
    private static let end = recovered + .seconds(10)
    private static let inspection = 1
    private static let interval = TimeSpan.milliseconds(100)

    public init(seed: UInt64) { self.seed = seed }

    public func run() -> RegionRunReport {
        let network = RegionNetwork(options)
        network.trace = trace
        if canary == .deliverTwice { network.receivers.forEach { $0?.canary = .deliverTwice } }
        network.planFaults(in: Self.faults)
        let checks = RegionChecks(network)
        network.network.schedule(.mark(Self.inspection), at: .zero + Self.interval)
        network.onMark = { [unowned network] _ in
            network.network.schedule(.mark(Self.inspection), at: network.now + Self.interval)
            checks.inspect()
            if network.now >= Self.recovered { checks.inspectSteadyState() }
        }
        while network.invariants.violationCount < 50, network.network.step(until: Self.end) {}
        if network.now >= Self.recovered { checks.checkFlow() }
        var report = RegionRunReport(network)
        report.twoLeadersMax = checks.twoLeadersMax
        return report
    }

    private var options: RegionNetwork.Options {
        var options = RegionNetwork.Options(seed: seed)
        var random = SeededGenerator(seed: ~seed)
        options.streams = 2 + Int(random.next(below: 3))
        options.packetsPerSecond = 25
        options.wantedShare = random.chance(0.5) ? 1 : 0.6
        options.wan.loss = 0.03 * random.unit()
        options.wan.episode = random.chance(0.5) ? .datagrams(3) : .independent
        options.wan.reorder = 0.02 * random.unit()
        options.wan.duplicate = 0.02 * random.unit()
        options.wan.jitter = .milliseconds(1)
        options.lan.loss = random.chance(0.5) ? 0.01 * random.unit() : 0
        options.usesGroups = random.chance(0.5) || canary == .repairStorm
        options.corruption = random.chance(0.2) || canary == .unverified ? 0.002 : 0
        if canary == .repairStorm { options.lan.loss = 0.01 }
        options.rules.sharesRepairs = canary != .repairStorm
        options.rules.verifies = canary != .unverified
        if hasSetRegions {
            options.entrypoints = 1 + Int(random.next(below: 2))
            options.setRegions = (0...random.next(below: 2)).map { _ in 2 + Int(random.next(below: 3)) }
            options.edgeRegions = (0...1 + random.next(below: 3)).map { _ in 1 + Int(random.next(below: 3)) }
        }
        options.rules.resolvesConflicts = canary != .twoLeaders
        return options
    }
}
