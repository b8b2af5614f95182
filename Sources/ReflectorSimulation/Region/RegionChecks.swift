import ReflectorModel
import RelayCore

/// How long each state that must not last has lasted.
final class RegionChecks {
    private let network: RegionNetwork
    /// For each region, for each stream: since when two members lead it that run, reach each other, and were left alone.
    private var twoLeaders: [[MonotonicInstant?]]
    /// The same: since when it is not exactly one member that leads it, or fetches it from outside.
    private var notOneLeader: [[MonotonicInstant?]]
    private var notOneCopy: [[MonotonicInstant?]]
    /// The longest time with two leaders.
    private(set) var twoLeadersMax = TimeSpan.zero

    /// Two leaders of one slot find each other out within this time.
    static let twoLeadersBound = TimeSpan.milliseconds(1_500)
    /// In a steady state, two copies are fetched for no longer than a change of leaders takes.
    static let copiesBound = TimeSpan.seconds(3)

    init(_ network: RegionNetwork) {
        self.network = network
        let none: [MonotonicInstant?] = network.zone.streams.map { _ in nil }
        twoLeaders = network.regions.map { _ in none }
        (notOneLeader, notOneCopy) = (twoLeaders, twoLeaders)
    }

    /// Called at regular intervals.
    func inspect() {
        for region in twoLeaders.indices {
            for stream in twoLeaders[region].indices { inspect(region, stream) }
        }
    }

    private func inspect(_ region: Int, _ stream: Int) {
        let leaders = network.leaders(of: stream, in: region).filter { network.isRunning($0) }
        guard let since = since(leaders) else {
            twoLeaders[region][stream] = nil
            return
        }
        let start = max(twoLeaders[region][stream] ?? network.now, since)
        twoLeaders[region][stream] = start
        let span = network.now - start
        twoLeadersMax = max(twoLeadersMax, span)
        if span >= Self.twoLeadersBound {
            twoLeaders[region][stream] = network.now
            network.violate(
                "\(names(leaders)) lead \(network.zone.streams[stream].name) for \(span.milliseconds) ms")
        }
    }

    /// Since when two of these members have been able to hear each other; nil if there are no such two.
    private func since(_ leaders: [Int]) -> MonotonicInstant? {
        for (place, a) in leaders.enumerated() {
            for b in leaders[(place + 1)...] where network.canReach(a, b) {
                return max(network.disturbedAt[a], network.disturbedAt[b])
            }
        }
        return nil
    }

    /// Called at regular intervals after the faults, once everything has had time to settle.
    func inspectSteadyState() {
        for (region, members) in network.regions.enumerated() {
            for stream in notOneLeader[region].indices { inspectSteadyState(region, members, stream) }
        }
    }

    private func inspectSteadyState(_ region: Int, _ members: [Int], _ stream: Int) {
        let name = network.zone.streams[stream].name
        let least = network.needs(stream, region) ? 1 : 0
        let fetchers = network.fetchers(of: stream, in: region)
        check(
            (least...1).contains(fetchers.count), &notOneCopy[region][stream],
            "\(name) is fetched from outside \(network.name(of: members[0]))'s region by \(names(fetchers))")
        // A host alone has nobody to lead.
        guard members.count > 1 else { return }
        let leaders = network.leaders(of: stream, in: region)
        check(
            (least...1).contains(leaders.count), &notOneLeader[region][stream],
            "\(name) is led in \(network.name(of: members[0]))'s region by \(names(leaders))")
    }

    private func check(_ isGood: Bool, _ since: inout MonotonicInstant?, _ text: @autoclosure () -> String) {
        guard !isGood else { return since = nil }
        let start = since ?? network.now
        since = start
        if network.now - start >= Self.copiesBound {
            network.violate(text() + " for \((network.now - start).milliseconds) ms")
            since = network.now
        }
    }

    /// Every edge gets every stream that its viewers want.
    func checkFlow() {
        for (stream, edges) in network.wanted.enumerated() {
            for edge in edges {
                guard let receipt = network.receivers[edge]?.receipts[stream], let lastAt = receipt.lastAt,
                    network.now - lastAt < .milliseconds(500)
                else {
                    network.violate("\(network.name(of: edge)) does not get \(network.zone.streams[stream].name)")
                    continue
                }
            }
        }
    }

    private func names(_ hosts: [Int]) -> String {
        hosts.isEmpty ? "nobody" : hosts.map { network.name(of: $0) }.joined(separator: ", ")
    }
}
