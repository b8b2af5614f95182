import DequeModule
import ReflectorModel
import RelayWire

/// What all parts of a node work on: the links, the streams, the packet log, the timers and the output. Each part gets it
/// as its one `inout` argument and keeps the rest of its state to itself.
///
/// A part changes of a link or a stream only what belongs to the part. What another part must do then, it posts as a
/// `NodeEvent`; the node drains the events.
struct NodeCore: ~Copyable {
    /// Configuration, keys and random numbers to read; counters and requests to the shell to write.
    var context: RelayContext
    /// As in the context; a constant here, so that no packet pays for counting references to it.
    let crypto: any PacketCrypto
    var clock: NodeClock
    let log: PacketLog
    var links = LinkTable()
    var streams = StreamTable()
    var egress: EgressScheduler
    var meter: LinkMeter
    /// Few: the node drains them after each call of a part.
    private var events = Deque<NodeEvent>()

    init(
        configuration: RelayConfiguration, crypto: any PacketCrypto, seed: UInt64,
        makeMeasurements: (() -> any LinkMeasurements)?, now: MonotonicInstant
    ) {
        context = RelayContext(configuration: configuration, crypto: crypto, seed: seed)
        self.crypto = crypto
        clock = NodeClock(startedAt: now)
        log = PacketLog(packetsMax: configuration.packetsMax, span: configuration.logSpan)
        egress = EgressScheduler(configuration)
        meter = LinkMeter(makeMeasurements)
    }

    var configuration: RelayConfiguration { @inline(__always) _read { yield context.configuration } }

    /// When the node must be called again, if nothing arrives before.
    var nextTimeout: MonotonicInstant { mutating get { min(clock.next(links, streams), egress.flushAt) } }

    /// Called before timers run: counts a wake-up that is late.
    mutating func noteWakeUp(at now: MonotonicInstant) {
        if clock.noteWakeUp(links, streams, at: now) { context.count(.lateWakeups) }
    }

    /// The next timer that is due, taken out. Nil if there is none.
    mutating func takeDue(at now: MonotonicInstant) -> NodeClock.Due? { clock.takeDue(links, streams, at: now) }

    /// Fills the batch with what is due. True if more waits.
    mutating func transmit(at now: MonotonicInstant, into batch: inout DatagramBatch) -> Bool {
        egress.transmit(links, streams, log, at: now, into: &batch, &context)
    }

    // MARK: Events

    mutating func post(_ event: NodeEvent) { events.append(event) }

    /// The event that was posted first.
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
            remote: link.endpoint, local: link.local, token: link.childToken,
            counter: link.session.takeCounter(), key: keys.parentToChild)
        egress.send(message, to: address, at: now, &context)
    }

    mutating func send(
        _ message: HandshakeMessage, to endpoint: Endpoint, from local: UInt8, at now: MonotonicInstant
    ) {
        egress.send(message, to: endpoint, from: local, at: now, &context)
    }

    /// Queues a packet for the children of its stream, and wakes backlogs that waited for it.
    mutating func forward(
        _ slot: Int32, _ sequence: SequenceNumber, of stream: StreamState, isRepair: Bool, at now: MonotonicInstant
    ) {
        egress.forward(slot, sequence, of: stream, isRepair: isRepair, log, at: now, &context)
        for slot in egress.takeAwakened() {
            if let link = links.children[slot] { clock.schedule(link, now) }
        }
    }

    /// Moves the link's backlogs on.
    mutating func pump(_ link: ChildLink, at now: MonotonicInstant) {
        if let wake = egress.pumpBacklog(of: link, streams, log, at: now, &context) { clock.schedule(link, wake) }
    }

    // MARK: Streams

    /// Nobody may want the stream any more: the node goes on with it for a while.
    mutating func noteDemand(of stream: StreamState, at now: MonotonicInstant) {
        guard stream.origin == nil, !stream.hasDemand, stream.times.leaveAt == nil else { return }
        let leaveAt = now + (configuration.role == .edge ? configuration.leaveGrace : configuration.relayLeaveGrace)
        stream.times.endDemand(leaveAt: leaveAt)
        clock.schedule(stream, leaveAt)
    }

    /// Viewers hear that a stream cannot be had, and the status shows it for a while.
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
