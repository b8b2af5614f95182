import ReflectorModel
import RelayWire

/// Which hosts may be asked for a stream: parents from the DNS (n1, n2, n3), or else the stream's entrypoints. A node
/// without a region uses the entrypoints; so does a set reflector if its region has no parents or the name servers
/// fail.
extension Fetcher {
    enum Candidates: Equatable {
        /// Look-ups are under way.
        case undecided
        case none(UnavailableReason)
        /// Never empty.
        case list(CandidateList)
    }

    mutating func candidates(for stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) -> Candidates {
        let name = ReflectorName.candidates(stream.name)
        use(name, isCarrying: stream.isCarrying(at: now), at: now, &core)
        if let absence = learnPortset(of: stream, from: name, at: now, &core) {
            return absence == .none(.noSuchStream) ? absence : afterNeighbours(of: stream, absence)
        }
        guard let portset = stream.portset else { return afterNeighbours(of: stream, .none(.noPortset)) }
        if let region = core.configuration.region {
            let parents = candidates(of: region, portset, for: stream, at: now, &core)
            switch parents {
            case .none(.noParents) where isSetReflector: break
            case .none(.nameServersFail) where isSetReflector: break
            default: return afterNeighbours(of: stream, parents)
            }
        }
        return afterNeighbours(of: stream, entrypoints(for: stream, at: now, &core))
    }

    /// The members of the region come first, unless this one leads the stream. Its parents are looked up all the same, so
    /// that each member can lead it at once.
    private func afterNeighbours(of stream: StreamState, _ parents: Candidates) -> Candidates {
        guard !stream.neighbours.isEmpty, parents != .none(.parentsTakenAway) else { return parents }
        let list = CandidateList(stream.neighbours)
        if case .list(let others) = parents { return .list(list.merged(with: others)) }
        return .list(list)
    }

    /// Learns the stream's portset from the zone. If the expected answer does not arrive, the portset that the children
    /// claim serves as a hint. Returns a result if the search for candidates must stop here, else nil.
    private func learnPortset(
        of stream: StreamState, from name: ReflectorName, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Candidates? {
        if let answer = directory.answer(name, at: now) {
            if let portset = answer.portset {
                if stream.portset != portset || stream.isPortsetHint { core.post(.portsetLearned(stream, portset)) }
                stream.learn(portset)
            } else if stream.portset == nil, isSetReflector {
                stream.takePortsetHint()
            }
            return nil
        }
        switch directory.absence(of: name, at: now) {
        case .noSuchName: return .none(.noSuchStream)
        case .full where stream.portset == nil: return .none(.tableFull)
        case .undecided where isEdge: return stream.portset == nil ? .undecided : nil
        case .undecided where directory.isFresh(name, at: now) && !directory.serversAreSilent: return .undecided
        case .failed(let failure) where isEdge: return stream.portset == nil ? .none(.nameServersFail(failure)) : nil
        case .undecided, .failed, .full:
            if stream.portset == nil || stream.isPortsetHint { stream.takePortsetHint() }
            return nil
        }
    }

    /// Parents from the DNS.
    private mutating func candidates(
        of region: RegionID, _ portset: PortsetID, for stream: StreamState, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) -> Candidates {
        var list = CandidateList()
        var leavesOut = false
        var failure: LookUpFailure?
        let isCarrying = stream.isCarrying(at: now)
        for rank in ParentRank.allCases {
            let name = ReflectorName.parents(rank, region, portset)
            use(name, isCarrying: isCarrying, at: now, &core)
            if rank == .first, directory.isUndecided(name, at: now) {
                // A set reflector can use the stream's entrypoints if the name servers are silent.
                if isEdge || directory.isFresh(name, at: now) { return .undecided }
            }
            guard let answer = directory.answer(name, at: now) else {
                if case .failed(let cause) = directory.absence(of: name, at: now) { failure = failure ?? cause }
                if rank == .first, directory[name] == nil { return .none(.tableFull) }
                continue
            }
            // An explicit "none" in n1 applies to all three ranks: earlier answers for n2 and n3 are void too.
            if rank == .first, answer.hosts.isEmpty { return .none(.parentsTakenAway) }
            let parents = parents(rank, region, portset)
            list.add(parents, except: core.context.id)
            if parents.isEmpty, !answer.hosts.isEmpty { leavesOut = true }
        }
        if !list.isEmpty { return .list(list) }
        if leavesOut { return .none(.noCommonFamily) }
        return .none(failure.map { .nameServersFail($0) } ?? .noParents)
    }

    /// The stream's entrypoints. If children resume an incarnation that nobody has announced to this node, and the
    /// witness names no leader yet, the entrypoints that have announced nothing yet come first: one of them must have it.
    ///
    /// Any entrypoint can announce any stream. So an announcement counts only if its sender's name and address
    /// match a candidate in the zone, or in the zone's last good answer if the name servers are silent. If there never
    /// was an answer, the announcements alone decide, because the loss of the control plane must not stop data.
    private mutating func entrypoints(
        for stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Candidates {
        let name = ReflectorName.candidates(stream.name)
        let listed = directory.answer(name, at: now)
        let isUnknowable = listed == nil && (directory.serversAreSilent || !directory.isUndecided(name, at: now))
        if listed == nil, !isUnknowable { return .undecided }
        if isSetReflector, let portset = stream.portset {
            // The peers that may help if no entrypoint can be reached, looked up beforehand.
            use(.rootSets(portset), isCarrying: stream.isCarrying(at: now), at: now, &core)
        }
        let (announced, resumed) = announced(stream, listed, at: now, &core)
        // Only the zone's list can rank several announcers. Without it, the one whose packets the children received
        // before comes first.
        let resumesUnheard =
            resumed == nil && stream.incarnation == nil && stream.leader == nil
            && stream.children.contains { $0.start.isResume }
        if announced.count > 1 || resumesUnheard, directory.isFresh(name, at: now) { return .undecided }
        var list = CandidateList.entrypoints(
            announced: announced, listed: listed, cause: name.description, by: directory.addressOrder,
            isServing: { stream.paths.isServed(by: $0) }, resumed: resumed, leader: stream.leader,
            isUnheard: { host in
                resumesUnheard && !core.links.announcers.contains { core.links.children[$0]?.name == host }
            })
        if lacksSource(announced, at: now, core) {
            list = peers(of: stream, at: now, core).merged(with: list)
        }
        if !list.isEmpty { return .list(list) }
        switch directory.absence(of: name, at: now) {
        case .undecided: return listed == nil ? .undecided : .none(.noSource)
        case .noSuchName: return .none(.noSuchStream)
        case .failed(let failure): return .none(.nameServersFail(failure))
        case .full: return .none(.tableFull)
        }
    }

    /// The entrypoints whose announcements of the stream are valid, and the one whose incarnation the children resume.
    private func announced(
        _ stream: StreamState, _ listed: LookUpAnswer?, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> (list: [ParentCandidate], resumed: String?) {
        var list: [ParentCandidate] = []
        var resumed: String?
        for slot in core.links.announcers {
            guard let link = core.links.children[slot], let announced = link.announcements,
                let item = announced[stream.name], now - announced.heardAt <= core.configuration.heartbeatSilenceMax,
                isCandidate(link, of: stream, listed, &core)
            else { continue }
            switch item.supply {
            case .able, .withdrawn: continue
            // Its encoder is lost: it serves no longer than until another one has the stream.
            case .lapsed where stream.leader != nil && stream.leader != link.node: continue
            case .lapsed, .live: break
            }
            let tag = IncarnationTag(stream: stream.name, source: link.node, incarnation: item.incarnation)
            if stream.children.contains(where: { $0.start.resumedTag == tag }) { resumed = link.name }
            list.append(
                ParentCandidate(
                    name: link.name, endpoint: link.endpoint, rank: 0, cause: "announcement", answer: nil,
                    serial: listed?.serial, isUnconfirmed: listed == nil))
        }
        return (list, resumed)
    }

    /// Whether the zone names the announcing node as a candidate for the stream, at the address from which it
    /// announces. True if there is no answer from the zone.
    private func isCandidate(
        _ link: ChildLink, of stream: StreamState, _ listed: LookUpAnswer?, _ core: inout NodeCore
    ) -> Bool {
        guard let listed else {
            if link.announcements?.isConfirmed == false { core.context.count(.announcementsUnconfirmed) }
            return true
        }
        let isListed = link.isListed(in: listed)
        if isListed {
            if link.announcements?.isConfirmed == false { core.post(.announcerListed(link)) }
        } else if link.announcements?[stream.name]?.isRefused == false {
            core.post(.announcementContradicted(link, stream.name))
        }
        return isListed
    }

    /// Whether every entrypoint that announces the stream here has failed as a parent, or none announces it. Not right
    /// after the start, while announcements may still be on their way.
    private func lacksSource(
        _ announced: [ParentCandidate], at now: MonotonicInstant, _ core: borrowing NodeCore
    ) -> Bool {
        isSetReflector && now - core.clock.startedAt >= Self.announcementsAwaited
            && announced.allSatisfy { parents.isAvoided($0.endpoint, at: now) }
    }

    private static var announcementsAwaited: TimeSpan { .seconds(2) }

    /// The other root set reflectors of the stream's portset: one of them may reach an entrypoint that this node cannot
    /// reach. The path in the Subscribe prevents loops.
    private func peers(of stream: StreamState, at now: MonotonicInstant, _ core: borrowing NodeCore) -> CandidateList {
        guard let portset = stream.portset, let answer = directory.answer(.rootSets(portset), at: now) else {
            return CandidateList()
        }
        // Other members of the set region that this node hears are asked as members, or lead in its place.
        let heard = core.configuration.neighbours.filter { core.links.parent(at: $0.endpoint)?.isAlive == true }
        let others = answer.hosts(by: directory.addressOrder).filter { found in
            found.host.id != core.context.id && !heard.contains { $0.id == found.host.id }
        }
        return CandidateList(
            others.map { found in
                ParentCandidate(
                    name: found.host.name, endpoint: found.host.endpoint, others: found.others, rank: 0,
                    cause: "peer", answer: answer.text.joined(separator: " "), serial: answer.serial, isPeer: true)
            })
    }

    /// An entrypoint has begun to announce the stream: an earlier refusal by it no longer counts.
    func noteAnnounced(_ stream: StreamState, by link: ChildLink) {
        stream.candidates.forgetRefusal(by: link.endpoint)
    }

    /// Looks up the candidates of announced streams before anybody wants the streams. Then nobody has to wait for the
    /// answer, and there is a last good answer to use if the name servers fall silent.
    mutating func lookUpCandidates(
        of page: Announce, on link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        for entry in page.entries where entry.supply != .withdrawn {
            let name = ReflectorName.candidates(entry.stream)
            guard directory[name] == nil else { continue }
            guard link.mayBringUpName(core.configuration, at: now) else { return }
            use(name, at: now, &core)
        }
    }

    /// True if the zone omits a parent from its answer only because probes find it dead.
    func seemsDead(_ candidate: ParentCandidate, of stream: StreamState, _ core: borrowing NodeCore) -> Bool {
        guard let rank = ParentRank(rawValue: candidate.rank), let region = core.configuration.region,
            let portset = stream.portset
        else { return false }
        return directory[.parents(rank, region, portset)]?.answer?.seemingDead.contains(candidate.name[...]) ?? false
    }
}

extension Subscribe.Start {
    /// True if the child resumes an incarnation that it has already received in part.
    var isResume: Bool { resumedTag != nil }

    /// The incarnation that the child resumes.
    var resumedTag: IncarnationTag? {
        if case .resume(let tag, _) = self { tag } else { nil }
    }
}
