import ReflectorModel
import RelayWire

/// The entrypoint's part of a node: it numbers and seals the streams of its encoders (`Origin+Streams`), and announces
/// them to the set reflectors that the zone names.
struct Origin {
    private var announcer = Announcer()
    /// Streams that the node could pull, sorted, and their portsets once the zone has named them.
    private(set) var offers: [(stream: StreamName, portset: PortsetID?)] = []
    /// The node is about to stop, and announces its streams as lapsed, so that others lead them.
    private var isLeaving = false

    // MARK: Set reflectors

    /// The set reflectors to announce to.
    var targets: [HostAddresses] { announcer.targets }

    /// The zone names these set reflectors.
    mutating func follow(_ targets: [HostAddresses]) { announcer.follow(targets) }

    /// Links to set reflectors that the zone no longer names.
    func unlistedTargets(_ core: borrowing NodeCore) -> [ParentLink] {
        core.links.parents.all.filter { $0.isForAnnouncing && announcer.isUnlisted($0.endpoint) }
    }

    /// True if a link to a set reflector is alive.
    func isHeard(_ core: borrowing NodeCore) -> Bool {
        core.links.parents.all.contains { $0.isForAnnouncing && $0.isAlive }
    }

    // MARK: The list of streams

    /// The list of streams has changed: sends it at once, or shortly after if a list was sent recently.
    mutating func announceChange(at now: MonotonicInstant, _ core: inout NodeCore) {
        announcer.noteChange()
        sendOwedList(at: now, &core)
    }

    /// Sends the list if it has changed since it was last sent.
    mutating func sendOwedList(at now: MonotonicInstant, _ core: inout NodeCore) {
        switch announcer.takeDue(at: now) {
        case .nothing: return
        case .later(let due): core.clock.scheduleNode(due)
        case .now:
            for link in core.links.parents.all where link.isForAnnouncing && link.isAlive {
                announcer.noteSent(at: now)
                sendList(on: link, at: now, &core)
            }
        }
    }

    /// Sends the whole list, in pages.
    func sendList(on link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        for page in announcer.pages(of: entries(core.streams)) {
            core.send(.announce(page), on: link, at: now)
        }
    }

    /// A set reflector requests the list.
    func onAnnouncePull(on link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        // The list is long and the request short, so the node limits how often it answers. An honest set reflector
        // requests the list at most once per heartbeat.
        guard link.takePull(spacing: core.configuration.heartbeatInterval / 2, at: now) else { return }
        sendList(on: link, at: now, &core)
    }

    /// Sends a heartbeat with the version and digest of the list, if it is due.
    mutating func sendHeartbeat(on link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        guard link.takeHeartbeat(interval: core.configuration.heartbeatInterval, at: now) else { return }
        let list = entries
        var heartbeat = announcer.heartbeat(source: core.context.id, entries: { list(core.streams) }, at: now)
        heartbeat.reportHeld = link.witness.version
        core.send(.heartbeat(heartbeat), on: link, at: now)
    }

    private func entries(_ streams: borrowing StreamTable) -> [Announce.Entry] {
        var entries: [Announce.Entry] = streams.all.compactMap { stream in
            guard let source = stream.origin, let portset = stream.portset, let incarnation = stream.incarnation else {
                return nil
            }
            return Announce.Entry(
                stream: stream.name, portset: portset, incarnation: incarnation.incarnation,
                supply: isLeaving ? .lapsed : source.announced)
        }
        for (stream, portset) in offers where streams[stream]?.origin == nil {
            guard let portset, !isLeaving else { continue }
            entries.append(Announce.Entry(stream: stream, portset: portset, incarnation: .none, supply: .able))
        }
        return entries
    }

    /// The node is about to stop: others should lead its streams.
    mutating func leave(at now: MonotonicInstant, _ core: inout NodeCore) {
        guard !isLeaving else { return }
        isLeaving = true
        announceChange(at: now, &core)
    }

    // MARK: Offers

    mutating func offer(_ stream: StreamName) { offers.append((stream, nil)) }

    mutating func withdrawOffer(_ stream: StreamName, at now: MonotonicInstant, _ core: inout NodeCore) {
        offers.removeAll { $0.stream == stream }
        announceChange(at: now, &core)
    }

    /// Announces an offered stream once its portset is known.
    mutating func learnPortset(
        _ portset: PortsetID, ofOffer stream: StreamName, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard let place = offers.firstIndex(where: { $0.stream == stream }), offers[place].portset != portset else {
            return
        }
        offers[place].portset = portset
        announceChange(at: now, &core)
    }

    // MARK: Look-ups

    /// The streams whose candidate lists must be marked as used now. Then the directory does not forget the lists
    /// (`ParentDirectory.idleMax`), and repeats look-ups that the shell lost. Empty most of the time.
    mutating func streamsToRenew(at now: MonotonicInstant, _ core: borrowing NodeCore) -> [StreamName] {
        guard announcer.takeNamesDue(at: now) else { return [] }
        let offered = offers.map(\.stream).filter { core.streams[$0]?.origin == nil }
        return core.streams.all.filter { $0.origin != nil }.map(\.name) + offered
    }

    /// Announces a stream once its portset is known.
    mutating func learnPortset(
        _ portset: PortsetID, of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard stream.portset != portset else { return }
        stream.learn(portset)
        announceChange(at: now, &core)
    }
}
