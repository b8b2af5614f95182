import ReflectorModel
import RelayWire

/// What a witness or a candidate reports about the election of a stream's entrypoint.
extension RelayNode {
    /// Nil if this node takes no part in the election of the stream.
    func electionStatus(of name: StreamName, at now: MonotonicInstant) -> ElectionStatus? {
        if let election = witness?[name] {
            return ElectionStatus(
                leader: election.leader.map { hostName(of: $0, in: name) },
                secondsAgo: (now - election.changedAt).seconds, cause: election.cause?.text)
        }
        guard let candidacy, let answer = fetcher.directory.answer(.candidates(name), at: now) else { return nil }
        let leadership = candidacy.leadership(of: name, answer, targets: targetCount, at: now, core)
        guard let rank = leadership.rank else { return nil }
        let supply = core.streams[name]?.origin?.announced ?? .able
        var views: [String: String] = [:]
        for link in core.links.parents.all where link.isForAnnouncing && link.isAlive {
            guard let entry = link.witness[name] else { continue }
            views[link.peerName] = entry.leader.map { hostName(of: $0, in: name) } ?? "nobody"
        }
        return ElectionStatus(
            leader: leadership.leader, rank: rank, supply: "\(supply)",
            isPulling: candidacy.isOffered(name) ? candidacy.isPulling(name) : nil, witnesses: views)
    }

    /// Streams that this entrypoint could provide but does not have now.
    func standbyStatus(at now: MonotonicInstant) -> [String: ElectionStatus]? {
        guard let candidacy else { return nil }
        var standbys: [String: ElectionStatus] = [:]
        for name in candidacy.offers.prefix(Self.standbysMax) where core.streams[name]?.origin == nil {
            standbys[name.text] = electionStatus(of: name, at: now)
        }
        return standbys.isEmpty ? nil : standbys
    }

    /// Maximum number of standbys in one status.
    private static let standbysMax = 256
}
