import ReflectorModel
import RelayWire

/// Which hosts may be asked for a stream: parents by the DNS (n1, n2, n3), or, where a set region has none, the stream's
/// entrypoints.
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
        if let absence = learnPortset(of: stream, from: name, at: now, &core) { return absence }
        guard let portset = stream.portset else { return .none(.noPortset) }
        if let region = core.configuration.region {
            let parents = candidates(of: region, portset, for: stream, at: now, &core)
            switch parents {
            case .none(.noParents) where isSetReflector: break
            case .none(.nameServersFail) where isSetReflector: break
            default: return parents
            }
        }
        return entrypoints(for: stream, at: now, &core)
    }

    /// The zone says which portset a stream has. What children say is a hint, for as long as no answer comes although it
    /// should have. Returns what to do where neither is known.
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

    /// Parents by the DNS.
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
                // A set reflector has its entrypoints to go by, if the name servers are silent.
                if isEdge || directory.isFresh(name, at: now) { return .undecided }
            }
            guard let answer = directory.answer(name, at: now) else {
                if case .failed(let cause) = directory.absence(of: name, at: now) { failure = failure ?? cause }
                if rank == .first, directory[name] == nil { return .none(.tableFull) }
                continue
            }
            // An explicit "none" stands for all three ranks: what n2 and n3 answered before is over too.
            if rank == .first, answer.hosts.isEmpty { return .none(.parentsTakenAway) }
            let isReachable = list.add(
                answer, of: rank, region, portset, by: directory.addressOrder, except: core.context.id)
            if !isReachable { leavesOut = true }
        }
        if !list.isEmpty { return .list(list) }
        if leavesOut { return .none(.noCommonFamily) }
        return .none(failure.map { .nameServersFail($0) } ?? .noParents)
    }

    /// The stream's entrypoints. Where children resume an incarnation that nobody has announced here, those not heard of
    /// yet come first: one of them must have it.
    ///
    /// Whoever has the network key can announce: an announcement counts only from the name and address of a candidate as
    /// the zone has them, by its last good answer if the name servers are silent. Where there never was one, the control
    /// plane is lost, which must not stop data: then the announcement is all there is.
    private func entrypoints(
        for stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Candidates {
        let name = ReflectorName.candidates(stream.name)
        let listed = directory.answer(name, at: now)
        let isUnknowable = listed == nil && (directory.serversAreSilent || !directory.isUndecided(name, at: now))
        if listed == nil, !isUnknowable { return .undecided }
        let (announced, resumed) = announced(stream, listed, at: now, &core)
        // Only the zone says which of several comes first; without it, the one whose packets the children had does.
        let resumesUnheard =
            resumed == nil && stream.incarnation == nil && stream.children.contains { $0.start.isResume }
        if announced.count > 1 || resumesUnheard, directory.isFresh(name, at: now) { return .undecided }
        let serving = stream.paths.all.filter { $0.state != .joining }.map(\.link.endpoint)
        let list = CandidateList.entrypoints(
            announced: announced, listed: listed, cause: name.description, by: directory.addressOrder,
            serving: serving, resumed: resumed,
            isUnheard: { host in
                resumesUnheard && !core.links.announcers.contains { core.links.children[$0]?.name == host }
            })
        if !list.isEmpty { return .list(list) }
        switch directory.absence(of: name, at: now) {
        case .undecided: return listed == nil ? .undecided : .none(.noSource)
        case .noSuchName: return .none(.noSuchStream)
        case .failed(let failure): return .none(.nameServersFail(failure))
        case .full: return .none(.tableFull)
        }
    }

    /// The entrypoints that announce the stream and count, and the one whose incarnation children resume.
    private func announced(
        _ stream: StreamState, _ listed: LookUpAnswer?, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> (list: [ParentCandidate], resumed: String?) {
        var list: [ParentCandidate] = []
        var resumed: String?
        for slot in core.links.announcers {
            guard let link = core.links.children[slot], let announced = link.announcements,
                let item = announced[stream.name], now - announced.heardAt <= core.configuration.heartbeatInterval * 3,
                isCandidate(link, of: stream, listed, &core)
            else { continue }
            let tag = IncarnationTag(stream: stream.name, source: link.node, incarnation: item.incarnation)
            if stream.children.contains(where: { $0.start.resumedTag == tag }) { resumed = link.name }
            list.append(
                ParentCandidate(
                    name: link.name, endpoint: link.endpoint, rank: 0, cause: "announcement", answer: nil,
                    serial: listed?.serial))
        }
        return (list, resumed)
    }

    /// Whether the zone names the announcing node as a candidate of the stream, at the address that it announces from.
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

    /// True if the zone leaves a parent out of its answer only because probes find it dead.
    func seemsDead(_ candidate: ParentCandidate, of stream: StreamState, _ core: borrowing NodeCore) -> Bool {
        guard let rank = ParentRank(rawValue: candidate.rank), let region = core.configuration.region,
            let portset = stream.portset
        else { return false }
        return directory[.parents(rank, region, portset)]?.answer?.seemingDead.contains(candidate.name[...]) ?? false
    }
}

extension Subscribe.Start {
    /// It continues what the child has begun.
    var isResume: Bool { resumedTag != nil }

    /// The incarnation that the child has begun.
    var resumedTag: IncarnationTag? {
        if case .resume(let tag, _) = self { tag } else { nil }
    }
}
