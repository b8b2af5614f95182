import ReflectorModel
import RelayCore

/// How long the edges are without a stream when its leading entrypoint, or its encoder, fails. One failure a run.
public struct ElectionGaps {
    public enum Failure: String, CaseIterable, Sendable {
        case warmKill = "warm: killed"
        case warmCut = "warm: cut off"
        case warmClosed = "warm: encoder closes"
        case warmSilent = "warm: encoder silent"
        case coldKill = "cold: killed"
        case coldCut = "cold: cut off"

        var kind: ElectionTopology.Kind {
            switch self {
            case .warmKill, .warmCut, .warmClosed, .warmSilent: .warmPush
            case .coldKill, .coldCut: .coldPull
            }
        }

        /// The targets: median and longest over all runs. A silent encoder is lost after 2 s.
        public var medianMax: TimeSpan {
            switch self {
            case .warmKill: .milliseconds(1_200)
            case .warmCut, .coldKill, .coldCut: .milliseconds(1_500)
            case .warmClosed: .milliseconds(300)
            case .warmSilent: .milliseconds(2_300)
            }
        }

        public var longestMax: TimeSpan {
            switch self {
            case .warmKill, .warmCut: .milliseconds(1_800)
            case .coldKill, .coldCut: .milliseconds(2_500)
            case .warmClosed, .warmSilent: medianMax
            }
        }
    }

    /// The longest gap of one run, over all edges; nil if an edge never got the stream again.
    public struct Result: Sendable {
        public var gap: TimeSpan?
        public var election: ElectionReport
    }

    public init() {}

    private static let packetsPerSecond: Int64 = 50
    private static let steadyFor = TimeSpan.seconds(8)
    private static let span = TimeSpan.seconds(6)

    public func run(_ failure: Failure, seed: UInt64, trace: ((String) -> Void)? = nil) -> Result {
        var options = ElectionNetwork.Options(seed: seed)
        options.packetsPerSecond = Self.packetsPerSecond
        // The encoder's own time to answer is not ours.
        options.answerTime = .zero
        let network = ElectionNetwork(options)
        network.trace = trace
        let stream = failure.kind.rawValue
        let at = MonotonicInstant.zero + Self.steadyFor + network.random.time(upTo: .seconds(1))
        network.network.run(before: at)
        network.checkRecovery()
        guard let leader = network.topology.index(of: network.zone.streams[stream].candidates[0]) else {
            return Result(gap: nil, election: ElectionReport(network))
        }
        for host in network.hosts { host.receiver?.measureGaps(from: at) }
        switch failure {
        case .warmKill, .coldKill: network.schedule(.crash(host: leader), at: at)
        case .warmCut, .coldCut: network.schedule(.partition([leader], isBothWays: true), at: at)
        case .warmClosed: network.schedule(.encoder(stream: stream, entrypoint: leader, .closed), at: at)
        case .warmSilent: network.schedule(.encoder(stream: stream, entrypoint: leader, .silent), at: at)
        }
        let end = at + Self.span
        network.network.run(until: end)
        var gaps: [TimeSpan] = []
        for edge in network.topology.edges {
            guard let receipt = network.hosts[edge].receiver?.receipts[stream], let lastAt = receipt.lastAt,
                end - lastAt < .milliseconds(500)
            else { return Result(gap: nil, election: ElectionReport(network)) }
            gaps.append(receipt.gapMax)
        }
        return Result(gap: gaps.max(), election: ElectionReport(network))
    }
}
