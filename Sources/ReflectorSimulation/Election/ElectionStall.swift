import ReflectorModel
import RelayCore

/// A healthy network whose witnesses stall again and again, and whose links lose packets in bursts: nobody may lose the
/// lead. At any time one witness of five does not run, for 0.5 to 5 s.
public struct ElectionStall {
    public struct Report: Sendable {
        public var hours = 0.0
        public var stalls = 0
        /// Another candidate than the first began to pull.
        public var falsePulls = 0
        /// A witness that was not stalled before dropped the first candidate.
        public var falseTakeovers = 0
        /// A witness dropped the first candidate right after its own stall, or went back to it.
        public var ownCorrections = 0
        /// Longest time without a packet at an edge.
        public var gapMax = TimeSpan.zero
        public var datagrams: UInt64 = 0
        public var violations: [String] = []

        public var isGood: Bool { falsePulls == 0 && falseTakeovers == 0 && violations.isEmpty }
    }

    public var seed: UInt64 = 1
    public var hours = 24.0
    /// Is told the virtual hours that have passed.
    public var progress: ((Double) -> Void)?
    /// Receives a line of text for each alarm.
    public var trace: ((String) -> Void)?

    private static let stalledShare = 0.2
    private static let witnesses = 5
    /// Mean length of the times in which a link loses everything.
    private static let burst = TimeSpan.milliseconds(50)
    private static let stall = 1
    private static let tick = 2
    private static let steadyFor = TimeSpan.seconds(15)
    /// For this long after a stall, a witness may still correct itself.
    private static let correctionSpan = TimeSpan.seconds(3)

    public init() {}

    public func run() -> Report {
        var options = ElectionNetwork.Options(seed: seed)
        options.packetsPerSecond = 10
        options.setsCount = Self.witnesses
        options.impairment.loss = 0.02
        options.impairment.episode = .time(Self.burst)
        let network = ElectionNetwork(options)
        network.trace = trace
        let begin = MonotonicInstant.zero + Self.steadyFor
        network.network.run(before: begin)
        for host in network.hosts { host.receiver?.measureGaps(from: begin) }
        let state = State(network)
        observe(network, state)
        for _ in 0..<Int(Double(Self.witnesses) * Self.stalledShare) {
            network.network.schedule(.mark(Self.stall), at: begin)
        }
        network.network.schedule(.mark(Self.tick), at: begin)
        network.network.run(until: begin + TimeSpan(nanoseconds: Int64(hours * 3_600e9)))
        return state.report(network, hours: hours)
    }

    private final class State {
        var report = Report()
        /// For each host: the end of its last stall.
        var stalledUntil: [MonotonicInstant]
        /// For each host and stream: the witness names another candidate than the first, because of its own stall.
        var isAstray: [[Bool]]

        init(_ network: ElectionNetwork) {
            stalledUntil = network.hosts.map { _ in .zero - .seconds(100) }
            isAstray = network.hosts.map { _ in network.zone.streams.map { _ in false } }
        }

        func report(_ network: ElectionNetwork, hours: Double) -> Report {
            var report = report
            report.hours = hours
            report.datagrams = network.datagrams
            report.violations = ElectionReport(network).violations
            for host in network.hosts {
                for receipt in host.receiver?.receipts ?? [] { report.gapMax = max(report.gapMax, receipt.gapMax) }
            }
            return report
        }
    }

    private func observe(_ network: ElectionNetwork, _ state: State) {
        network.onMark = { [unowned network] mark in
            if mark == Self.stall { return stallOne(network, state) }
            progress?((network.now - .zero - Self.steadyFor).seconds / 3_600)
            network.network.schedule(.mark(Self.tick), at: network.now + .seconds(60))
        }
        network.onAction = { [unowned network] action, host in
            switch action {
            case .pull(_, isWanted: true): state.report.falsePulls += 1
            case .alarm(.leaderChanged(let name, let leader, _)):
                guard let stream = network.zone.streams.firstIndex(where: { $0.name == name }) else { return }
                let isFirst = leader == network.zone.streams[stream].candidates[0]
                let isOwn =
                    network.now - state.stalledUntil[host] < Self.correctionSpan || state.isAstray[host][stream]
                state.isAstray[host][stream] = !isFirst && isOwn
                if isOwn { state.report.ownCorrections += 1 } else { state.report.falseTakeovers += 1 }
            default: break
            }
        }
    }

    /// Stalls a witness that runs, and schedules the next stall for the end of this one.
    private func stallOne(_ network: ElectionNetwork, _ state: State) {
        let running = network.topology.sets.filter { network.now >= network.hosts[$0].node.pausedUntil }
        let span = TimeSpan.milliseconds(500) + network.random.time(upTo: .milliseconds(4_500))
        network.network.schedule(.mark(Self.stall), at: network.now + span)
        guard !running.isEmpty else { return }
        let witness = network.random.pick(running)
        network.network.pause(network.hosts[witness].node, until: network.now + span)
        state.stalledUntil[witness] = network.now + span
        state.report.stalls += 1
    }
}
