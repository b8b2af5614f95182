import ReflectorModel
import RelayWire

/// The election of entrypoints in a node: a witness hears announcements and publishes leaders, a candidate hears the
/// reports of witnesses and decides what to pull.
extension RelayNode {
    // MARK: Witness

    /// Entrypoints announce streams here.
    var observesStreams: Bool { witness?.names.isEmpty == false }

    /// The entrypoint that leads the stream as this witness sees it. Nil if none does, or if this node is no witness.
    public func witnessedLeader(of name: StreamName) -> NodeID? { witness?.leader(of: name) }

    func isVoting(at now: MonotonicInstant) -> Bool { witness?.isVoting(core, at: now) ?? false }

    /// What entrypoints announce here has changed, or a link has failed.
    func noteAnnouncements(at now: MonotonicInstant) {
        guard witness != nil else { return }
        witness?.noteListChange()
        core.clock.scheduleElection(now)
    }

    /// Evaluates the streams, follows the leaders and publishes them; or decides what to pull.
    func handleElectionTimer(at now: MonotonicInstant) {
        if witness != nil { watch(at: now) }
        if candidacy != nil { decidePulls(at: now) }
    }

    private func watch(at now: MonotonicInstant) {
        let changes = witness?.evaluate(fetcher.directory, fetcher.parents, at: now, &core) ?? []
        for endpoint in witness?.takeReturned() ?? [] { fetcher.noteReachable(endpoint, at: now, &core) }
        drainEvents(at: now)
        for change in changes {
            let leader = change.to.map { hostName(of: $0, in: change.stream) }
            core.context.post(.alarm(.leaderChanged(change.stream, to: leader, cause: change.cause.text)))
            guard let stream = core.streams[change.stream] else { continue }
            stream.follow(change.to)
            choosePaths(for: stream, at: now)
        }
        witness?.publish(at: now, &core)
        if witness?.takeNamesDue(at: now) == true {
            for name in witness?.names ?? [] where fetcher.directory[.candidates(name)] != nil {
                fetcher.use(.candidates(name), at: now, &core)
            }
        }
        if let wake = witness?.nextTimeout(core, at: now) { core.clock.scheduleElection(wake) }
    }

    // MARK: Candidate

    /// This entrypoint may pull the stream from its encoder. `RelayAction.pull` says when to pull it.
    public func offer(_ name: StreamName, at now: MonotonicInstant) {
        guard candidacy?.offer(name, countMax: core.configuration.streamsMax) == true else { return }
        origin?.offer(name)
        fetcher.use(.candidates(name), isCarrying: true, at: now, &core)
        if let answer = fetcher.directory.answer(.candidates(name), at: now) {
            noteCandidates(of: name, answer, at: now)
        }
        core.clock.scheduleElection(now)
    }

    /// The stream is no longer offered.
    public func withdrawOffer(_ name: StreamName, at now: MonotonicInstant) {
        if candidacy?.withdraw(name) == true { core.context.post(.pull(name, isWanted: false)) }
        origin?.withdrawOffer(name, at: now, &core)
    }

    /// Who leads a stream for which this entrypoint is a candidate.
    public func leadership(of name: StreamName, at now: MonotonicInstant) -> Leadership {
        guard let answer = fetcher.directory.answer(.candidates(name), at: now), let candidacy = candidacy
        else { return Leadership(isLeader: true, leader: nil, rank: nil) }
        return candidacy.leadership(of: name, answer, targets: targetCount, at: now, core)
    }

    func onWitnessReport(_ report: WitnessReport, on link: ParentLink, at now: MonotonicInstant) {
        guard let candidacy else { return core.context.count(.rejectedUnexpected) }
        if candidacy.onReport(report, on: link, at: now, &core) { core.clock.scheduleElection(now) }
    }

    /// The zone has named a stream's candidates.
    func noteCandidates(of stream: StreamName, _ answer: LookUpAnswer, at now: MonotonicInstant) {
        if witness != nil {
            witness?.noteChange(of: [stream])
            // Answers for thousands of streams may come one by one: they are evaluated together.
            core.clock.scheduleElection(now + .milliseconds(50))
        }
        guard candidacy?.isOffered(stream) == true else { return }
        if let portset = answer.portset { origin?.learnPortset(portset, ofOffer: stream, at: now, &core) }
        core.clock.scheduleElection(now)
    }

    private func decidePulls(at now: MonotonicInstant) {
        guard let offers = candidacy?.offers, !offers.isEmpty else { return }
        candidacy?.decide(fetcher.directory, targets: targetCount, at: now, &core)
        core.clock.scheduleElection(now + core.configuration.election.interval)
    }

    /// How many set reflectors the zone names as witnesses.
    var targetCount: Int { origin?.targets.count ?? 0 }

    // MARK: Encoders that push while another entrypoint leads

    /// An encoder wants to push the stream. Announces that this entrypoint could provide it, so that the witnesses
    /// report who leads it; nothing is pulled.
    ///
    /// - Parameter answer: the stream's candidates in the zone.
    /// - Returns: true if the witnesses have been asked only now: their reports are under way.
    public func expectPush(of name: StreamName, _ answer: LookUpAnswer, at now: MonotonicInstant) -> Bool {
        guard let portset = answer.portset, core.streams[name]?.origin == nil,
            origin?.isOffered(name) == false
        else { return false }
        origin?.offer(name)
        origin?.learnPortset(portset, ofOffer: name, at: now, &core)
        return true
    }

    /// No push of the stream is expected any more.
    public func withdrawPush(of name: StreamName, at now: MonotonicInstant) {
        guard candidacy?.isOffered(name) != true else { return }
        origin?.withdrawOffer(name, at: now, &core)
    }

    /// Who leads a stream, by the witnesses' reports and an answer of the zone that the node itself need not know.
    public func leadership(of name: StreamName, in answer: LookUpAnswer, at now: MonotonicInstant) -> Leadership {
        guard let candidacy else { return Leadership(isLeader: true, leader: nil, rank: nil) }
        return candidacy.leadership(of: name, answer, targets: targetCount, at: now, core)
    }
}
