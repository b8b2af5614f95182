import ReflectorModel
import RelayCore

/// What must hold at every step of an election, and after the faults.
extension ElectionNetwork {
    /// How old the view of a witness may be on which a backup acts.
    private static var voteAgeMax: TimeSpan { .seconds(2) }
    /// A candidate that has run for less than this has not led "again" by the rules, which ask for ten seconds of data.
    private static var failbackMin: TimeSpan { .seconds(9) }

    // MARK: At every step

    /// Checks a witness's new leader.
    func checkLeader(_ name: StreamName, to leader: String?, cause: String, by witness: Int) {
        guard let leader, let index = topology.index(of: leader) else {
            if let leader { violate("\(hosts[witness].node.name): \(name) is led by \(leader), which is no host") }
            return
        }
        if leader == ElectionTopology.stranger { violate("\(hosts[witness].node.name): \(name) is led by a stranger") }
        if cause == "a better candidate is back", now - hosts[index].startedAt < Self.failbackMin {
            violate(
                "\(hosts[witness].node.name): \(name) goes back to \(leader), which started "
                    + "\((now - hosts[index].startedAt).milliseconds) ms ago")
        }
    }

    /// Checks that an entrypoint which begins to pull may do so.
    func checkPull(_ name: StreamName, by entrypoint: Int, unled: UnledTimes) {
        guard let stream = zone.streams.firstIndex(where: { $0.name == name }) else { return }
        let host = hosts[entrypoint].node.name
        if host == ElectionTopology.stranger {
            return violate("\(host) pulls \(name), though the zone does not name it")
        }
        // A backup of a stream with one puller needs two witnesses at least, whichever rule it follows. Its rank by the
        // zone may be old, so every candidate that is first by some recent list is let through.
        guard ElectionTopology.Kind(rawValue: stream) == .coldPull, !unled.wasFirst(host),
            zone.streams[stream].ordered.first != host
        else { return }
        let orphaned = topology.sets.count { unled.isUnled(witness: $0, stream, since: now - Self.voteAgeMax, self) }
        if orphaned < 2 { violate("\(host) begins to pull \(name) on the word of \(orphaned) witnesses") }
    }

    /// Checks from whom set reflectors fetch.
    func checkParents() {
        logPaths()
        for set in topology.sets {
            guard let relay = hosts[set].node.relay, now >= hosts[set].node.pausedUntil else { continue }
            // A set reflector that has never had an answer about the stream must believe announcements, because the loss
            // of the control plane must not stop data.
            for path in relay.snapshot.paths where !path.isUnconfirmed {
                guard let parent = network.node(at: path.parent)?.index else { continue }
                if topology.hosts[parent].name == ElectionTopology.stranger || topology.hosts[parent].role == .edge {
                    violate("\(hosts[set].node.name) fetches \(path.stream) from \(topology.hosts[parent].name)")
                }
            }
        }
    }

    // MARK: After the faults

    /// Checks that all witnesses agree on the best candidate, that as many entrypoints pull as should, and that every
    /// edge gets every stream.
    func checkRecovery() { for problem in recoveryProblems() { violate(problem) } }

    /// What is not as it should be once nothing fails any more.
    func recoveryProblems() -> [String] {
        var problems: [String] = []
        for (stream, listed) in zone.streams.enumerated() {
            let kind = ElectionTopology.Kind(rawValue: stream)
            let feeds = encoders[stream].feeds
            let usable = listed.ordered.filter { name in
                topology.index(of: name).map { feeds[$0].line == .up } ?? false
            }
            guard let best = usable.first else { continue }
            for set in topology.sets {
                let leader = hosts[set].node.relay?.witnessedLeader(of: listed.name)
                guard leader != NodeID(name: best) else { continue }
                let name = listed.candidates.first { NodeID(name: $0) == leader } ?? "nobody that the zone names"
                problems.append("\(hosts[set].node.name): \(listed.name) is led by \(name), not by \(best)")
            }
            let pullers = topology.entrypoints.filter { feeds[$0].isLive }.map { topology.hosts[$0].name }
            switch kind {
            case .coldPull where pullers != [best]:
                problems.append("\(listed.name) is pulled by \(pullers), not by \(best) alone")
            case .coldPullByMany where !pullers.contains(best):
                problems.append("\(listed.name) is not pulled by \(best)")
            default: break
            }
            problems += topology.edges.compactMap { lateness(of: stream, at: $0) }
        }
        return problems
    }

    /// How the stream is late at the edge; nil if it is not.
    private func lateness(of stream: Int, at edge: Int) -> String? {
        guard let receipt = hosts[edge].receiver?.receipts[stream] else { return nil }
        let name = "\(hosts[edge].node.name): \(zone.streams[stream].name)"
        let feed = encoders[stream].feeds.first { $0.session == receipt.session && $0.number > 0 }
        guard let feed, let lastAt = receipt.lastAt else { return "\(name) does not arrive" }
        // A new source starts with older packets and catches up.
        let isCatchingUp = receipt.splicedAt.map { now - $0 < .seconds(3) } ?? false
        if isCatchingUp, now - lastAt < .milliseconds(500) { return nil }
        let behind = feed.number - min(receipt.lastNumber, feed.number)
        guard behind > UInt64(options.packetsPerSecond) || now - lastAt > .seconds(1) else { return nil }
        return "\(name) is \(behind) packets late, the last came \((now - lastAt).milliseconds) ms ago"
    }
}

/// Which witnesses saw no leader, and which candidates were first in a list, not long ago.
struct UnledTimes {
    /// For each host and stream: when a witness last got a leader after it had none.
    private var ledSince: [[MonotonicInstant]]
    private var startedAt: [MonotonicInstant]
    private var first: [String] = []

    init(hosts: Int, streams: Int) {
        ledSince = Array(repeating: Array(repeating: .zero, count: streams), count: hosts)
        startedAt = Array(repeating: .zero, count: hosts)
    }

    mutating func noteLeader(witness: Int, _ stream: Int, at now: MonotonicInstant) { ledSince[witness][stream] = now }

    /// The zone names this candidate first now.
    mutating func noteFirst(_ name: String) { if !first.contains(name) { first.append(name) } }

    func wasFirst(_ name: String) -> Bool { first.contains(name) }

    /// Whether the witness had no leader at some time since the instant, as far as anybody can know.
    func isUnled(witness: Int, _ stream: Int, since: MonotonicInstant, _ network: ElectionNetwork) -> Bool {
        let host = network.hosts[witness]
        guard let relay = host.node.relay, network.now >= host.node.pausedUntil, host.startedAt < since else {
            return true
        }
        return relay.witnessedLeader(of: network.zone.streams[stream].name) == nil || ledSince[witness][stream] >= since
    }
}
