import ReflectorModel
import RelayWire

/// Routes the election of entrypoints: what a witness hears and publishes, and what a candidate is told.
extension RelayNode {
    // MARK: Witness

    func isVoting(at now: MonotonicInstant) -> Bool { election.witness?.isVoting(core, at: now) ?? false }

    /// What entrypoints announce here has changed, or a link has failed.
    func noteAnnouncements(at now: MonotonicInstant) {
        guard election.witness != nil else { return }
        election.witness?.noteListChange()
        core.clock.scheduleElection(now)
    }

    /// Evaluates the streams, follows the leaders and publishes them; or decides what to pull.
    func handleElectionTimer(at now: MonotonicInstant) {
        if election.witness != nil { watch(at: now) }
        if election.candidacy != nil { decidePulls(at: now) }
    }

    private func watch(at now: MonotonicInstant) {
        let changes = election.witness?.evaluate(fetcher.directory, fetcher.parents, at: now, &core) ?? []
        drainEvents(at: now)
        for change in changes {
            let hosts = fetcher.directory[.candidates(change.stream)]?.answer?.hosts ?? []
            let leader = change.to.map { id in hosts.first { $0.id == id }?.name ?? id.description }
            core.context.post(.alarm(.leaderChanged(change.stream, to: leader, cause: change.cause.text)))
            guard let stream = core.streams[change.stream] else { continue }
            stream.follow(change.to)
            choosePaths(for: stream, at: now)
        }
        election.witness?.publish(at: now, &core)
        if election.witness?.takeNamesDue(at: now) == true {
            for name in election.witness?.names ?? [] where fetcher.directory[.candidates(name)] != nil {
                fetcher.use(.candidates(name), at: now, &core)
            }
        }
        if let wake = election.witness?.nextTimeout(core, at: now) { core.clock.scheduleElection(wake) }
    }

    // MARK: Candidate

    /// This entrypoint may pull the stream from its encoder. `RelayAction.pull` says when to pull it.
    public func offer(_ name: StreamName, at now: MonotonicInstant) {
        guard election.candidacy?.offer(name, countMax: core.configuration.streamsMax) == true else { return }
        origin?.offer(name)
        fetcher.use(.candidates(name), isCarrying: true, at: now, &core)
        if let answer = fetcher.directory.answer(.candidates(name), at: now) {
            noteCandidates(of: name, answer, at: now)
        }
        core.clock.scheduleElection(now)
    }

    /// The stream is no longer offered.
    public func withdrawOffer(_ name: StreamName, at now: MonotonicInstant) {
        if election.candidacy?.withdraw(name) == true { core.context.post(.pull(name, isWanted: false)) }
        origin?.withdrawOffer(name, at: now, &core)
    }

    /// Who leads a stream for which this entrypoint is a candidate.
    public func leadership(of name: StreamName, at now: MonotonicInstant) -> Leadership {
        guard let answer = fetcher.directory.answer(.candidates(name), at: now), let candidacy = election.candidacy
        else { return Leadership(isLeader: true, leader: nil, rank: nil) }
        return candidacy.leadership(of: name, answer, targets: targetCount, at: now, core)
    }

    func onWitnessReport(_ report: WitnessReport, on link: ParentLink, at now: MonotonicInstant) {
        guard let candidacy = election.candidacy else { return core.context.count(.rejectedUnexpected) }
        if candidacy.onReport(report, on: link, at: now, &core) { core.clock.scheduleElection(now) }
    }

    /// The zone has named a stream's candidates.
    func noteCandidates(of stream: StreamName, _ answer: LookUpAnswer, at now: MonotonicInstant) {
        if election.witness != nil {
            election.witness?.noteChange()
            core.clock.scheduleElection(now)
        }
        guard election.candidacy?.offers.contains(stream) == true else { return }
        if let portset = answer.portset { origin?.learnPortset(portset, ofOffer: stream, at: now, &core) }
        core.clock.scheduleElection(now)
    }

    private func decidePulls(at now: MonotonicInstant) {
        guard let offers = election.candidacy?.offers, !offers.isEmpty else { return }
        _ = election.candidacy?.decide(fetcher.directory, targets: targetCount, at: now, &core)
        core.clock.scheduleElection(now + core.configuration.election.interval)
    }

    /// How many set reflectors the zone names as witnesses.
    private var targetCount: Int { origin?.targets.count ?? 0 }
}
