import ReflectorModel
import RelayWire

/// A node of the reflector network: entrypoint, set reflector or edge reflector, as one state machine without sockets,
/// clock or randomness of its own. The daemons and the simulator run the same code.
///
/// Datagrams and instants enter through `receive` and `handleTimeout`; datagrams leave through `transmit`, requests to
/// the shell through `nextAction`, and an edge's streams through its `StreamSink`. The owner calls again at
/// `nextTimeout`. One event loop owns a node.
///
/// A release build omits Swift's run-time check for overlapping accesses (`hotPath` in Package.swift), since it took a
/// quarter of the time spent in our own code. Accesses cannot overlap: one loop owns the node, and no access to its
/// properties calls out of the node while it lasts.
///
/// The node only routes: each part below owns its state and changes only itself and `NodeCore`. A part reports
/// consequences for other parts as a small enum if the order matters, or else posts a `NodeEvent`.
///
/// ```
/// receive ─▶ LinkKeeper ─▶ links     ─▶ control ─▶ Server, Fetcher, AnnouncementRegistry
///        └─▶ Receiver   ─▶ log, gaps ─▶ NodeCore.forward ─▶ children's queues ─▶ transmit
///                                └─▶ delivery in order (edge) ─▶ StreamSink
/// ingest  ─▶ Origin ────────────────────▶ NodeCore.forward
/// look-up ─▶ Fetcher ─▶ Subscribe to parents
/// ```
public final class RelayNode {
    /// The state that the parts below share.
    var core: NodeCore

    // The parts. Only the node's routing calls them; tests read them.
    var linkKeeper: LinkKeeper
    let receiver: Receiver
    var fetcher: Fetcher
    var server: Server
    /// What entrypoints announce here.
    var announcements = AnnouncementRegistry()
    /// Present at an entrypoint.
    var origin: Origin?
    /// Present at a set reflector: it observes entrypoints, and votes on who leads each stream.
    var witness: Witness?
    /// Present at an entrypoint: it is a candidate for streams.
    var candidacy: Candidacy?
    /// Present at an edge or a set reflector whose region has other members.
    var region: Region?

    /// - Parameters:
    ///   - handshakes: who the node is; its certificate has the name and the role of the configuration.
    ///   - seed: for jitter; random in a daemon, fixed in the simulator.
    ///   - sink: where an edge delivers. Held weakly.
    ///   - makeMeasurements: creates the storage for a link's measurements; if nil, nothing is recorded.
    public init(
        configuration: RelayConfiguration, crypto: any PacketCrypto, handshakes: any LinkHandshakes, seed: UInt64,
        sink: (any StreamSink)?, makeMeasurements: (() -> any LinkMeasurements)? = nil, now: MonotonicInstant
    ) {
        core = NodeCore(
            configuration: configuration, crypto: crypto, handshakes: handshakes, seed: seed,
            makeMeasurements: makeMeasurements, now: now)
        linkKeeper = LinkKeeper(checksIdentities: configuration.role != .edge)
        receiver = Receiver(
            playOut: configuration.role == .edge ? PlayOut(sink: sink, deadline: configuration.playOutDeadline) : nil,
            forwards: configuration.role != .edge || !configuration.neighbours.isEmpty)
        fetcher = Fetcher(configuration)
        let supply: Server.Supply =
            switch configuration.role {
            case .entrypoint: .own
            case .edge: configuration.neighbours.isEmpty ? .none : .region
            case .set, .observer: .fetched
            }
        server = Server(supply: supply, capacity: configuration.capacity)
        origin = configuration.role == .entrypoint ? Origin() : nil
        witness = configuration.role == .set ? Witness() : nil
        candidacy = configuration.role == .entrypoint ? Candidacy() : nil
        region = configuration.neighbours.isEmpty ? nil : Region(configuration, at: now)
        if origin != nil { core.clock.scheduleNode(now) }
        if region != nil { core.clock.scheduleRegion(now) }
    }

    public var configuration: RelayConfiguration { @inline(__always) _read { yield core.context.configuration } }
    public var id: NodeID { core.context.id }
    public var counters: RelayCounters { @inline(__always) _read { yield core.context.counters } }
    /// Iterations of loops whose length others can influence, for tests.
    var work: UInt64 { core.context.work }

    /// Processes one datagram. Never traps, whatever the bytes: a datagram that is malformed or not authentic is
    /// counted by its reason and dropped.
    ///
    /// - Parameter local: number of our own address to which it was sent, as assigned by the owner; answers leave from
    ///   there (`DatagramBatch.Entry.local`). 0 if there is only one.
    public func receive(
        _ datagram: UnsafeRawBufferPointer, from source: Endpoint, to local: UInt8 = 0,
        at now: MonotonicInstant
    ) {
        core.context.count(.datagramsReceived)
        core.context.begin(at: local)
        defer { core.context.begin(at: 0) }
        do throws(WireError) {
            switch try DatagramType.of(datagram) {
            case .data: try receiveData(datagram, from: source, at: now)
            case .control: try receiveControl(datagram, from: source, at: now)
            case .hello, .cookie, .open, .opened, .refused:
                try receiveHandshake(datagram, from: source, at: now)
            }
        } catch {
            core.context.count(error == .badVersion ? .rejectedVersion : .rejectedMalformed)
        }
    }

    /// When `handleTimeout` or `transmit` is next due if nothing arrives before. `.distantFuture` when idle.
    public var nextTimeout: MonotonicInstant { core.nextTimeout }

    /// The node has not run for longer than it wanted, perhaps because the machine was suspended. Call it before `receive`
    /// is called for what has waited in the socket meanwhile.
    public func noteWakeUp(at now: MonotonicInstant) { core.noteWakeUp(at: now) }

    /// Runs every timer that is due.
    public func handleTimeout(at now: MonotonicInstant) {
        if core.endCatchingUp(at: now) { reopenLinks(at: now) }
        // Limits one call, in case timers ever trigger each other.
        for _ in 0..<100_000 {
            switch core.takeDue(at: now) {
            case nil: return
            case .parentLink(let link): handleTimer(of: link, at: now)
            case .childLink(let link): handleTimer(of: link, at: now)
            case .stream(let stream): handleTimer(of: stream, at: now)
            case .node: handleNodeTimer(at: now)
            case .requests: handleRequests(at: now)
            case .opens: handleOpens(at: now)
            case .election: handleElectionTimer(at: now)
            case .region: handleRegionTimer(at: now)
            }
        }
    }

    /// The next request to the shell.
    public func nextAction() -> RelayAction? { core.context.popAction() }

    /// True when `transmit` has something to send now.
    public func hasOutput(at now: MonotonicInstant) -> Bool { core.egress.hasOutput(at: now) }

    /// Fills the batch with the datagrams that are due. True if there are more: send the batch, empty it, and call
    /// again. Bodies point into the node's log and are valid until the next call of any other method.
    public func transmit(at now: MonotonicInstant, into batch: inout DatagramBatch) -> Bool {
        core.transmit(at: now, into: &batch)
    }

    // MARK: What parts report

    /// Carries out, in the other parts, the consequences of what one part did.
    func drainEvents(at now: MonotonicInstant) {
        while let event = core.takeEvent() {
            switch event {
            case .unavailable(let stream, let reason): onUnavailable(stream, reason, at: now)
            case .portsetLearned(let stream, let portset):
                for child in stream.children { core.checkClaim(of: child, stream, zone: portset, at: now) }
            case .announcerListed(let link): announcements.confirm(link)
            case .announcerDied(let link):
                announcements.presumeDead(link)
                core.clock.scheduleElection(now)
            case .announcementContradicted(let link, let stream):
                announcements.noteContradiction(of: stream, by: link, at: now, &core)
            }
        }
    }
}
