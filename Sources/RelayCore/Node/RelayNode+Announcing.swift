import ReflectorModel
import RelayWire

/// Room for what entrypoints announce to a set reflector: bounds for one and for all, what is incomplete expires.
extension RelayNode {
    /// Takes a page as far as there is room. True if the entrypoint's list has changed.
    func takePage(_ page: Announce, on link: ChildLink, at now: MonotonicInstant) -> Bool {
        if link.announcements == nil {
            link.announcements = AnnouncementList()
            announcements.add(link.slot)
            core.post(.announcersChanged)
        }
        link.heartbeatReceived = now
        var list = link.announcements ?? AnnouncementList()
        // A list is changed where it is, never copied.
        link.announcements = nil
        var others = announcements.announcers.reduce(0) {
            $0 + (links.children[$1]?.announcements?.held ?? 0)
        }
        if page.entries.count > configuration.announcementsMax - others - list.held {
            others -= dropUnconfirmed(at: now)
        }
        // While a list is being replaced, both are held; a link's own bound is of what it announces.
        let room = min(
            configuration.announcementsMax - others - list.held,
            configuration.announcementsPerLinkMax - (list.held - list.count))
        let outcome = list.take(page, source: link.node, room: room, at: now)
        link.announcements = list
        if list.isIncomplete,
            let expiry = announcements.noteIncomplete(
                patience: configuration.announcementPatience, at: now)
        {
            clock.scheduleNode(expiry)
        }
        if outcome != .full { lookUpCandidates(of: page, on: link, at: now) }
        guard outcome == .full else { return outcome == .changed }
        context.count(.droppedAnnouncementsFull, UInt64(page.entries.count))
        if link.alarms.isDue(at: now) {
            context.post(.alarm(.announcementsFull(by: link.name, link.endpoint)))
        }
        return false
    }

    /// Asks for the candidates of what is announced before anybody wants it: then nobody waits for the answer, and there
    /// is a last good one when the name servers fall silent.
    private func lookUpCandidates(of page: Announce, on link: ChildLink, at now: MonotonicInstant) {
        for entry in page.entries {
            let name = ReflectorName.candidates(entry.stream)
            guard directory[name] == nil else { continue }
            guard mayBringUp(newName: link, at: now) else { return }
            use(name, at: now)
        }
    }

    /// The zone has named the candidates of a stream: those who announce it rightly are confirmed.
    func confirmAnnouncers(of stream: StreamName, by answer: LookUpAnswer) {
        for slot in announcements.announcers {
            guard let link = links.children[slot], link.announcements?.isConfirmed == false,
                link.announcements?[stream] != nil, answer.lists(link)
            else { continue }
            link.announcements?.isConfirmed = true
        }
    }

    /// The zone contradicts an announcement: counted and reported once.
    func noteRefusedAnnouncement(of stream: StreamName, by link: ChildLink, at now: MonotonicInstant) {
        guard link.announcements?.noteRefusal(of: stream) == true else { return }
        context.count(.announcementsRefused)
        if link.alarms.isDue(at: now) {
            context.post(.alarm(.announcementRefused(stream, by: link.name, link.endpoint)))
        }
    }

    /// Makes room by the lists of those of whom the zone has confirmed nothing: whoever has the network key can be one.
    /// Returns how many streams were dropped.
    private func dropUnconfirmed(at now: MonotonicInstant) -> Int {
        var dropped = 0
        for slot in announcements.announcers {
            guard let link = links.children[slot], let list = link.announcements, !list.isConfirmed,
                list.held > 0
            else {
                continue
            }
            dropped += list.held
            link.announcements?.forget(at: now)
            if link.alarms.isDue(at: now) {
                context.post(.alarm(.announcementsFull(by: link.name, link.endpoint)))
            }
        }
        context.count(.droppedAnnouncementsFull, UInt64(dropped))
        return dropped
    }

    /// Drops lists of which pages stay away.
    func expireAnnouncements(at now: MonotonicInstant) {
        guard announcements.takeExpiry(at: now) else { return }
        for slot in announcements.announcers {
            if links.children[slot]?.announcements?.expire(
                after: configuration.announcementPatience, at: now) == true
            {
                context.count(.announcementsIncomplete)
            }
            if links.children[slot]?.announcements?.isIncomplete == true {
                _ = announcements.noteIncomplete(patience: configuration.announcementPatience, at: now)
            }
        }
    }
}
