import NodeIdentity
import ReflectorModel
import RelayWire

/// Both ends of links: the handshake, who may open a link, leases and heartbeats, reports from children, and probes.
///
/// ```
/// Hello ─▶ Cookie ─▶ Open ─▶ identity, room ─▶ Opened ─▶ heartbeats, renewals ─▶ lease expires
/// ```
///
/// Until the child has returned the parent's cookie, and so proved that it receives at its address, the parent keeps no
/// state and sends only the cookie, in a message that is not larger than the Hello. After that it finds out who the
/// child is, one child at a time.
struct LinkKeeper {
    /// What other parts of the node must do after a handshake message.
    enum Outcome {
        case nothing
        /// A child's Open waits for its turn, which may be now.
        case openWaits
        /// The parent has opened the link.
        case becameAlive(ParentLink)
        /// The link has new keys.
        case renewed(ParentLink)
        /// The parent refuses the link, or (without a reason) it is not fit to be the parent.
        case refused(ParentLink, HandshakeRefusal?)
    }

    /// What children received and missed, over all links. Read by answers to probes and by tests.
    private(set) var reports = ReportTotals()
    /// False at an edge, which serves no children.
    let checksIdentities: Bool
    /// Opens that wait for their turn.
    private var opens = OpenQueue()
    /// Limits the answers to Hellos.
    private var cookies = TokenBucket(rate: 20_000, depth: 20_000)

    init(checksIdentities: Bool) { self.checksIdentities = checksIdentities }

    /// Processes a handshake message, from either end.
    mutating func receive(
        _ datagram: UnsafeRawBufferPointer, from source: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore
    ) throws(WireError) -> Outcome {
        switch try HandshakeCodec.decode(datagram) {
        case .hello(let hello):
            sendCookie(for: hello, to: source, at: now, &core)
            return .nothing
        case .open(let open):
            return enqueue(open, from: source, at: now, &core) ? .openWaits : .nothing
        case .cookie(let cookie):
            onCookie(cookie, from: source, at: now, &core)
            return .nothing
        case .opened(let opened): return onOpened(opened, from: source, at: now, &core)
        case .refused(let refused): return onRefused(refused, from: source, at: now, &core)
        }
    }

    // MARK: Limits of handshakes

    /// True if a Hello may be answered now. Takes a token for it.
    mutating func mayAnswerHello(at now: MonotonicInstant) -> Bool { cookies.take(at: now) }

    /// Lets an Open wait for its turn. False if there is no room.
    mutating func wait(_ open: OpenQueue.Waiting, at now: MonotonicInstant) -> Bool { opens.append(open, at: now) }

    /// Removes and returns the Open whose turn it is now.
    mutating func takeOpen(at now: MonotonicInstant) -> OpenQueue.Waiting? { opens.take(at: now) }

    /// Number of Opens that wait.
    var opensWaiting: Int { opens.count }

    func scheduleOpens(_ core: inout NodeCore) {
        if let next = opens.nextTimeout { core.clock.scheduleOpens(next) }
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
