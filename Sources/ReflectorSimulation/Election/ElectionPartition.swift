import ReflectorModel
import RelayCore

/// An election while random links are cut, many of them in one direction only, and after all of them heal at once.
///
/// ```
/// |── 14 s steady ──|── 10 s of cuts: edges that can be served are ──|── healed, 16 s ──|
/// ```
public struct ElectionPartition {
    public struct Report: Sendable {
        public var election: ElectionReport
        /// Whether all witnesses named one leader of every stream, 3 s after the heal.
        public var agreesAtOnce: Bool
        /// Longest time after the heal until all witnesses named one leader of every stream.
        public var agreement: TimeSpan
        /// How many times an edge that could be served was checked during the cuts.
        public var checks: Int
        /// Longest time without the stream, over all edges, while it could be served.
        public var outage: TimeSpan
    }

    public let options: ElectionOptions
    /// Receives a line of text for each fault, alarm and discontinuity.
    public var trace: ((String) -> Void)?

    private static let cutAt = MonotonicInstant.zero + .seconds(14)
    private static let healAt = cutAt + .seconds(10)
    private static let end = healAt + .seconds(16)
    private static let agreesAtOnceMax = TimeSpan.seconds(3)
    /// An entrypoint that has just begun to pull cannot be found at once.
    private static let grace = TimeSpan.seconds(1)
    /// Longest time without a stream that could be served. While half of all lines are cut, several parents in a row may
    /// have to be tried, each for up to 3 s.
    private static let outageMax = TimeSpan.seconds(6)
    private static let interval = TimeSpan.milliseconds(250)
    /// Witnesses that came to different leaders agree at the latest when the better one has been live for ten seconds.
    private static let agreementMax = TimeSpan.seconds(17)

    public init(_ options: ElectionOptions) { self.options = options }

    public func run() -> Report {
        var settings = ElectionNetwork.Options(seed: options.seed)
        if let canary = options.canary { settings.rules = canary.rules() }
        let network = ElectionNetwork(settings)
        network.trace = trace
        scheduleCuts(network)
        let state = State(network)
        network.onMark = { [unowned network] _ in inspect(network, state) }
        network.onAction = { [unowned network] action, host in
            if case .alarm(.leaderChanged(let name, let leader, let cause)) = action {
                state.leaderChanges += 1
                network.checkLeader(name, to: leader, cause: cause, by: host)
            }
        }
        network.network.schedule(.mark(0), at: Self.cutAt - .milliseconds(100))
        while network.invariants.violationCount < 50, network.network.step(until: Self.end) {}
        network.checkRecovery()
        let agreement = state.agreedAt - Self.healAt
        if agreement > Self.agreementMax {
            network.violate("the witnesses agreed \(agreement.milliseconds) ms after the heal")
        }
        var election = ElectionReport(network)
        election.leaderChanges = state.leaderChanges
        return Report(
            election: election, agreesAtOnce: agreement <= Self.agreesAtOnceMax, agreement: agreement,
            checks: state.checks,
            outage: state.outage)
    }

    private final class State {
        var checks = 0
        var outage = TimeSpan.zero
        /// For each host and stream: since when the edge can be served; nil if it cannot.
        var servableSince: [[MonotonicInstant?]]
        var leaderChanges = 0
        /// Since when all witnesses name one leader of every stream.
        var agreedAt = MonotonicInstant.distantFuture
        var isAgreed = false

        init(_ network: ElectionNetwork) {
            servableSince = network.hosts.map { _ in network.zone.streams.map { _ in nil } }
        }
    }

    private func scheduleCuts(_ network: ElectionNetwork) {
        let (all, topology) = (network.topology.hosts.indices, network.topology)
        let share = 0.1 + 0.4 * network.random.unit()
        for a in all {
            for b in all where a != b {
                // Pairs that never talk to each other need no cut.
                let roles = (topology.hosts[a].role, topology.hosts[b].role)
                guard roles.0 == .set || roles.1 == .set, network.random.chance(share) else { continue }
                network.schedule(.cut(from: a, to: b), at: Self.cutAt)
                if network.random.chance(0.3) { network.schedule(.cut(from: b, to: a), at: Self.cutAt) }
            }
        }
        network.schedule(.mendAll, at: Self.healAt)
    }

    private func inspect(_ network: ElectionNetwork, _ state: State) {
        let now = network.now
        network.network.schedule(.mark(0), at: now + Self.interval)
        network.checkParents()
        if now < Self.cutAt { return network.checkRecovery() }
        if now < Self.healAt {
            return checkEdges(network, state)
        }
        let agrees = network.zone.streams.allSatisfy { stream in
            let leaders = network.topology.sets.map { network.hosts[$0].node.relay?.witnessedLeader(of: stream.name) }
            return leaders[0] != nil && leaders.allSatisfy { $0 == leaders[0] }
        }
        if agrees, !state.isAgreed { state.agreedAt = now }
        state.isAgreed = agrees
        if !agrees { state.agreedAt = .distantFuture }
    }

    /// Checks that every edge gets every stream that it can be served, soon after it can.
    private func checkEdges(_ network: ElectionNetwork, _ state: State) {
        for edge in network.topology.edges {
            for stream in network.zone.streams.indices {
                guard isServable(stream, edge, network) else {
                    state.servableSince[edge][stream] = nil
                    continue
                }
                let since = state.servableSince[edge][stream] ?? network.now
                state.servableSince[edge][stream] = since
                state.checks += 1
                let lastAt = network.hosts[edge].receiver?.receipts[stream].lastAt ?? .zero
                let outage = network.now - max(lastAt, since)
                state.outage = max(state.outage, outage)
                guard outage > Self.outageMax else { continue }
                network.violate(
                    "\(network.hosts[edge].node.name) has not got \(network.zone.streams[stream].name) for "
                        + "\(outage.milliseconds) ms, although it can reach a witness that can")
            }
        }
    }

    /// Whether the edge reaches a witness that reaches an entrypoint with the encoder's data, directly or through
    /// another witness. All in both directions. An entrypoint that pulls must have had the data for a while.
    private func isServable(_ stream: Int, _ edge: Int, _ network: ElectionNetwork) -> Bool {
        let sources = network.topology.entrypoints.filter { entrypoint in
            let feed = network.encoders[stream].feeds[entrypoint]
            return network.zone.streams[stream].candidates.contains(network.topology.hosts[entrypoint].name)
                && feed.isLive && network.now - feed.connectedAt >= Self.grace
        }
        let direct = network.topology.sets.filter { set in sources.contains { network.canReach(set, $0) } }
        let either = network.topology.sets.filter { set in
            direct.contains(set) || direct.contains { network.canReach(set, $0) }
        }
        return either.contains { network.canReach(edge, $0) }
    }
}
