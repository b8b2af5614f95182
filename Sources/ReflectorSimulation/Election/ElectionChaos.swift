import ReflectorModel
import RelayCore

/// An election under faults of every kind, and what must hold during them and afterwards.
///
/// ```
/// |── 4 s warm-up ──|── 14 s of faults, from the plan ──|── up to 22 s to recover ──|── 3 s recovered ──|
/// ```
///
/// Most runs end as soon as everything has been as it should for three seconds. One seed of eight runs the whole time, so
/// that what breaks late is seen too.
public struct ElectionChaos {
    public let options: ElectionOptions
    /// Receives a line of text for each fault, alarm and discontinuity.
    public var trace: ((String) -> Void)?

    private static let faults = MonotonicInstant.zero + .seconds(4)..<MonotonicInstant.zero + .seconds(18)
    private static let recovery = TimeSpan.seconds(22)
    private static let deadline = faults.upperBound + recovery
    private static let recoveredFor = TimeSpan.seconds(3)
    private static let end = deadline + .seconds(2)
    private static let inspectInterval = TimeSpan.milliseconds(250)

    private static let inspection = 1
    private static let recovered = 2

    public init(_ options: ElectionOptions) { self.options = options }

    public func run() -> ElectionReport {
        let network = ElectionNetwork(networkOptions)
        network.trace = trace
        let plan = ElectionFaultPlan(in: network.topology, window: Self.faults, &network.random)
        for (at, fault) in plan.faults { network.schedule(fault, at: at) }
        if options.canary == .mixSources { for host in network.hosts { host.receiver?.mixesSources = true } }
        network.network.schedule(.mark(Self.inspection), at: .zero + .milliseconds(10))
        network.network.schedule(.mark(Self.recovered), at: Self.faults.upperBound + .seconds(1))
        let counts = observe(network)
        while !counts.isOver, network.invariants.violationCount < 50, network.network.step(until: Self.end) {}
        var report = ElectionReport(network)
        (report.leaderChanges, report.pulls) = (counts.leaderChanges, counts.pulls)
        return report
    }

    private final class Counts {
        var leaderChanges = 0
        var pulls = 0
        var unled: UnledTimes
        /// Since when nothing is wrong any more, after the faults.
        var recoveredSince: MonotonicInstant?
        var isOver = false

        init(_ network: ElectionNetwork) {
            unled = UnledTimes(hosts: network.hosts.count, streams: network.zone.streams.count)
        }
    }

    /// Checks every action of the nodes, and the network at regular intervals.
    private func observe(_ network: ElectionNetwork) -> Counts {
        let counts = Counts(network)
        network.onAction = { [unowned network] action, host in
            switch action {
            case .alarm(.leaderChanged(let name, let leader, let cause)):
                counts.leaderChanges += 1
                network.checkLeader(name, to: leader, cause: cause, by: host)
                guard let stream = network.zone.streams.firstIndex(where: { $0.name == name }) else { return }
                counts.unled.noteLeader(witness: host, stream, at: network.now)
            case .pull(let name, isWanted: true):
                counts.pulls += 1
                network.checkPull(name, by: host, unled: counts.unled)
            default: break
            }
        }
        network.onMark = { [unowned network] mark in
            guard mark == Self.inspection else { return checkRecovery(network, counts) }
            network.network.schedule(.mark(Self.inspection), at: network.now + Self.inspectInterval)
            network.checkParents()
            let cold = ElectionTopology.Kind.coldPull.rawValue
            if let first = network.zone.streams[cold].ordered.first { counts.unled.noteFirst(first) }
        }
        return counts
    }

    private func checkRecovery(_ network: ElectionNetwork, _ counts: Counts) {
        let now = network.now
        network.network.schedule(.mark(Self.recovered), at: now + Self.inspectInterval)
        guard now < Self.deadline else { return network.checkRecovery() }
        counts.recoveredSince = network.recoveryProblems().isEmpty ? counts.recoveredSince ?? now : nil
        let isWhole = options.seed % 8 == 0
        counts.isOver = !isWhole && counts.recoveredSince.map { now - $0 >= Self.recoveredFor } ?? false
    }

    private var networkOptions: ElectionNetwork.Options {
        var network = ElectionNetwork.Options(seed: options.seed)
        if let canary = options.canary { network.rules = canary.rules() }
        var random = SeededGenerator(seed: ~options.seed)
        network.impairment.loss = 0.03 * random.unit()
        network.impairment.episode = random.chance(0.5) ? .datagrams(3) : .independent
        network.impairment.reorder = 0.03 * random.unit()
        network.impairment.duplicate = 0.03 * random.unit()
        network.impairment.jitter = .milliseconds(1)
        network.packetsPerSecond = 8
        network.delayedControl = random.chance(0.5) ? 0.05 * random.unit() : 0
        return network
    }
}
