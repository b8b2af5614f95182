import ReflectorModel
import RelayWire

/// The other members of an edge region or of a set region, and who of all leads which stream: a leader fetches the
/// stream from outside, the others fetch it from the leader ([A] §III-A).
///
/// Leadership of a stream is a slot. A live leader keeps it; a vacant one is placed by hash, within a bound
/// (`RegionPicture`). Every member decides for itself, from what all report; where views differ for a moment, a member
/// that is asked for a stream which it does not lead passes the request on or fetches the stream itself.
struct Region {
    private(set) var members: [RegionMember]
    private(set) var claims = RegionClaims()
    /// Who leads each stream. Only looked up by name.
    private var slots: [StreamName: RegionSlot] = [:]
    /// The streams that anybody wants or leads, sorted.
    private(set) var names: [StreamName] = []
    /// The region at the last evaluation.
    private var picture: RegionPicture
    /// The members that are up in the picture, after this one itself.
    private var live: [Int] = []
    private let own: NodeID
    private let rules: RegionRules

    /// Everything must be evaluated.
    private(set) var isChanged = true
    /// A member was lost, or this one leaves: the evaluation cannot wait.
    private var isUrgent = false
    private var evaluatedAt = MonotonicInstant(nanoseconds: .min / 2)
    private(set) var standing: RegionStanding
    private var numbersAt = MonotonicInstant.zero

    init(_ configuration: RelayConfiguration, at now: MonotonicInstant) {
        members = configuration.neighbours.sorted { $0.name < $1.name }.map(RegionMember.init)
        own = NodeID(name: configuration.name)
        rules = configuration.regionRules
        picture = RegionPicture([RegionPicture.Node(id: own)])
        standing = RegionStanding(rules, at: now)
    }

    // MARK: What is reported

    /// Whether a node is another member, by its certificate and the configuration.
    func isMember(_ link: ChildLink, _ configuration: RelayConfiguration) -> Bool {
        configuration.isNeighbour(link) && members.contains { $0.node == link.node }
    }

    /// Takes a report. True if it says anything new.
    mutating func onReport(
        _ report: RegionReport, on link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Bool {
        guard isMember(link, core.configuration), let place = members.firstIndex(where: { $0.node == link.node })
        else {
            core.context.count(.regionReportsRefused)
            return false
        }
        core.context.count(.regionReportsReceived)
        let wasUp = members[place].isUp
        // A member that was cut off from those who stayed together comes back to them.
        if !wasUp, standing.aloneSince != nil {
            if report.isSettled { standing.rejoin(at: now) }
            offerAll(at: now)
        }
        let outcome = members[place].take(
            report, token: link.parentToken, countMax: core.configuration.announcementsPerLinkMax, at: now)
        if outcome == .tooLarge { core.context.count(.regionReportsRefused) }
        if !wasUp { core.context.post(.alarm(.memberFound(members[place].name, members[place].endpoint))) }
        if outcome == .changed || !wasUp { isChanged = true }
        return isChanged
    }

    /// A member has closed its link. It is gone if it said before that it leaves.
    mutating func noteClose(of node: NodeID, at now: MonotonicInstant, _ core: inout NodeCore) {
        guard let place = members.firstIndex(where: { $0.node == node && $0.isUp && $0.isLeaving }) else { return }
        lose(place, .leaves, &core)
    }

    /// A member's process is dead by all evidence (`DeathEvidence`).
    mutating func noteDeath(at endpoint: Endpoint, _ core: inout NodeCore) {
        guard let place = members.firstIndex(where: { $0.endpoint == endpoint && $0.isUp }) else { return }
        lose(place, .refused, &core)
    }

    /// This member has slept for so long that the others took it for dead.
    mutating func noteOverslept(at now: MonotonicInstant) {
        for place in members.indices where members[place].isUp { members[place].noteDead() }
        standing.noteOverslept(at: now)
        (isChanged, isUrgent) = (true, true)
        offerAll(at: now)
    }

    private mutating func lose(_ place: Int, _ cause: RegionLoss, _ core: inout NodeCore) {
        members[place].noteDead()
        (isChanged, isUrgent) = (true, true)
        core.context.count(.membersLost)
        core.context.post(.alarm(.memberLost(members[place].name, members[place].endpoint, cause)))
    }

    /// Something has changed at this member itself.
    mutating func noteChange() { isChanged = true }

    /// This member is about to stop: the others take its slots.
    mutating func leave(at now: MonotonicInstant) {
        if standing.leave(at: now) { (isChanged, isUrgent) = (true, true) }
    }

    /// Whether viewers of this member, or children outside the region, want a stream.
    func isWanted(_ stream: StreamState?) -> Bool {
        guard let stream else { return false }
        return stream.isWanted || stream.children.contains { child in !members.contains { $0.node == child.link.node } }
    }

    // MARK: Evaluation

    /// When the next evaluation may take place. Each looks at every stream, and a member may report something new at any
    /// time, so they are spaced by a multiple of what one takes.
    private var evaluationDue: MonotonicInstant {
        evaluatedAt + rules.reportSpacing
            + .microseconds(Int64(names.count * (live.count + 1)) * Self.spacingPerStatement)
    }

    /// In µs; about ten times what a member's statement about one stream costs.
    private static let spacingPerStatement: Int64 = 2

    /// Decides again who leads each stream, if anything has changed. True if so.
    mutating func evaluate(at now: MonotonicInstant, _ core: inout NodeCore) -> Bool {
        for place in members.indices {
            let deadline = members[place].deadline(rules.silenceMax, judgeFrom: core.clock.judgeSilenceFrom)
            if let deadline, now >= deadline { lose(place, .silent, &core) }
        }
        standing.noteSleep(core.clock.sleep.length, until: core.clock.sleep.until)
        if claims.expire(at: now) { isChanged = true }
        if standing.review(reachesNoParent: claims.isCutOff, at: now) { isChanged = true }
        if now - numbersAt >= rules.numbersInterval { isChanged = true }
        yieldStarved(at: now, &core)
        endAttempts(at: now, &core)
        guard isChanged, isUrgent || now >= evaluationDue else { return false }
        (isChanged, isUrgent, evaluatedAt) = (false, false, now)
        core.context.noteWork(UInt64(names.count * (live.count + 1)))
        let wasAlone = live.isEmpty
        look(at: now, core)
        if wasAlone != live.isEmpty { core.context.post(.alarm(.regionAlone(live.isEmpty))) }
        let statements = names.map { self.statements(about: $0, core) }
        for (name, said) in zip(names, statements) { picture.count(said, of: name) }
        for (name, said) in zip(names, statements) { decide(name, said, at: now, &core) }
        offerExcess(at: now, core)
        tellAll(at: now, core)
        return true
    }

    /// Decides who leads one stream that may be new here.
    mutating func evaluate(_ name: StreamName, at now: MonotonicInstant, _ core: inout NodeCore) {
        if slots[name] == nil {
            let said = statements(about: name, core)
            picture.count(said, of: name)
            decide(name, said, at: now, &core)
        }
        tell(name, isNumberNew: false, core)
    }

    private mutating func look(at now: MonotonicInstant, _ core: borrowing NodeCore) {
        live = members.indices.filter { members[$0].isUp }
        standing.note(isAlone: live.isEmpty, at: now)
        picture = RegionPicture(
            [
                RegionPicture.Node(
                    id: own, isLeaving: standing.isLeaving, isSettled: standing.isSettled(at: now),
                    isCutOff: standing.isCutOff)
            ]
                + live.map {
                    RegionPicture.Node(
                        id: members[$0].node, isLeaving: members[$0].isLeaving, isSettled: members[$0].isSettled,
                        isCutOff: members[$0].isCutOff)
                })
        var all = claims.led.all
        for stream in core.streams.all where stream.hasDemand { all.append(stream.name) }
        for place in live {
            for name in members[place].list.streams {
                guard let entry = members[place].list[name], entry.isWanted || entry.slots != 0 else { continue }
                all.append(name)
            }
        }
        let sorted = SortedNames(all)
        for name in names where !sorted.contains(name) {
            slots[name] = nil
            claims.endAttempt(name)
        }
        names = sorted.all
    }

    /// What each live member says about a stream, this one first.
    private func statements(about name: StreamName, _ core: borrowing NodeCore) -> [RegionPicture.Statement] {
        let mine = RegionPicture.Statement(
            isWanted: isWanted(core.streams[name]), leads: claims.leads(name),
            isYielding: claims.isYielding(name))
        return [mine]
            + live.map { place in
                let entry = members[place].list[name]
                return RegionPicture.Statement(
                    isWanted: entry?.isWanted ?? false, leads: entry?.leads(1) ?? false,
                    isYielding: entry?.isYielding ?? false)
            }
    }

    private mutating func decide(
        _ name: StreamName, _ said: [RegionPicture.Statement], at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard said.contains(where: \.isWanted) || core.streams[name]?.hasDemand == true else {
            // Nobody wants it any more.
            claims.drop(name)
            claims.endAttempt(name)
            return slots[name] = nil
        }
        var decision = picture.decide(said, of: name)
        if decision.leader == own, !claims.leads(name) {
            take(name, isLed: said.dropFirst().contains(where: \.leads), at: now, &core)
        } else if decision.leader != own {
            claims.endAttempt(name)
            if let holder = decision.handingOver { (decision.leader, decision.cause) = (holder, .handingOver) }
        }
        let isChange: Bool
        if slots[name] != nil {
            isChange = slots[name]!.update(
                leader: decision.leader, cause: decision.cause, isClaimed: decision.isClaimed, at: now)
        } else {
            slots[name] = RegionSlot(
                leader: decision.leader, cause: decision.cause, isClaimed: decision.isClaimed, at: now)
            isChange = true
        }
        if decision.leader != own, claims.leads(name), decision.isClaimed {
            let isConflict = !standing.isLeaving && !claims.isYielding(name)
            if isConflict, isChange { core.context.count(.slotConflicts) }
            guard !isConflict || rules.resolvesConflicts else { return }
            core.context.count(.slotsHandedOver)
            claims.drop(name)
        }
    }

    /// This member should lead the stream. Another one that does goes on until this one gets it from outside.
    private mutating func take(_ name: StreamName, isLed: Bool, at now: MonotonicInstant, _ core: inout NodeCore) {
        if isLed, let stream = core.streams[name], stream.hasDemand, !stream.paths.hasLiveOutside {
            claims.attempt(name, until: now + rules.startPatience)
        } else {
            claims.claim(name)
            core.context.count(.slotsTaken)
        }
    }

    // MARK: Handing over

    /// Claims the streams that this member was asked to lead and now gets from outside, and gives up the others after a while.
    private mutating func endAttempts(at now: MonotonicInstant, _ core: inout NodeCore) {
        for name in claims.attempted.all {
            if core.streams[name]?.paths.hasLiveOutside == true {
                claims.claim(name)
                core.context.count(.slotsTaken)
                isChanged = true
            } else if let end = claims.attemptEnd(name), now >= end {
                claims.yield(name, until: now + rules.cutSpan, isForced: true)
                core.context.count(.slotsYielded)
                isChanged = true
            }
        }
    }

    /// Asks others to lead the streams whose parents this member cannot reach.
    private mutating func yieldStarved(at now: MonotonicInstant, _ core: inout NodeCore) {
        for name in claims.led.all {
            guard let stream = core.streams[name], !claims.isYielding(name), isStarved(stream, at: now) else {
                continue
            }
            claims.yield(name, until: now + rules.cutSpan, isForced: true)
            core.context.count(.slotsYielded)
            isChanged = true
        }
    }

    private func isStarved(_ stream: StreamState, at now: MonotonicInstant) -> Bool {
        guard let due = starvationDue(of: stream) else { return false }
        return now >= due
    }

    /// When this member must give the stream up if no parent answers until then; nil if one does.
    private func starvationDue(of stream: StreamState) -> MonotonicInstant? {
        guard !live.isEmpty, let since = stream.starvedSince else { return nil }
        return since + (stream.incarnation == nil ? rules.startPatience : rules.lossPatience)
    }

    /// Others may lead what this member leads, and have led it while it was away: they go on.
    private mutating func offerAll(at now: MonotonicInstant) {
        for name in claims.led.all where !claims.isYielding(name) {
            claims.yield(name, until: now + rules.offerSpan, isForced: false)
        }
    }

    /// Offers slots above the bound to others.
    private mutating func offerExcess(at now: MonotonicInstant, _ core: borrowing NodeCore) {
        var excess = min(picture.excess, Self.offersMax)
        guard excess > 0 else { return }
        func order(_ name: StreamName) -> (Int, UInt64) {
            (isWanted(core.streams[name]) ? 1 : 0, ~RegionPlacement.score(of: own, stream: name))
        }
        var candidates: [(order: (Int, UInt64), name: StreamName)] = []
        for name in claims.led.all where !claims.isYielding(name) { candidates.append((order(name), name)) }
        candidates.sort { $0.order < $1.order }
        for candidate in candidates where excess > 0 {
            claims.yield(candidate.name, until: now + rules.offerSpan, isForced: false)
            excess -= 1
            isChanged = true
        }
    }

    /// Maximum number of slots that are offered at once, so that a member that comes back is not flooded.
    private static let offersMax = 32

    // MARK: What this member says

    private mutating func tellAll(at now: MonotonicInstant, _ core: borrowing NodeCore) {
        let isNumberNew = now - numbersAt >= rules.numbersInterval
        if isNumberNew { numbersAt = now }
        for name in SortedNames(names + claims.streams).all { tell(name, isNumberNew: isNumberNew, core) }
    }

    private mutating func tell(_ name: StreamName, isNumberNew: Bool, _ core: borrowing NodeCore) {
        let stream = core.streams[name]
        claims.tell(
            name, isWanted: isWanted(stream), held: stream?.incarnation?.tag,
            highest: stream?.incarnation?.index.highest ?? 0, isNumberNew: isNumberNew)
    }

    /// Reports to each member to which a report is due.
    mutating func report(at now: MonotonicInstant, _ core: inout NodeCore) {
        claims.commit()
        for place in members.indices {
            guard let link = core.links.parent(at: members[place].endpoint), link.isAlive,
                members[place].isDue(version: claims.version, newsAt: standing.newsAt, rules, at: now)
            else { continue }
            let pages = claims.pages(since: members[place].versionHeld)
            var report = RegionReport(
                isLeaving: standing.isLeaving, isSettled: standing.isSettled(at: now),
                isOnLAN: core.configuration.lan != nil, isCutOff: standing.isCutOff,
                versionHeld: members[place].list.version)
            if pages.isEmpty { core.send(.regionReport(report), on: link, at: now) }
            for page in pages {
                report.page = page
                core.send(.regionReport(report), on: link, at: now)
            }
            core.context.count(.regionReportsSent)
            members[place].noteTold(claims.version, at: now)
        }
    }

    /// When to call `evaluate` and `report` next.
    func nextTimeout(_ core: borrowing NodeCore, at now: MonotonicInstant) -> MonotonicInstant {
        var next = now + rules.reportInterval
        let version = claims.version + (claims.isChanged ? 1 : 0)
        for member in members {
            if core.links.parent(at: member.endpoint)?.isAlive == true {
                next = min(next, member.due(version: version, newsAt: standing.newsAt, rules))
            }
            if let deadline = member.deadline(rules.silenceMax, judgeFrom: core.clock.judgeSilenceFrom) {
                next = min(next, deadline)
            }
        }
        for name in claims.led.all where !claims.isYielding(name) {
            if let stream = core.streams[name], let due = starvationDue(of: stream) { next = min(next, due) }
        }
        for name in claims.attempted.all { next = min(next, claims.attemptEnd(name) ?? next) }
        if isChanged { next = min(next, evaluationDue) }
        return max(next, now + .milliseconds(1))
    }

    // MARK: Where streams come from

    subscript(_ name: StreamName) -> RegionSlot? { slots[name] }

    /// This member fetches the stream from outside.
    func leads(_ name: StreamName) -> Bool { claims.leads(name) }

    /// Whether a node is a member that takes streams from groups of the LAN.
    func isOnLAN(_ node: NodeID) -> Bool { members.contains { $0.node == node && $0.isUp && $0.isOnLAN } }

    /// Whether this member leads the stream and has no parent that may itself depend on another member.
    func fetchesOutside(_ name: StreamName, _ core: borrowing NodeCore) -> Bool {
        guard leads(name), let stream = core.streams[name] else { return leads(name) }
        return stream.paths.all.allSatisfy { $0.candidate.isUpstream || $0.state == .leaving }
    }

    /// The members from which to fetch a stream, the leader first. Empty if this member leads it, or hears nobody.
    func parents(of name: StreamName, _ core: borrowing NodeCore) -> [ParentCandidate] {
        guard let slot = slots[name], slot.leader != own, !claims.leads(name) else { return [] }
        let ahead = picture.ahead(statements(about: name, core), of: name, except: slot.leader)
        return ([slot.leader] + ahead).compactMap { node in
            guard let member = members.first(where: { $0.node == node }) else { return nil }
            return ParentCandidate(
                name: member.name, endpoint: member.endpoint, rank: 0,
                cause: node == slot.leader ? "leader 1 of the region" : "member of the region", isMember: true)
        }
    }
}
