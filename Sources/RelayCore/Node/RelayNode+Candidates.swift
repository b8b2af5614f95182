import ReflectorModel
import RelayWire

/// Whom to ask for a stream: parents by the DNS (n1, n2, n3), or, where a set region has none, the stream's entrypoints.
extension RelayNode {
    enum Candidates: Equatable {
        /// Look-ups are under way.
        case undecided
        case none(UnavailableReason)
        /// Best first; never empty.
        case list([ParentCandidate])
    }

    func candidates(for stream: StreamState, at now: MonotonicInstant) -> Candidates {
        let name = ReflectorName.candidates(stream.name)
        use(name, isCarrying: stream.isCarrying(at: now), at: now)
        if let absence = learnPortset(of: stream, from: name, at: now) { return absence }
        guard let portset = stream.portset else { return .none(.noPortset) }
        if let region = configuration.region {
            let parents = parents(of: region, portset, for: stream, at: now)
            switch parents {
            case .none(.noParents) where isSetReflector: break
            case .none(.nameServersFail) where isSetReflector: break
            default: return parents
            }
        }
        return entrypoints(for: stream, at: now)
    }

    /// The zone says which portset a stream has. What children say is a hint, for as long as no answer comes although it
    /// should have. Returns what to do where neither is known.
    private func learnPortset(
        of stream: StreamState, from name: ReflectorName, at now: MonotonicInstant
    ) -> Candidates? {
        if let answer = directory.answer(name, at: now) {
            if let portset = answer.portset {
                if stream.portset != portset || stream.isPortsetHint {
                    correctClaims(of: stream, portset, at: now)
                }
                stream.portset = portset
                stream.isPortsetHint = false
            } else if stream.portset == nil, isSetReflector {
                stream.takePortsetHint()
            }
            return nil
        }
        switch directory.absence(of: name, at: now) {
        case .noSuchName: return .none(.noSuchStream)
        case .full where stream.portset == nil: return .none(.tableFull)
        case .undecided where playOut != nil:
            return stream.portset == nil ? .undecided : nil
        case .undecided where directory.isFresh(name, at: now) && !directory.serversAreSilent:
            return .undecided
        case .failed(let failure) where playOut != nil:
            return stream.portset == nil ? .none(.nameServersFail(failure)) : nil
        case .undecided, .failed, .full:
            if stream.portset == nil || stream.isPortsetHint { stream.takePortsetHint() }
            return nil
        }
    }

    /// Children that say another portset than the zone: counted, and told now and then.
    private func correctClaims(of stream: StreamState, _ portset: PortsetID, at now: MonotonicInstant) {
        for child in stream.children { core.checkClaim(of: child, stream, zone: portset, at: now) }
    }

    private func parents(
        of region: RegionID, _ portset: PortsetID, for stream: StreamState, at now: MonotonicInstant
    ) -> Candidates {
        var list: [ParentCandidate] = []
        var leavesOut = false
        var failure: LookUpFailure?
        let isCarrying = stream.isCarrying(at: now)
        for rank in ParentRank.allCases {
            let name = ReflectorName.parents(rank, region, portset)
            use(name, isCarrying: isCarrying, at: now)
            if rank == .first, directory.isUndecided(name, at: now) {
                // A set reflector has its entrypoints to go by, if the name servers are silent.
                if playOut != nil || directory.isFresh(name, at: now) { return .undecided }
            }
            guard let answer = directory.answer(name, at: now) else {
                if case .failed(let cause) = directory.absence(of: name, at: now) {
                    failure = failure ?? cause
                }
                if rank == .first, directory[name] == nil { return .none(.tableFull) }
                continue
            }
            // Said in so many words, and it stands for all three: what n2 and n3 answered before is over too.
            if rank == .first, answer.hosts.isEmpty { return .none(.parentsTakenAway) }
            let ranked = answer.ranked(region: region, portset: portset, by: directory.addressOrder)
            if ranked.isEmpty, !answer.hosts.isEmpty { leavesOut = true }
            for found in ranked where found.host.id != id {
                guard !list.contains(where: { $0.endpoint == found.host.endpoint }) else { continue }
                list.append(
                    ParentCandidate(
                        name: found.host.name, endpoint: found.host.endpoint, others: found.others,
                        rank: rank.rawValue, cause: name.description,
                        answer: answer.text.joined(separator: " "),
                        serial: answer.serial))
            }
        }
        if !list.isEmpty { return .list(list) }
        if leavesOut { return .none(.noCommonFamily) }
        return .none(failure.map { .nameServersFail($0) } ?? .noParents)
    }

    /// Announced ones in the order of the stream's candidate list, then those that did not announce: a relay that lacks
    /// the announcement asks them itself (design §7). One that serves us needs no announcement. If children resume an
    /// incarnation that nobody has announced here, those not heard of yet come first: one of them must have it.
    ///
    /// Whoever has the network key can announce: it counts only from the name and address of a candidate as the zone has
    /// them, by its last good answer if the name servers are silent. Where there never was one, the control plane is
    /// lost, which must not stop data: then the announcement is all there is.
    private func entrypoints(for stream: StreamState, at now: MonotonicInstant) -> Candidates {
        let name = ReflectorName.candidates(stream.name)
        let listed = directory.answer(name, at: now)
        let isUnknowable =
            listed == nil && (directory.serversAreSilent || !directory.isUndecided(name, at: now))
        if listed == nil, !isUnknowable { return .undecided }
        var announced: [ParentCandidate] = []
        var resumed: String?
        for slot in links.announcers {
            guard let link = links.children[slot], let item = link.announcements?[stream.name],
                let heard = link.heartbeatReceived, now - heard <= configuration.heartbeatInterval * 3
            else { continue }
            guard isCandidate(link, of: stream, listed, at: now) else { continue }
            let tag = IncarnationTag(
                stream: stream.name, source: link.node, incarnation: item.incarnation)
            if isResumed(tag, by: stream.children) { resumed = link.name }
            announced.append(
                ParentCandidate(
                    name: link.name, endpoint: link.endpoint, rank: 0, cause: "announcement", answer: nil,
                    serial: listed?.serial))
        }
        // Which of several is preferred, only the zone says; without it, the one whose packets the children had.
        let isUnheard =
            resumed == nil && stream.incarnation == nil && stream.children.contains { $0.start.isResume }
        if announced.count > 1 || isUnheard, directory.isFresh(name, at: now) { return .undecided }
        let serving = stream.paths.all.filter { $0.state != .joining }.map(\.link.endpoint)
        var silent: [ParentCandidate] = []
        for found in listed?.hosts(by: directory.addressOrder) ?? []
        where !(announced + silent).contains(where: { $0.name == found.host.name }) {
            // One that serves us under another of its addresses is still the same.
            let all = [found.host.endpoint] + found.others
            let endpoint = all.first { serving.contains($0) } ?? found.host.endpoint
            let candidate = ParentCandidate(
                name: found.host.name, endpoint: endpoint, others: all.filter { $0 != endpoint }, rank: 0,
                cause: name.description, answer: listed?.text.joined(separator: " "), serial: listed?.serial
            )
            if serving.contains(endpoint) {
                announced.append(candidate)
            } else {
                silent.append(candidate)
            }
        }
        func place(_ name: String) -> Int {
            listed?.hosts.firstIndex { $0.name == name } ?? (listed == nil && name == resumed ? 0 : .max)
        }
        announced.sort { (place($0.name), $0.name) < (place($1.name), $1.name) }
        let unheard = silent.filter { host in
            isUnheard && !links.announcers.contains { links.children[$0]?.name == host.name }
        }
        let list = unheard + announced + silent.filter { !unheard.contains($0) }
        if !list.isEmpty { return .list(list) }
        switch directory.absence(of: name, at: now) {
        case .undecided: return listed == nil ? .undecided : .none(.noSource)
        case .noSuchName: return .none(.noSuchStream)
        case .failed(let failure): return .none(.nameServersFail(failure))
        case .full: return .none(.tableFull)
        }
    }

    /// Whether the zone names the announcing node as a candidate of the stream, at the address that it announces from.
    private func isCandidate(
        _ link: ChildLink, of stream: StreamState, _ listed: LookUpAnswer?, at now: MonotonicInstant
    ) -> Bool {
        guard let listed else {
            if link.announcements?.isConfirmed == false { context.count(.announcementsUnconfirmed) }
            return true
        }
        let isListed = link.isListed(in: listed)
        if isListed {
            link.announcements?.confirm()
        } else if link.announcements?.noteRefusal(of: stream.name) == true {
            context.count(.announcementsRefused)
            if link.alarms.isDue(at: now) {
                context.post(.alarm(.announcementRefused(stream.name, by: link.name, link.endpoint)))
            }
        }
        return isListed
    }

    private func isResumed(_ tag: IncarnationTag, by children: [ChildSubscription]) -> Bool {
        children.contains { child in
            if case .resume(tag, _) = child.start { true } else { false }
        }
    }

    /// True if the zone leaves a parent out of its answer for no other reason than that probes find it dead.
    func seemsDead(_ candidate: ParentCandidate, of stream: StreamState) -> Bool {
        guard let rank = ParentRank(rawValue: candidate.rank), let region = configuration.region,
            let portset = stream.portset
        else { return false }
        return directory[.parents(rank, region, portset)]?.answer?.seemingDead.contains(
            candidate.name[...]) ?? false
    }

    // MARK: Look-ups

    /// Notes that an answer is needed and asks for it where it is missing or old.
    ///
    /// - Parameter isCarrying: data goes by the answer: it is kept, also over a restart.
    func use(_ name: ReflectorName, isCarrying: Bool = false, at now: MonotonicInstant) {
        let evicted = directory.evicted
        switch directory.use(name, isCarrying: isCarrying, at: now) {
        case .ask: ask(name, at: now)
        case .full: context.count(.droppedLookUpTableFull)
        case .nothing: break
        }
        context.count(.lookUpsEvicted, directory.evicted &- evicted)
        if isCarrying, let answer = directory.takeUnsaved(name) {
            context.post(.remember(name, answer))
        }
    }

    func ask(_ name: ReflectorName, at now: MonotonicInstant) {
        context.count(.lookUpsAsked)
        context.post(.lookUp(name))
        clock.scheduleNode(now + ParentDirectory.restoredAfter)
    }

    /// The shell's answer to `RelayAction.lookUp`.
    public func lookUpFinished(
        _ name: ReflectorName, _ result: LookUpResult, at now: MonotonicInstant
    ) {
        let outcome = context.withRandom { directory.finish(name, result, at: now, random: &$0) }
        clock.scheduleNode(max(directory.nextRenewal, now))
        if case .failed = result {
            context.count(.lookUpsFailed)
        } else {
            context.count(.lookUpsAnswered)
        }
        if outcome == .kept {
            context.count(.lookUpsKeptOld)
            context.post(.alarm(.parentsKept(name)))
        }
        if outcome == .changed, case .records(let answer) = result { warnOfFamilies(name, answer) }
        if let answer = directory.takeUnsaved(name) { context.post(.remember(name, answer)) }
        if case .announceTargets = name, case .records(let answer) = result {
            origin?.follow(answer.hosts(by: directory.addressOrder))
            clock.scheduleNode(now)
        }
        if case .node(let host) = name { judgeIdentities(of: host, at: now) }
        if case .candidates(let stream) = name, case .records(let answer) = result {
            announcements.confirm(stream, by: answer, &core)
        }
        for stream in concerned(by: name) {
            if stream.origin != nil {
                learnOriginPortset(of: stream, at: now)
            } else {
                choosePaths(for: stream, at: now)
            }
        }
    }

    /// Hosts that this node can't talk to, as the two have no address family in common, are named once an answer.
    private func warnOfFamilies(_ name: ReflectorName, _ answer: LookUpAnswer) {
        // An edge fetches from no entrypoint.
        if case .candidates = name, playOut != nil { return }
        let names = answer.unreachable(by: directory.addressOrder).filter { $0 != configuration.name }
        guard !names.isEmpty else { return }
        context.count(.hostsOfOtherFamily, UInt64(names.count))
        context.post(.alarm(.noCommonFamily(name, hosts: names, own: directory.addressOrder.own)))
    }

    /// The shell's sockets are bound to these addresses, 0.0.0.0 and `::` standing for all of their family. Called once at
    /// the start, and again whenever there are more or fewer.
    public func setAddresses(_ own: [IPAddress], at now: MonotonicInstant) {
        directory.follow(AddressOrder(own: own))
        guard origin != nil,
            let answer = directory.answer(.announceTargets(host: configuration.name), at: now)
        else { return }
        origin?.follow(answer.hosts(by: directory.addressOrder))
        clock.scheduleNode(now)
    }

    /// The streams whose parents an answer may change.
    private func concerned(by name: ReflectorName) -> [StreamState] {
        switch name {
        case .candidates(let wanted):
            guard let stream = streams[wanted] else { return [] }
            return [stream]
        case .parents(_, let region, let portset):
            guard region == configuration.region else { return [] }
            return streams.all.filter { $0.portset == portset || $0.portset == nil }
        case .rootSets, .announceTargets, .node: return []
        }
    }

    /// An answer from the state file, to follow when no server answers.
    public func restore(_ name: ReflectorName, _ answer: LookUpAnswer, at now: MonotonicInstant) {
        directory.restore(name, answer, at: now)
    }
}

extension Subscribe.Start {
    /// It goes on in what the child has begun.
    var isResume: Bool {
        if case .resume = self { true } else { false }
    }
}
