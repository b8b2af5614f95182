import ReflectorModel
import RelayCore

/// What the members of a region notice when the leader of their streams fails. One failure a run.
public struct RegionFailures {
    public enum Failure: String, CaseIterable, Sendable {
        case kill = "kill -9 of the leader"
        case stop = "SIGSTOP of the leader"
        case terminate = "SIGTERM of the leader"
        case lanCut = "LAN cut of the leader"
        case wanCut = "WAN cut of the leader"
        case setKill = "kill -9 of its parent"
        case killWithoutNames = "kill -9, no name server"
        case sleep = "a leader asleep for 20 s"
    }

    /// Members of the region, and their streams; all of them want all streams.
    public var members = 3
    public var streams = 12
    public var trace: ((String) -> Void)?

    private static let steadyFor = TimeSpan.seconds(8)
    private static let span = TimeSpan.seconds(8)
    /// Longer than a lease. The leader's own viewers must get their streams again soon after it.
    private static let sleepFor = TimeSpan.seconds(20)
    private static let wakeUpMax = TimeSpan.seconds(1)

    public init() {}

    /// The leader fails at a random instant. The report has the gaps and losses of all edges that run on; a member that
    /// is cut off, too, must go on.
    public func run(_ failure: Failure, seed: UInt64) -> RegionRunReport {
        var options = RegionNetwork.Options(seed: seed)
        (options.members, options.streams, options.packetsPerSecond) = (members, streams, 100)
        let network = RegionNetwork(options)
        network.trace = trace
        let at = MonotonicInstant.zero + Self.steadyFor + network.random.time(upTo: .seconds(1))
        network.network.run(before: at)
        let checks = RegionChecks(network)
        checks.checkFlow()
        for stream in network.zone.streams.indices where network.fetchers(of: stream).count != 1 {
            network.violate("\(network.fetchers(of: stream).count) members fetch stream \(stream) before the failure")
        }
        guard let leader = network.leaders(of: 0).first else {
            network.violate("nobody leads stream 0")
            return RegionRunReport(network)
        }
        for receiver in network.receivers { receiver?.measureGaps(from: at) }
        if failure == .killWithoutNames { network.schedule(.nameServers(isDown: true), at: at - .seconds(2)) }
        let stopped: Int?
        switch failure {
        case .kill, .killWithoutNames: (stopped, _) = (leader, network.schedule(.kill(leader), at: at))
        case .stop: (stopped, _) = (leader, network.schedule(.stop(leader, .seconds(60)), at: at))
        case .terminate: (stopped, _) = (leader, network.schedule(.terminate(leader), at: at))
        case .sleep: (stopped, _) = (leader, network.schedule(.stop(leader, Self.sleepFor), at: at))
        case .lanCut: (stopped, _) = (nil, network.schedule(.cutLAN(leader, true), at: at))
        case .wanCut: (stopped, _) = (nil, network.schedule(.cutWAN(leader, true), at: at))
        case .setKill: (stopped, _) = (nil, network.schedule(.kill(network.sets[0]), at: at))
        }
        if failure == .sleep {
            network.network.run(until: at + Self.sleepFor + Self.wakeUpMax)
            checks.checkFlow()
        }
        let end = max(at + Self.span, network.now)
        network.network.run(until: end)
        return finish(network, except: stopped, leader: leader, failure, at: end)
    }

    private func finish(
        _ network: RegionNetwork, except stopped: Int?, leader: Int, _ failure: Failure, at end: MonotonicInstant
    ) -> RegionRunReport {
        let harm = network.checkEdges(except: stopped)
        // A member that is cut off from the others fetches for itself.
        let copies = failure == .lanCut ? 2 : 1
        for stream in network.zone.streams.indices {
            let fetchers = network.fetchers(of: stream).filter { $0 != stopped }
            if fetchers.count != copies, !(failure == .lanCut && fetchers.count == 1) {
                network.violate(
                    "\(fetchers.count) members fetch stream \(stream) \(Self.span.milliseconds) ms after the failure")
            }
        }
        var report = RegionRunReport(network)
        (report.lost, report.gapMax) = harm
        return report
    }
}
