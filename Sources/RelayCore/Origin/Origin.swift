import ReflectorModel
import RelayWire

/// The entrypoint's part of a node: it numbers and seals the streams of its encoders (`Origin+Streams`), and announces
/// them to the set reflectors that the zone names.
struct Origin {
    private var announcer = Announcer()
    /// Streams that the node could pull.
    private var offers: [StreamName: Offer] = [:]
    /// The node is about to stop, and announces its streams as lapsed, so that others lead them.
    private var isLeaving = false

    /// A stream that the node could pull. It is announced once the zone has named its portset.
    private struct Offer {
        var portset: PortsetID?
    }

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

    /// What the node has of a stream has changed: announces it at once, or shortly after if a change was sent recently.
    mutating func announceChange(of stream: StreamName, at now: MonotonicInstant, _ core: inout NodeCore) {
        announcer.noteChange(of: stream)
        sendChanges(at: now, &core)
    }

    /// Sends what has changed since the list was last sent.
    mutating func sendChanges(at now: MonotonicInstant, _ core: inout NodeCore) {
        switch announcer.due(at: now) {
        case .nothing: return
        case .later(let due): core.clock.scheduleNode(due)
        case .now:
            updateList(core)
            for link in core.links.parents.all
            where link.isForAnnouncing && link.isAlive && link.versionAnnounced != announcer.version {
                announcer.noteSent(at: now)
                sendList(on: link, since: link.versionAnnounced, at: now, &core)
            }
        }
    }

    /// A set reflector can be reached: sends the whole list.
    mutating func linkBecameAlive(_ link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        updateList(core)
        sendList(on: link, since: 0, at: now, &core)
    }

    /// A set reflector requests what it lacks of the list.
    mutating func onAnnouncePull(
        _ versionHeld: UInt64, on link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        // The list is long and the request short, so the node limits how often it answers. An honest set reflector
        // requests the list at most once per heartbeat.
        guard link.takePull(spacing: core.configuration.heartbeatInterval / 2, at: now) else { return }
        updateList(core)
        sendList(on: link, since: versionHeld, at: now, &core)
    }

    /// Sends a heartbeat with the version and digest of the list, if it is due.
    func sendHeartbeat(on link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        guard link.takeHeartbeat(interval: core.configuration.heartbeatInterval, at: now) else { return }
        var heartbeat = announcer.heartbeat(at: now)
        heartbeat.reportHeld = link.witness.version
        core.send(.heartbeat(heartbeat), on: link, at: now)
    }

    private func sendList(on link: ParentLink, since held: UInt64, at now: MonotonicInstant, _ core: inout NodeCore) {
        for page in announcer.pages(since: held) { core.send(.announce(page), on: link, at: now) }
        link.noteAnnounced(announcer.version)
    }

    private mutating func updateList(_ core: borrowing NodeCore) {
        announcer.update(source: core.context.id) { [isLeaving, offers] name in
            if let stream = core.streams[name], let source = stream.origin {
                guard let portset = stream.portset, let incarnation = stream.incarnation else { return nil }
                return Announce.Entry(
                    stream: name, portset: portset, incarnation: incarnation.incarnation,
                    supply: isLeaving ? .lapsed : source.announced)
            }
            guard !isLeaving, let portset = offers[name]?.portset else { return nil }
            return Announce.Entry(stream: name, portset: portset, incarnation: .none, supply: .able)
        }
    }

    /// The node is about to stop: others should lead its streams.
    mutating func leave(at now: MonotonicInstant, _ core: inout NodeCore) {
        guard !isLeaving else { return }
        isLeaving = true
        for stream in core.streams.all where stream.origin != nil { announcer.noteChange(of: stream.name) }
        for stream in offers.keys.sorted() { announcer.noteChange(of: stream) }
        sendChanges(at: now, &core)
    }

    // MARK: Offers

    func isOffered(_ stream: StreamName) -> Bool { offers[stream] != nil }

    mutating func offer(_ stream: StreamName) { if offers[stream] == nil { offers[stream] = Offer() } }

    mutating func withdrawOffer(_ stream: StreamName, at now: MonotonicInstant, _ core: inout NodeCore) {
        offers[stream] = nil
        announceChange(of: stream, at: now, &core)
    }

    /// Announces an offered stream once its portset is known.
    mutating func learnPortset(
        _ portset: PortsetID, ofOffer stream: StreamName, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard let offer = offers[stream], offer.portset != portset else { return }
        offers[stream]?.portset = portset
        announceChange(of: stream, at: now, &core)
    }

    // MARK: Look-ups

    /// The streams whose candidate lists must be marked as used now. Then the directory does not forget the lists
    /// (`ParentDirectory.idleMax`), and repeats look-ups that the shell lost. Empty most of the time.
    mutating func streamsToRenew(at now: MonotonicInstant, _ core: borrowing NodeCore) -> [StreamName] {
        guard announcer.takeNamesDue(at: now) else { return [] }
        let offered = offers.keys.sorted().filter { core.streams[$0]?.origin == nil }
        return core.streams.all.filter { $0.origin != nil }.map(\.name) + offered
    }

    /// Announces a stream once its portset is known.
    mutating func learnPortset(
        _ portset: PortsetID, of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        stream.learn(portset)
        announceChange(of: stream.name, at: now, &core)
    }
}
