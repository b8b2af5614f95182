import ReflectorModel
import RelayWire

/// Both ends of links: the handshake, who may open a link, leases and heartbeats, reports from children, and probes.
///
/// ```
/// Hello ─▶ Cookie ─▶ Open ─▶ identity, room ─▶ Opened ─▶ heartbeats, renewals ─▶ lease expires
/// ```
///
/// Until the child has returned the parent's cookie, and so proved that it receives at its address, the parent keeps no
/// state and sends only the cookie, in a message that is not larger than the Hello. An Open with the parent's own id is
/// refused even without a valid cookie.
struct LinkKeeper {
    /// What other parts of the node must do after a handshake message.
    enum Outcome {
        case nothing
        /// A child requests a link: the next step is `claim`.
        case open(Open)
        /// The parent has opened the link.
        case becameAlive(ParentLink)
        /// The parent refuses the link, or (without a reason) it is not the host that the zone names there.
        case refused(ParentLink, RefusedReason?)
    }

    /// What children received and missed, over all links. Read by answers to probes and by tests.
    private(set) var reports = ReportTotals()
    /// False at an edge, which serves no children.
    let checksIdentities: Bool

    init(checksIdentities: Bool) { self.checksIdentities = checksIdentities }

    /// Processes a handshake message, from either end.
    mutating func receive(
        _ datagram: UnsafeRawBufferPointer, from source: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore
    ) throws(WireError) -> Outcome {
        let message = try HandshakeCodec.decode(datagram)
        guard HandshakeCodec.verify(datagram, crypto: core.crypto) else {
            core.context.count(.rejectedHandshakeMAC)
            return .nothing
        }
        switch message {
        case .hello(let phase, _, let node, let nonce):
            sendCookie(keyPhase: phase, to: source, node: node, nonce: nonce, at: now, &core)
            return .nothing
        case .cookie(_, let nonce, let cookie):
            onCookie(cookie, nonce: nonce, from: source, at: now, &core)
            return .nothing
        case .open(let open): return isAuthentic(open, from: source, at: now, &core) ? .open(open) : .nothing
        case .opened(let opened): return onOpened(opened, from: source, at: now, &core)
        case .refused(_, let reason, let nonce): return onRefused(reason, nonce: nonce, from: source, &core)
        case .probe(let probe):
            answer(probe, from: source, at: now, &core)
            return .nothing
        case .probeReport:
            core.context.count(.rejectedUnexpected)
            return .nothing
        }
    }

    /// Counts one round of reports if it is due.
    mutating func countReports(at now: MonotonicInstant, _ links: borrowing LinkTable) {
        guard reports.isDue(at: now) else { return }
        reports.count(
            links.children.all.map { child in
                let new = child.report.takeNew()
                return ReportTotals.Vote(
                    address: LinkShares.key(child.endpoint.address), received: new.received, lost: new.lost)
            })
    }
}
