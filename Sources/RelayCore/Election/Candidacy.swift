import ReflectorModel
import RelayWire

/// An entrypoint in its part as a candidate for streams: which streams it could pull, and which of them it pulls now.
/// Ranks come from the zone, everything else from the witnesses' reports, which are kept with the links to them.
struct Candidacy {
    private var decisions: [StreamName: PullDecision] = [:]
    /// The streams that this node could pull, sorted.
    private(set) var offers: [StreamName] = []

    // MARK: Offers

    /// False if there are too many, or if the stream is offered already.
    mutating func offer(_ stream: StreamName, countMax: Int) -> Bool {
        guard decisions[stream] == nil, offers.count < countMax else { return false }
        decisions[stream] = PullDecision()
        offers.append(stream)
        offers.sort()
        return true
    }

    /// True if the stream was pulled.
    mutating func withdraw(_ stream: StreamName) -> Bool {
        offers.removeAll { $0 == stream }
        return decisions.removeValue(forKey: stream)?.isPulling ?? false
    }

    func isOffered(_ stream: StreamName) -> Bool { decisions[stream] != nil }
    func isPulling(_ stream: StreamName) -> Bool { decisions[stream]?.isPulling ?? false }

    // MARK: What witnesses say

    /// Takes a page of a witness's report. True if the report is complete and new.
    func onReport(_ page: WitnessReport, on link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) -> Bool
    {
        guard link.isForAnnouncing, link.peer?.role == .set else {
            core.context.count(.witnessReportsRefused)
            return false
        }
        switch link.witness.take(page, countMax: core.configuration.announcementsPerLinkMax) {
        case .incomplete: return false
        case .tooLarge:
            core.context.count(.witnessReportsRefused)
            return false
        case .changed:
            core.context.count(.witnessReportsReceived)
            return true
        }
    }

    func onReply(_ reply: HeartbeatReply, on link: ParentLink, at now: MonotonicInstant) {
        link.witness.noteReply(isVoting: reply.isVoting, at: now)
    }

    /// The witnesses whose reports count as votes now, each once.
    private func voters(at now: MonotonicInstant, _ core: borrowing NodeCore) -> [ParentLink] {
        let silenceMax = core.configuration.heartbeatSilenceMax
        var names = Set<String>()
        return core.links.parents.all.filter { link in
            link.isForAnnouncing && link.isAlive && link.witness.isVoting(silenceMax, at: now)
                && names.insert(link.peerName).inserted
        }
    }

    /// The votes on a stream. A leader that the zone does not name as a candidate is no vote.
    ///
    /// - Parameters:
    ///   - ranks: the candidates in the order of the zone.
    ///   - targets: how many witnesses the zone names.
    private func votes(
        of voters: [ParentLink], on stream: StreamName, ranks: [NodeID], targets: Int
    ) -> PullDecision.Votes {
        var votes = PullDecision.Votes(configured: targets, heard: voters.count)
        for link in voters {
            guard let entry = link.witness[stream] else { continue }
            if let leader = entry.leader {
                if let place = ranks.firstIndex(of: leader) { votes.leaders.append(place + 1) }
            } else {
                votes.orphaned += 1
                if entry.hasSubscribers { votes.orphanedWithSubscribers += 1 }
            }
        }
        return votes
    }

    /// The candidates in the order of the zone.
    static func ranks(_ answer: LookUpAnswer) -> [NodeID] {
        var ranks: [NodeID] = []
        for host in answer.hosts where !ranks.contains(host.id) { ranks.append(host.id) }
        return ranks
    }

    // MARK: Decisions

    /// Decides for every offered stream whether to pull it, and tells the shell what changes.
    mutating func decide(
        _ directory: borrowing ParentDirectory, targets: Int, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        let voters = voters(at: now, core)
        for stream in offers {
            // Without an answer of the zone nothing changes: what is pulled stays so.
            guard let answer = directory.answer(.candidates(stream), at: now), var decision = decisions[stream] else {
                continue
            }
            let ranks = Self.ranks(answer)
            let rank = ranks.firstIndex(of: core.context.id).map { $0 + 1 }
            let votes = votes(of: voters, on: stream, ranks: ranks, targets: targets)
            let isLive =
                core.streams[stream]?.origin?.supply(silenceMax: core.configuration.encoderSilenceMax, at: now) == .live
            if decision.decide(
                rank: rank, answer.policy, votes, isLive: isLive, core.configuration.election, at: now)
            {
                core.context.count(decision.isPulling ? .pullsBegun : .pullsEnded)
                core.context.post(.pull(stream, isWanted: decision.isPulling))
            }
            decisions[stream] = decision
        }
    }

    /// Who leads the stream by the votes: the candidate that most of them name.
    func leadership(
        of stream: StreamName, _ answer: LookUpAnswer, targets: Int, at now: MonotonicInstant,
        _ core: borrowing NodeCore
    ) -> Leadership {
        let ranks = Self.ranks(answer)
        let own = ranks.firstIndex(of: core.context.id).map { $0 + 1 }
        let votes = votes(of: voters(at: now, core), on: stream, ranks: ranks, targets: targets)
        let named = ranks.indices.map { place in (rank: place + 1, count: votes.leaders.count { $0 == place + 1 }) }
        let leading = named.max { ($0.count, -$0.rank) < ($1.count, -$1.rank) }
        guard let leading, leading.count > votes.heard / 2 else {
            return Leadership(isLeader: true, leader: nil, rank: own)
        }
        let name = answer.hosts.first { $0.id == ranks[leading.rank - 1] }?.name
        return Leadership(isLeader: leading.rank == own, leader: name, rank: own)
    }
}
