import ReflectorModel
import RelayWire

/// What entrypoints announce to a set reflector, within limits for each entrypoint and for all of them. Incomplete
/// lists expire. The lists themselves are soft state of the entrypoints' links (`AnnouncementList`).
struct AnnouncementRegistry {
    /// When to look for incomplete lists next; nil if no list is incomplete.
    private var expiry: MonotonicInstant?

    // MARK: Messages

    /// Takes a page of an entrypoint's list if there is room for the whole page. Nil if it does not come from an
    /// entrypoint.
    mutating func onAnnounce(
        _ page: Announce, on link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> AnnouncementList.Outcome? {
        guard core.configuration.role == .set else {
            core.context.count(.rejectedUnexpected)
            return nil
        }
        guard link.certificate.powers.contains(.announce) else {
            core.refusePower(.announce, to: link, at: now)
            return nil
        }
        if link.announcements == nil {
            link.announcements = AnnouncementList()
            core.links.addAnnouncer(link)
        }
        link.announcements?.noteHeard(at: now)
        let room = roomForEntries(of: page, on: link, at: now, &core)
        guard let outcome = link.announcements?.take(page, source: link.node, room: room, at: now) else { return nil }
        if link.announcements?.isIncomplete == true { noteIncomplete(at: now, &core) }
        switch outcome {
        case .incomplete: break
        case .replaced, .changed: core.context.count(.announcementsReceived)
        case .unusable: pull(on: link, at: now, &core)
        case .full:
            core.context.count(.droppedAnnouncementsFull, UInt64(page.entries.count))
            Self.reportFull(link, at: now, &core)
        }
        return outcome
    }

    /// Answers a heartbeat, and requests the entrypoint's list if the list held is not the current one.
    ///
    /// - Parameter isVoting: whether this node, as a witness, trusts its own view.
    func onHeartbeat(
        _ heartbeat: Heartbeat, on link: ChildLink, isVoting: Bool, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard link.certificate.powers.contains(.announce) else { return core.refusePower(.announce, to: link, at: now) }
        core.context.count(.heartbeatsReceived)
        link.announcements?.noteHeard(at: now)
        let isOther =
            link.announcements?.version != heartbeat.version || link.announcements?.digest != heartbeat.digest
        if isOther { pull(on: link, current: heartbeat.version, at: now, &core) }
        core.send(
            .heartbeatReply(HeartbeatReply(echoedTimestamp: heartbeat.timestamp, isVoting: isVoting)), on: link, at: now
        )
    }

    /// Requests what is missing of the list; the whole list if the version held is the current one but differs from it.
    private func pull(
        on link: ChildLink, current: UInt64? = nil, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard now >= link.announcements?.pullNotBefore ?? .zero else { return }
        let held = link.announcements?.version ?? 0
        core.send(.announcePull(versionHeld: held == current ? 0 : held), on: link, at: now)
    }

    /// The zone has named the candidates of a stream. Confirms the lists of those candidates that announce the stream.
    func confirm(_ stream: StreamName, by answer: LookUpAnswer, _ core: inout NodeCore) {
        for slot in core.links.announcers {
            guard let link = core.links.children[slot], link.announcements?.isConfirmed == false,
                link.announcements?[stream] != nil, link.isListed(in: answer)
            else { continue }
            confirm(link)
        }
    }

    /// Confirms the list of a link, because the zone names the announcing node as a candidate.
    func confirm(_ link: ChildLink) { link.announcements?.confirm() }

    /// The announcing node is dead by all evidence, until something arrives from it.
    func presumeDead(_ link: ChildLink) { link.announcements?.presumeDead() }

    /// The zone does not name the announcing node as a candidate of the stream. Counts this once for each stream, and
    /// raises an alarm if one is due.
    func noteContradiction(
        of stream: StreamName, by link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard link.announcements?.noteRefusal(of: stream) == true else { return }
        core.context.count(.announcementsRefused)
        if link.alarms.isDue(at: now) {
            core.context.post(.alarm(.announcementRefused(stream, by: link.name, link.endpoint)))
        }
    }

    // MARK: Room

    /// How many more streams of the entrypoint can be held. If the page does not fit, drops unconfirmed lists of other
    /// entrypoints first.
    private func roomForEntries(
        of page: Announce, on link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Int {
        let (held, count) = (link.announcements?.held ?? 0, link.announcements?.count ?? 0)
        var others = core.links.announcers.reduce(0) {
            $1 == link.slot ? $0 : $0 + (core.links.children[$1]?.announcements?.held ?? 0)
        }
        if page.entries.count > core.configuration.announcementsMax - others - held {
            others -= dropUnconfirmed(except: link, at: now, &core)
        }
        // While a list is being replaced, both versions are held. The limit of the link applies only to the new
        // version.
        let heldOfVersion = page.header.isPartial ? held : held - count
        return min(
            core.configuration.announcementsMax - others - held,
            core.configuration.announcementsPerLinkMax - heldOfVersion)
    }

    /// Makes room by dropping every list of which the zone has confirmed no stream, because every certified entrypoint
    /// can announce. Returns how many streams were dropped.
    private func dropUnconfirmed(
        except announcing: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Int {
        var dropped = 0
        for slot in core.links.announcers where slot != announcing.slot {
            guard let link = core.links.children[slot], let list = link.announcements, !list.isConfirmed,
                list.held > 0
            else { continue }
            dropped += list.held
            link.announcements?.forget(at: now)
            Self.reportFull(link, at: now, &core)
        }
        core.context.count(.droppedAnnouncementsFull, UInt64(dropped))
        return dropped
    }

    private static func reportFull(_ link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        if link.alarms.isDue(at: now) { core.context.post(.alarm(.announcementsFull(by: link.name, link.endpoint))) }
    }

    // MARK: Expiry

    /// When the node's timer must run; nil if no list is incomplete.
    var nextTimeout: MonotonicInstant? { expiry }

    private mutating func noteIncomplete(at now: MonotonicInstant, _ core: inout NodeCore) {
        guard expiry == nil else { return }
        let due = now + core.configuration.announcementPatience
        expiry = due
        core.clock.scheduleNode(due)
    }

    /// Drops lists whose missing pages did not arrive in time.
    mutating func handleTimeout(at now: MonotonicInstant, _ core: inout NodeCore) {
        guard let due = expiry, now >= due else { return }
        expiry = nil
        let patience = core.configuration.announcementPatience
        for slot in core.links.announcers {
            guard let link = core.links.children[slot] else { continue }
            if link.announcements?.expire(after: patience, at: now) == true {
                core.context.count(.announcementsIncomplete)
            }
            if expiry == nil, link.announcements?.isIncomplete == true { expiry = now + patience }
        }
    }
}

extension ChildLink {
    /// Whether an answer names the node of this link, at the address from which it is connected.
    func isListed(in answer: LookUpAnswer) -> Bool {
        answer.hosts.contains { $0.endpoint.address == endpoint.address && $0.id == node }
    }
}
