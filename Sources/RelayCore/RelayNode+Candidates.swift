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
        if stream.portset == nil || configuration.role == .edge {
            let name = ReflectorName.candidates(stream.name)
            use(name, at: now)
            if let portset = directory.answer(name, at: now)?.portset {
                stream.portset = portset
            } else if stream.portset == nil {
                return directory.isUndecided(name, at: now) ? .undecided : .none(.noSuchStream)
            }
        }
        guard let portset = stream.portset else { return .none(.noSuchStream) }
        if let region = configuration.region {
            let parents = parents(of: region, portset, at: now)
            switch parents {
            case .none(.noParents) where configuration.role == .set: break
            default: return parents
            }
        }
        return entrypoints(for: stream, at: now)
    }

    private func parents(of region: RegionID, _ portset: PortsetID, at now: MonotonicInstant) -> Candidates {
        var list: [ParentCandidate] = []
        var leavesOut = false
        for rank in ParentRank.allCases {
            let name = ReflectorName.parents(rank, region, portset)
            use(name, at: now)
            if rank == .first, directory.isUndecided(name, at: now) {
                // A set reflector has its entrypoints to go by, if the name servers are silent.
                if configuration.role == .edge || directory.isFresh(name, at: now) { return .undecided }
            }
            guard let answer = directory.answer(name, at: now) else { continue }
            // Said in so many words, and it stands for all three: what n2 and n3 answered before is over too.
            if rank == .first, answer.hosts.isEmpty { return .none(.parentsTakenAway) }
            let ranked = answer.ranked(region: region, portset: portset, by: addressOrder)
            if ranked.isEmpty, !answer.hosts.isEmpty { leavesOut = true }
            for found in ranked where found.host.id != id {
                guard !list.contains(where: { $0.endpoint == found.host.endpoint }) else { continue }
                list.append(
                    ParentCandidate(
                        name: found.host.name, endpoint: found.host.endpoint, others: found.others,
                        rank: rank.rawValue, cause: name.description, answer: answer.text.joined(separator: " "),
                        serial: answer.serial))
            }
        }
        return list.isEmpty ? .none(leavesOut ? .noCommonFamily : .noParents) : .list(list)
    }

    /// Announced ones in the order of the stream's candidate list, then those that did not announce: a relay that lacks
    /// the announcement asks them itself (design §7). One that serves us needs no announcement. If children resume an
    /// incarnation that nobody has announced here, those not heard of yet come first: one of them must have it.
    private func entrypoints(for stream: StreamState, at now: MonotonicInstant) -> Candidates {
        let name = ReflectorName.candidates(stream.name)
        use(name, at: now)
        let listed = directory.answer(name, at: now)
        var announced: [ParentCandidate] = []
        var resumed: String?
        for slot in announcers {
            guard let link = childLinks[slot], let item = link.announcements?[stream.name],
                let heard = link.heartbeatReceived, now - heard <= configuration.heartbeatInterval * 3
            else { continue }
            let tag = IncarnationTag(stream: stream.name, source: link.node, incarnation: item.incarnation)
            if isResumed(tag, by: stream.children) { resumed = link.name }
            announced.append(
                ParentCandidate(
                    name: link.name, endpoint: link.endpoint, rank: 0, cause: "announcement", answer: nil,
                    serial: listed?.serial))
        }
        // Which of several is preferred, only the zone says; without it, the one whose packets the children had.
        let isUnheard = resumed == nil && stream.incarnation == nil && stream.children.contains { $0.start.isResume }
        if announced.count > 1 || isUnheard, directory.isFresh(name, at: now) { return .undecided }
        let serving = stream.paths.filter { $0.state != .joining }.map(\.link.endpoint)
        var silent: [ParentCandidate] = []
        for found in listed?.hosts(by: addressOrder) ?? []
        where !(announced + silent).contains(where: { $0.name == found.host.name }) {
            // One that serves us under another of its addresses is still the same.
            let all = [found.host.endpoint] + found.others
            let endpoint = all.first { serving.contains($0) } ?? found.host.endpoint
            let candidate = ParentCandidate(
                name: found.host.name, endpoint: endpoint, others: all.filter { $0 != endpoint }, rank: 0,
                cause: name.description, answer: listed?.text.joined(separator: " "), serial: listed?.serial)
            if serving.contains(endpoint) { announced.append(candidate) } else { silent.append(candidate) }
        }
        func place(_ name: String) -> Int {
            listed?.hosts.firstIndex { $0.name == name } ?? (listed == nil && name == resumed ? 0 : .max)
        }
        announced.sort { (place($0.name), $0.name) < (place($1.name), $1.name) }
        let unheard = silent.filter { host in
            isUnheard && !announcers.contains { childLinks[$0]?.name == host.name }
        }
        let list = unheard + announced + silent.filter { !unheard.contains($0) }
        if !list.isEmpty { return .list(list) }
        return directory.isUndecided(name, at: now) ? .undecided : .none(.noSuchStream)
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
        return directory[.parents(rank, region, portset)]?.answer?.seemingDead.contains(candidate.name[...]) ?? false
    }

    // MARK: Look-ups

    /// Notes that an answer is needed and asks for it where it is missing or old.
    func use(_ name: ReflectorName, at now: MonotonicInstant) {
        if directory.use(name, at: now) { ask(name, at: now) }
    }

    func ask(_ name: ReflectorName, at now: MonotonicInstant) {
        counters.add(.lookUpsAsked)
        post(.lookUp(name))
        scheduleNode(now + ParentDirectory.restoredAfter)
    }

    /// The shell's answer to `RelayAction.lookUp`.
    public func lookUpFinished(_ name: ReflectorName, _ result: LookUpResult, at now: MonotonicInstant) {
        let outcome = directory.finish(name, result, at: now, random: &random)
        scheduleNode(max(directory.nextRenewal, now))
        switch outcome {
        case .failed: counters.add(.lookUpsFailed)
        case .kept:
            counters.add(.lookUpsKeptOld)
            post(.alarm(.parentsKept(name)))
        case .unchanged, .changed:
            counters.add(.lookUpsAnswered)
            if case .records(let answer) = result { post(.remember(name, answer)) }
            if outcome == .changed, case .records(let answer) = result { warnOfFamilies(name, answer) }
        }
        if case .announceTargets = name, case .records(let answer) = result {
            announceTargets = answer.hosts(by: addressOrder)
            scheduleNode(now)
        }
        for stream in concerned(by: name) {
            if stream.origin != nil {
                noteOriginPortset(of: stream, at: now)
            } else {
                choosePaths(for: stream, at: now)
            }
        }
    }

    /// Hosts that this node can't talk to, as the two have no address family in common, are named once an answer.
    private func warnOfFamilies(_ name: ReflectorName, _ answer: LookUpAnswer) {
        // An edge fetches from no entrypoint.
        if case .candidates = name, configuration.role == .edge { return }
        let names = answer.unreachable(by: addressOrder).filter { $0 != configuration.name }
        guard !names.isEmpty else { return }
        counters.add(.hostsOfOtherFamily, UInt64(names.count))
        post(.alarm(.noCommonFamily(name, hosts: names, own: addressOrder.own)))
    }

    /// The shell's sockets are bound to these addresses, 0.0.0.0 and `::` standing for all of their family. Called once at
    /// the start, and again whenever there are more or fewer.
    public func setAddresses(_ own: [IPAddress], at now: MonotonicInstant) {
        addressOrder = AddressOrder(own: own)
        guard configuration.role == .entrypoint,
            let answer = directory.answer(.announceTargets(host: configuration.name), at: now)
        else { return }
        announceTargets = answer.hosts(by: addressOrder)
        scheduleNode(now)
    }

    /// The streams whose parents an answer may change.
    private func concerned(by name: ReflectorName) -> [StreamState] {
        switch name {
        case .candidates(let wanted):
            guard let slot = streamByName[wanted], let stream = streams[slot] else { return [] }
            return [stream]
        case .parents(_, let region, let portset):
            guard region == configuration.region else { return [] }
            return streams.all.filter { $0.portset == portset || $0.portset == nil }
        case .rootSets, .announceTargets: return []
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
