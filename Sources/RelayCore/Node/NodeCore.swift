import DequeModule
import ReflectorModel
import RelayWire

/// The state that all parts of a node share: the links, the streams, the packet log, the timers and the output. Each
/// part gets it as its one `inout` argument and keeps the rest of its state to itself.
///
/// A part changes only those fields of a link or a stream that belong to the part. It returns what another part must do
/// next, or posts a `NodeEvent` where the order does not matter.
struct NodeCore: ~Copyable {
    /// What the parts read (configuration, keys and random numbers) and write (counters and requests to the shell).
    var context: RelayContext
    /// The same object as in the context. This second constant for it saves reference counting for each packet.
    let crypto: any PacketCrypto
    var clock: NodeClock
    let log: PacketLog
    var links = LinkTable()
    var streams = StreamTable()
    var egress: EgressScheduler
    var meter: LinkMeter
    /// Feeds on the LAN from which streams are taken.
    var lan = LanFeeds()
    /// A short queue: the node drains it after each call of a part that can post an event.
    private var events = Deque<NodeEvent>()

    init(
        configuration: RelayConfiguration, crypto: any PacketCrypto, handshakes: any LinkHandshakes, seed: UInt64,
        makeMeasurements: (() -> any LinkMeasurements)?, now: MonotonicInstant
    ) {
        context = RelayContext(configuration: configuration, crypto: crypto, handshakes: handshakes, seed: seed)
        self.crypto = crypto
        clock = NodeClock(startedAt: now)
        log = PacketLog(packetsMax: configuration.packetsMax, span: configuration.logSpan)
        egress = EgressScheduler(configuration)
        meter = LinkMeter(makeMeasurements)
    }

    var configuration: RelayConfiguration { @inline(__always) _read { yield context.configuration } }

    /// Fills the batch with the datagrams that are due. True if there are more.
    mutating func transmit(at now: MonotonicInstant, into batch: inout DatagramBatch) -> Bool {
        egress.transmit(links, streams, log, at: now, into: &batch, &context)
    }

    // MARK: Events

    mutating func post(_ event: NodeEvent) { events.append(event) }

    /// Removes and returns the oldest event.
    mutating func takeEvent() -> NodeEvent? { events.popFirst() }

    // MARK: Sending

    mutating func send(_ message: RelayMessage, on link: ParentLink, at now: MonotonicInstant) {
        guard link.isAlive, let keys = link.session.keys else { return }
        let address = EgressScheduler.Address(
            remote: link.remote, local: link.local, token: link.parentToken,
            counter: link.session.takeCounter(), key: keys.childToParent)
        egress.send(message, to: address, at: now, &context)
    }

    mutating func send(_ message: RelayMessage, on link: ChildLink, at now: MonotonicInstant) {
        guard let keys = link.session.keys else { return }
        link.noteSent(at: now)
        let address = EgressScheduler.Address(
            remote: link.endpoint, local: link.local, token: link.token,
            counter: link.session.takeCounter(), key: keys.parentToChild)
        egress.send(message, to: address, at: now, &context)
    }

    mutating func send(
        _ message: HandshakeMessage, to endpoint: Endpoint, from local: UInt8, at now: MonotonicInstant
    ) {
        egress.send(message, to: endpoint, from: local, at: now, &context)
    }

    /// Queues a packet for the children of its stream, and resumes backlogs that waited for it.
    mutating func forward(
        _ slot: Int32, _ sequence: SequenceNumber, of stream: StreamState, isRepair: Bool, at now: MonotonicInstant
    ) {
        egress.forward(slot, sequence, of: stream, isRepair: isRepair, log, at: now, &context)
        for slot in egress.takeAwakened() {
            if let link = links.children[slot] { clock.schedule(link, now) }
        }
    }

    /// Advances the link's backlogs.
    mutating func pump(_ link: ChildLink, at now: MonotonicInstant) {
        if let wake = egress.pumpBacklog(of: link, streams, log, at: now, &context) { clock.schedule(link, wake) }
    }

    // MARK: Streams

    /// If nobody wants the stream any more, the node still keeps it for a while.
    mutating func noteDemand(of stream: StreamState, at now: MonotonicInstant) {
        guard stream.origin == nil, !stream.hasDemand, stream.times.leaveAt == nil else { return }
        let leaveAt = now + (configuration.role == .edge ? configuration.leaveGrace : configuration.relayLeaveGrace)
        stream.times.endDemand(leaveAt: leaveAt)
        clock.schedule(stream, leaveAt)
    }

    /// Tells viewers that a stream is unavailable, and adds it to the status's list of the newest such reports.
    mutating func reportUnavailable(_ name: StreamName, _ reason: UnavailableReason, at now: MonotonicInstant) {
        streams.noteUnavailable(name, reason, at: now)
        context.post(.unavailable(name, reason))
    }

    mutating func measure(_ link: any MeasuredLink) {
        guard meter.measure(link, countMax: configuration.measuredLinksMax) else {
            return context.count(.droppedMeasurementsFull)
        }
    }
}
