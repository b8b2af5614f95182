import ReflectorModel
import RelayCore

/// What edges notice when a host of a set region fails. One failure a run.
public struct SetRegionFailures {
    public enum Failure: String, CaseIterable, Sendable {
        case killLead = "kill -9 of the lead set"
        case stopLead = "SIGSTOP of the lead set"
        case terminateLead = "SIGTERM of the lead set"
        case cutLeadFromWAN = "WAN cut of the lead set"
        case cutLeadFromLAN = "LAN cut of the lead set"
        case killServing = "kill -9 of a serving set"
        case cutServingFromLAN = "LAN cut of a serving set"
    }

    /// Hosts of the set region, single edges that it serves, and streams, which all edges want.
    public var members = 3
    public var edges = 6
    public var streams = 2
    public var trace: ((String) -> Void)?

    private static let steadyFor = TimeSpan.seconds(8)
    private static let span = TimeSpan.seconds(8)

    public init() {}

    /// The report has the gaps and losses of all edges. Edges may reach a set reflector that is cut off from its LAN, and
    /// cannot reach one that is cut off from the world.
    public func run(_ failure: Failure, seed: UInt64) -> RegionRunReport {
        var options = RegionNetwork.Options(seed: seed)
        (options.streams, options.packetsPerSecond) = (streams, 100)
        options.setRegions = [members]
        options.edgeRegions = Array(repeating: 1, count: edges)
        let network = RegionNetwork(options)
        network.trace = trace
        let at = MonotonicInstant.zero + Self.steadyFor + network.random.time(upTo: .seconds(1))
        network.network.run(before: at)
        RegionChecks(network).checkFlow()
        let region = network.regions.count - 1
        checkCopies(network, region, except: nil, most: 1, "before the failure")
        let lead = network.leaders(of: 0, in: region).first
        let serving = network.servers(of: 0, in: region).first { $0 != lead }
        guard let host = failure.isOfLead ? lead : serving else {
            // All edges may have chosen the lead set reflector.
            if lead == nil { network.violate("nobody leads stream 0 in the set region") }
            return RegionRunReport(network)
        }
        for receiver in network.receivers { receiver?.measureGaps(from: at) }
        switch failure {
        case .killLead, .killServing: network.schedule(.kill(host), at: at)
        case .stopLead: network.schedule(.stop(host, .seconds(60)), at: at)
        case .terminateLead: network.schedule(.terminate(host), at: at)
        case .cutLeadFromWAN: network.schedule(.cutWAN(host, true), at: at)
        case .cutLeadFromLAN, .cutServingFromLAN: network.schedule(.cutLAN(host, true), at: at)
        }
        let end = at + Self.span
        network.network.run(until: end)
        checkCopies(
            network, region, except: failure.stops ? host : nil, most: failure.splits ? 2 : 1, "after the failure")
        return report(network)
    }

    private func checkCopies(
        _ network: RegionNetwork, _ region: Int, except stopped: Int?, most: Int, _ when: String
    ) {
        for stream in network.zone.streams.indices {
            let fetchers = network.fetchers(of: stream, in: region).filter { $0 != stopped }
            guard !(1...most).contains(fetchers.count) else { continue }
            network.violate("\(fetchers.count) set reflectors fetch stream \(stream) \(when)")
        }
    }

    private func report(_ network: RegionNetwork) -> RegionRunReport {
        let harm = network.checkEdges()
        var report = RegionRunReport(network)
        (report.lost, report.gapMax) = harm
        return report
    }
}

extension SetRegionFailures.Failure {
    fileprivate var isOfLead: Bool { self != .killServing && self != .cutServingFromLAN }
    fileprivate var stops: Bool {
        switch self {
        case .killLead, .stopLead, .terminateLead, .killServing: true
        case .cutLeadFromWAN, .cutLeadFromLAN, .cutServingFromLAN: false
        }
    }
    /// Each part of the region fetches for itself.
    fileprivate var splits: Bool { self == .cutLeadFromLAN || self == .cutServingFromLAN }
}
