import NodeIdentity
import ReflectorModel
import RelayWire

/// Routes events on links: the handshake with parents and children, and the timers of children's links.
extension RelayNode {
    func receiveHandshake(
        _ datagram: UnsafeRawBufferPointer, from source: Endpoint, at now: MonotonicInstant
    ) throws(WireError) {
        switch try linkKeeper.receive(datagram, from: source, at: now, &core) {
        case .nothing: break
        case .openWaits: handleOpens(at: now)
        case .becameAlive(let link):
            linkBecameAlive(link, at: now)
            handleTimer(of: link, at: now)
        case .renewed(let link):
            // The parent uses the new keys after the first message under them.
            sendRenew(on: link, at: now)
        case .refused(let link, let reason):
            noteRefusal(of: link, reason, at: now)
            fail(link, at: now)
        }
    }

    /// Handles the next Open that waits.
    func handleOpens(at now: MonotonicInstant) {
        defer {
            core.context.begin(at: 0)
            linkKeeper.scheduleOpens(&core)
        }
        guard let (applicant, source) = linkKeeper.nextApplicant(at: now, &core) else { return }
        if linkKeeper.checksIdentities { fetcher.use(.node(host: applicant.name), at: now, &core) }
        let answer = fetcher.directory.answer(.node(host: applicant.name), at: now)
        guard linkKeeper.isConsistent(applicant, with: answer, from: source, at: now, &core) else { return }
        if applicant.request.renewedToken != 0, linkKeeper.renew(applicant, from: source, at: now, &core) { return }
        while true {
            switch linkKeeper.admit(applicant, from: source, at: now, &core) {
            case .done: return
            case .close(let link): remove(link, at: now)
            case .ready:
                guard let link = linkKeeper.accept(applicant, from: source, at: now, &core) else { return }
                if region?.isMember(link, core.configuration) == true {
                    fetcher.noteReachable(link.endpoint, at: now, &core)
                }
                return handleTimer(of: link, at: now)
            }
        }
    }

    // MARK: Identities

    /// Certificates, operators' keys or revocations have changed: links of peers that are no longer believed end, and
    /// the others present this node's certificate again if it is new.
    public func identitiesChanged(isOwnNew: Bool, at now: MonotonicInstant) {
        for link in core.links.children.all where linkKeeper.isDistrusted(link, at: now, &core) {
            remove(link, at: now)
        }
        for link in core.links.parents.all where link.isAlive {
            if linkKeeper.isDistrusted(link, at: now, &core) {
                fail(link, at: now)
            } else if isOwnNew {
                linkKeeper.renewSoon(link, at: now, &core)
            }
        }
    }

    /// The zone's answer about a host has arrived: closes the links of nodes whose identity it contradicts.
    func checkIdentities(of host: String, at now: MonotonicInstant) {
        guard linkKeeper.checksIdentities else { return }
        let answer = fetcher.directory.answer(.node(host: host), at: now)
        for link in core.links.children(of: NodeID(name: host))
        where linkKeeper.isImpostor(link, host, answer, at: now, &core) {
            remove(link, at: now)
        }
    }

    func handleTimer(of link: ChildLink, at now: MonotonicInstant) {
        guard linkKeeper.isLeased(link, at: now, &core) else { return remove(link, at: now) }
        guard linkKeeper.tendKeys(of: link, at: now, &core) else { return remove(link, at: now) }
        server.endExpired(on: link, at: now, &core)
        core.pump(link, at: now)
        linkKeeper.handleTimer(of: link, at: now, &core)
        drainEvents(at: now)
    }

    /// An ICMP message says that nobody listens on the port to which this node sent the quoted datagram.
    public func portUnreachable(_ destination: Endpoint, quoted: UnsafeRawBufferPointer, at now: MonotonicInstant) {
        let (parent, child) = core.refusedLinks(destination, quoted: quoted)
        if let parent, fetcher.noteRefusal(of: parent, at: now, &core) { fail(parent, at: now) }
        if let child { linkKeeper.noteRefusal(of: child, at: now, &core) }
        drainEvents(at: now)
    }

    /// The largest payload in bytes that all paths of a stream carry; nil if that is the usual size, or if there is no
    /// such stream.
    public func payloadLimit(of name: StreamName) -> Int? {
        guard let stream = core.streams[name] else { return nil }
        return stream.payloadLimit.isUsual ? nil : stream.payloadLimit.bytes
    }
}
