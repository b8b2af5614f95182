import ReflectorModel
import RelayWire

/// Routes events on links: the handshake with parents and children, and the timers of children's links.
extension RelayNode {
    func receiveHandshake(
        _ datagram: UnsafeRawBufferPointer, from source: Endpoint, at now: MonotonicInstant
    ) throws(WireError) {
        switch try linkKeeper.receive(datagram, from: source, at: now, &core) {
        case .nothing: break
        case .open(let open): onOpen(open, from: source, at: now)
        case .becameAlive(let link):
            linkBecameAlive(link, at: now)
            handleTimer(of: link, at: now)
        case .refused(let link, let reason):
            noteRefusal(of: link, reason, at: now)
            fail(link, at: now)
        }
    }

    /// A child that has proved that it receives at its address requests a link.
    private func onOpen(_ open: Open, from source: Endpoint, at now: MonotonicInstant) {
        if let conflict = conflict(of: open, from: source, at: now) {
            linkKeeper.report(conflict, at: now, &core)
            return linkKeeper.refuse(open, .identity, to: source, at: now, &core)
        }
        while true {
            switch linkKeeper.admit(open, from: source, at: now, &core) {
            case .done: return
            case .close(let link): remove(link, at: now)
            case .ready:
                guard let link = linkKeeper.accept(open, from: source, at: now, &core) else { return }
                return handleTimer(of: link, at: now)
            }
        }
    }

    private func conflict(of open: Open, from source: Endpoint, at now: MonotonicInstant) -> IdentityConflict? {
        switch linkKeeper.claim(of: open, from: source) {
        case .conflict(let conflict): return conflict
        case .unknown: return nil
        case .host(let host):
            fetcher.use(.node(host: host), at: now, &core)
            let answer = fetcher.directory.answer(.node(host: host), at: now)
            return linkKeeper.conflict(of: open, host, answer, from: source, core.links)
        }
    }

    /// The zone's answer about a host has arrived: closes the links of nodes whose identity it contradicts.
    func checkIdentities(of host: String, at now: MonotonicInstant) {
        guard linkKeeper.checksIdentities else { return }
        let answer = fetcher.directory.answer(.node(host: host), at: now)
        let node = NodeID(name: host)
        for link in core.links.children.all
        where link.node == node && linkKeeper.isImpostor(link, host, answer, at: now, &core) {
            remove(link, at: now)
        }
    }

    func handleTimer(of link: ChildLink, at now: MonotonicInstant) {
        guard linkKeeper.isLeased(link, at: now, &core) else { return remove(link, at: now) }
        server.endExpired(on: link, at: now, &core)
        core.pump(link, at: now)
        linkKeeper.handleTimer(of: link, at: now, &core)
    }

    /// The largest payload in bytes that all paths of a stream carry; nil if that is the usual size, or if there is no
    /// such stream.
    public func payloadLimit(of name: StreamName) -> Int? {
        guard let stream = core.streams[name] else { return nil }
        return stream.payloadLimit.isUsual ? nil : stream.payloadLimit.bytes
    }
}
