import ReflectorModel
import RelayWire

/// Links from both ends: the handshake, who may open one, leases and heartbeats, what children report, and probes.
///
/// ```
/// Hello ─▶ Cookie ─▶ Open ─▶ identity, room ─▶ Opened ─▶ heartbeats, renewals ─▶ lease expires
/// ```
///
/// A parent holds nothing and sends nothing but a cookie, no longer than the Hello, until the child has shown by the cookie
/// that it receives at its address.
struct LinkKeeper {
    /// What follows in other parts from a message of the handshake.
    enum Outcome {
        case nothing
        /// A child asks for a link: next is `claim`.
        case open(Open)
        /// The parent has opened the link.
        case becameAlive(ParentLink)
        /// The parent refuses the link, or (without a reason) it is not the host that the zone names there.
        case refused(ParentLink, RefusedReason?)
    }

    /// What children received and missed, over all links. Read by the answers to probes and by tests.
    private(set) var reports = ReportTotals()
    /// False at an edge, which gives nobody anything.
    let checksIdentities: Bool

    init(checksIdentities: Bool) { self.checksIdentities = checksIdentities }

    /// Takes a message of the handshake, from either end.
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

    /// Counts a round of reports, if it is time.
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
