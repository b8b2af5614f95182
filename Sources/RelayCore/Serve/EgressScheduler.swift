import DequeModule
import ReflectorModel
import RelayWire

/// What leaves a node, and when: control messages at once, then runs of packets for each child, live packets before
/// retransmits and backlog. Packets may wait for a moment so that several share a system call (`SendCoalescer`).
struct EgressScheduler: ~Copyable {
    /// When queued output must leave; `.distantFuture` when nothing waits. Read by the node's `nextTimeout`.
    private(set) var flushAt: MonotonicInstant = .distantFuture
    private var control: ControlQueue
    private var coalescer: SendCoalescer
    private var budget: EgressBudget
    /// Slots of child links that have packets queued.
    private var dirty: [Int] = []
    /// Feeds on the LAN that have packets queued.
    private var dirtyOutlets: [LanOutlet] = []
    /// Those that have used up their burst in the current flush.
    private var deferredOutlets: [LanOutlet] = []
    /// Slots of those links that have used up their burst in the current flush.
    private var deferred: [Int] = []
    /// Slots of streams with live packets that wait for the flush.
    private var waitingStreams: [Int] = []
    /// Slots of child links whose backlog waited for a packet that has just arrived.
    private var awakened: [Int] = []

    init(_ configuration: RelayConfiguration) {
        control = ControlQueue(bytesMax: configuration.controlBytesMax)
        coalescer = SendCoalescer(interval: configuration.flushInterval)
        budget = EgressBudget(bitsPerSecond: configuration.capacity)
    }

    /// True when `transmit` has something to send now.
    func hasOutput(at now: MonotonicInstant) -> Bool { flushAt <= now }

    // MARK: Control

    /// Where a control message goes, and what authenticates it there.
    struct Address {
        var remote: Endpoint
        var local: UInt8
        var token: UInt64
        var counter: UInt64
        var key: MACKey
    }

    mutating func send(
        _ message: RelayMessage, to address: Address, at now: MonotonicInstant,
        _ context: inout RelayContext
    ) {
        let crypto = context.crypto
        var length = 0
        let isQueued = control.append(
            to: address.remote, from: address.local, lengthMax: WireLimits.controlLengthMax
        ) { buffer in
            length = ControlCodec.encode(
                message, token: address.token, counter: address.counter, into: buffer)
            ControlCodec.finish(
                UnsafeMutableRawBufferPointer(rebasing: buffer[..<length]), key: address.key, crypto: crypto
            )
            return length
        }
        if isQueued { budget.spend(bytes: length, datagrams: 1) }
        context.count(isQueued ? .controlSent : .droppedControlFull)
        flushAt = min(flushAt, now)
    }

    mutating func send(
        _ message: HandshakeMessage, to endpoint: Endpoint, from local: UInt8, at now: MonotonicInstant,
        _ context: inout RelayContext
    ) {
        let isQueued = control.append(
            to: endpoint, from: local, lengthMax: WireLimits.handshakeLengthMax
        ) { buffer in
            HandshakeCodec.encode(message, into: buffer)
        }
        context.count(isQueued ? .controlSent : .droppedControlFull)
        flushAt = min(flushAt, now)
    }

    // MARK: Packets

    /// Queues a packet for every child that should get it now: each live child, and each child whose backlog has
    /// already passed the number of the packet.
    mutating func forward(
        _ slot: Int32, _ sequence: SequenceNumber, of stream: StreamState, isRepair: Bool,
        _ log: PacketLog,
        at now: MonotonicInstant, _ context: inout RelayContext
    ) {
        guard !stream.children.isEmpty, let tag = stream.incarnation?.tag else { return }
        let queued = ChildQueues.Packet(slot: slot, sequence: sequence, tag: tag, isRetransmit: isRepair)
        coalescer.note(at: now)
        var queuedCount: UInt64 = 0
        for child in stream.fanOut where sequence.rawValue >= child.from {
            child.link._withUnsafeGuaranteedRef { link in
                guard sequence.rawValue < child.end else {
                    // The backlog had nothing left to send, and waits for this packet.
                    if sequence.rawValue == child.end { awakened.append(link.slot) }
                    return
                }
                guard enqueue(queued, on: link, at: now, &context) else { return }
                queuedCount += 1
                if isRepair {
                    link.responder.noteRepair(sequence.rawValue, of: child.subscription, at: now)
                }
            }
        }
        if let outlet = stream.lanOutlet {
            queuedCount += enqueue(queued, on: outlet, at: now, &context) ? 1 : 0
            if isRepair { outlet.noteRepair(sequence.rawValue, at: now) }
        }
        stream.departures.noteCopies(queuedCount)
        budget.refill(at: now)
        spend(slot, copies: Int(queuedCount), log)
        if queuedCount > 0, !isRepair { noteWaiting(stream, at: now) }
        flushAt = min(flushAt, coalescer.due(at: now))
    }

    /// Slots of links whose backlog has something to send again.
    mutating func takeAwakened() -> [Int] {
        guard !awakened.isEmpty else { return [] }
        defer { awakened.removeAll(keepingCapacity: true) }
        return awakened
    }

    /// Called once for each NAK, before `hasRoomForRetransmit` is read for each of its numbers.
    mutating func beginRetransmits(at now: MonotonicInstant) { budget.refill(at: now) }

    /// True if the node's capacity has room for a retransmit now.
    var hasRoomForRetransmit: Bool { budget.admits(.retransmit) }

    /// Queues a packet that a child has requested, for that child or for all members on the LAN.
    mutating func retransmit(
        _ packet: ChildQueues.Packet, of stream: StreamState, on link: some EgressLine, _ log: PacketLog,
        at now: MonotonicInstant, _ context: inout RelayContext
    ) {
        guard enqueue(packet, on: link, at: now, &context) else { return }
        stream.departures.noteCopies(1)
        spend(packet.slot, copies: 1, log)
    }

    /// Queues a packet for one child. A full live queue drops its oldest packet. Returns false if the packet is a
    /// retransmit and its queue is full. The caller updates `flushAt` for live packets.
    private mutating func enqueue(
        _ packet: ChildQueues.Packet, on link: some EgressLine, at now: MonotonicInstant,
        _ context: inout RelayContext
    ) -> Bool {
        let packetsMax = context.configuration.queuePacketsMax
        if packet.isRetransmit {
            guard link.queues.count(.repair) < packetsMax else {
                context.count(.droppedQueueFull)
                return false
            }
            link.queues.appendRepair(packet)
        } else if !link.queues.appendLive(packet, countMax: packetsMax) {
            context.count(.droppedQueueFull)
        }
        markDirty(link)
        // Live packets may wait so that several share a system call. A retransmit leaves at once, because a viewer
        // waits for it.
        if packet.isRetransmit { flushAt = min(flushAt, now) }
        return true
    }

    @inline(__always)
    private mutating func markDirty(_ line: some EgressLine) {
        guard line.queues.takeListing() else { return }
        if let link = line as? ChildLink { dirty.append(link.slot) }
        if let outlet = line as? LanOutlet { dirtyOutlets.append(outlet) }
    }

    private mutating func spend(_ slot: Int32, copies: Int, _ log: PacketLog) {
        budget.spend(
            bytes: copies * (Int(log[slot].length) + WireLimits.linkHeaderLength), datagrams: copies)
    }

    // MARK: Backlog

    /// A backlog moves on at least this often.
    private static let backlogInterval: TimeSpan = .milliseconds(2)
    /// The same limit while the node has no capacity for the backlog or nothing to send.
    private static let roomInterval: TimeSpan = .milliseconds(20)

    /// Queues more packets of each backlog of the link, as far as the child's multiple of the arrival rate and the
    /// node's capacity allow. The live rate of every child has priority over anything faster. So, as long as the live
    /// packets of all children fit, no backlog falls so far behind that the log overwrites what the child was promised.
    ///
    /// - Returns: when to call again; nil if no backlog is left.
    mutating func pumpBacklog(
        of link: ChildLink, _ streams: borrowing StreamTable, _ log: PacketLog,
        at now: MonotonicInstant,
        _ context: inout RelayContext
    ) -> MonotonicInstant? {
        var wake: TimeSpan?
        var backlogs = 0
        budget.refill(at: now)
        for subscription in link.ordered {
            guard case .backlog(let cursor) = subscription.state,
                let stream = streams[subscription.stream],
                let incarnation = stream.incarnation
            else { continue }
            backlogs += 1
            let due = pump(
                subscription, from: cursor, of: stream, incarnation, on: link, log, at: now, &context)
            if let due { wake = min(wake ?? Self.roomInterval, due) }
        }
        link.queues.noteBacklogs(backlogs)
        if link.queues.hasPackets { flushAt = min(flushAt, coalescer.due(at: now)) }
        return wake.map { now + $0 }
    }

    private mutating func pump(
        _ subscription: ChildSubscription, from first: UInt64, of stream: StreamState,
        _ incarnation: IncarnationState,
        on link: ChildLink, _ log: PacketLog, at now: MonotonicInstant, _ context: inout RelayContext
    ) -> TimeSpan? {
        let (burstMax, flushInterval) = (
            context.configuration.burstMax, context.configuration.flushInterval
        )
        let packetsMax = context.configuration.queuePacketsMax
        let arrivals = stream.arrivals.rate.perSecond(at: now)
        let pace = subscription.pace(most: context.configuration.backlogSixteenthsMax)
        let rate = max(arrivals, 50) * Double(pace) / 16
        let own = stream.isRateKnown(at: now) ? arrivals : 0
        subscription.accrue(rate: rate, own: own, most: burstMax, at: now)
        let isDrained = link.queues.count(.repair) == 0
        // A parent may have jumped ahead by any amount. Packets below the window are never held again, so the cursor
        // skips them.
        var cursor = max(first, incarnation.index.lowest)
        let use: EgressBudget.Use = subscription.start.isResume || subscription.isSplicing ? .resume : .preburst
        while cursor <= incarnation.index.highest, subscription.allowance >= 1_024,
            link.queues.count(.repair) < packetsMax,
            budget.admits(subscription.ownAllowance >= 1_024 ? .share : use)
        {
            if let slot = incarnation.index.slot(cursor, in: log) {
                link.queues.appendRepair(
                    ChildQueues.Packet(
                        slot: slot, sequence: SequenceNumber(cursor), tag: incarnation.tag, isRetransmit: false)
                )
                subscription.takeOne()
                spend(slot, copies: 1, log)
                stream.departures.noteCopies(1)
                context.count(.backlogSent)
                markDirty(link)
            }
            cursor += 1
        }
        let isAtEnd = cursor > incarnation.index.highest
        let isFilling = isAtEnd && stream.isFilling(at: now)
        if isAtEnd, isDrained, !isFilling {
            link.queues.becomeLive(at: now)
            subscription.serve(.live, of: stream)
            return nil
        }
        subscription.serve(.backlog(cursor: cursor), of: stream)
        // The next step comes when the allowance is full; after a longer wait, a fast stream could not catch up. The
        // wait is limited because a child may ask for a rate of 0.
        let full = min(Double(burstMax) / rate, Self.backlogInterval.seconds)
        let soonest = max(flushInterval, .microseconds(100))
        let paced = max(.nanoseconds(Int64(full * 1e9)), soonest)
        // A thousand children that wait for capacity must not wake the node for nothing.
        let room = min(max(budget.wait(for: use), paced), Self.roomInterval)
        let share = max(subscription.wait(own: own), budget.wait(for: .share))
        let next = min(room, max(share, paced))
        return isFilling ? Self.roomInterval : isAtEnd ? paced : next
    }

    // MARK: Transmit

    /// Fills the batch with what is due. True if more is due than fits.
    mutating func transmit(
        _ links: borrowing LinkTable, _ streams: borrowing StreamTable, _ log: PacketLog,
        at now: MonotonicInstant,
        into batch: inout DatagramBatch, _ context: inout RelayContext
    ) -> Bool {
        guard flushAt <= now else { return false }
        _ = control.drain(into: &batch)
        guard control.isEmpty else { return true }
        guard flushOutlets(log, at: now, into: &batch, &context) else { return true }
        while let slot = dirty.last {
            if let link = links.children[slot] {
                guard flushLive(of: link, log, at: now, into: &batch, &context) else { return true }
                guard flushRepair(of: link, log, at: now, into: &batch, &context) else { return true }
                if link.queues.finishFlush() { deferred.append(slot) }
            }
            dirty.removeLast()
        }
        noteFlushed(streams, at: now, &context)
        // Each flush sends one burst of retransmits and backlog of a link; the rest waits for the next flush.
        swap(&dirty, &deferred)
        flushAt =
            dirty.isEmpty && dirtyOutlets.isEmpty ? .distantFuture : now + context.configuration.flushInterval
        return false
    }

    /// Sends what is queued for groups. False if the batch is full. Retransmits above a burst wait for the next flush.
    private mutating func flushOutlets(
        _ log: PacketLog, at now: MonotonicInstant, into batch: inout DatagramBatch, _ context: inout RelayContext
    ) -> Bool {
        guard !dirtyOutlets.isEmpty else { return true }
        while let outlet = dirtyOutlets.last {
            let before = outlet.queues.packetsSent
            defer { context.count(.lanSent, outlet.queues.packetsSent &- before) }
            guard flushLive(of: outlet, log, at: now, into: &batch, &context) else { return false }
            guard flushRepair(of: outlet, log, at: now, into: &batch, &context) else { return false }
            if outlet.queues.finishFlush() { deferredOutlets.append(outlet) }
            dirtyOutlets.removeLast()
        }
        swap(&dirtyOutlets, &deferredOutlets)
        return true
    }

    private func flushLive(
        of link: some EgressLine, _ log: PacketLog, at now: MonotonicInstant, into batch: inout DatagramBatch,
        _ context: inout RelayContext
    ) -> Bool {
        guard let first = link.queues.firstLive else { return true }
        let arrival = log[first].arrival
        let sent = emit(.live, most: .max, on: link, log, at: now, into: &batch, &context)
        if let count = link.queues.sample(sent, arrived: arrival, at: now) {
            link.noteResidence(now - arrival, count: count, at: now)
        }
        return link.queues.count(.live) == 0
    }

    /// Sends at most one burst of retransmits and backlog in each interval. False if the batch is full.
    private func flushRepair(
        of link: some EgressLine, _ log: PacketLog, at now: MonotonicInstant, into batch: inout DatagramBatch,
        _ context: inout RelayContext
    ) -> Bool {
        let waiting = link.queues.count(.repair)
        if waiting == 0 { return true }
        let interval = context.configuration.flushInterval
        let left = link.queues.burstLeft(of: context.configuration.burstMax, interval: interval, at: now)
        let sent = emit(.repair, most: left, on: link, log, at: now, into: &batch, &context)
        link.queues.spendBurst(sent)
        return sent == min(left, waiting)
    }

    /// Moves packets from a queue of the link into the batch, until `most` are moved or the batch is full. Returns how
    /// many packets left the queue, including those that the log no longer holds. The loop runs for each packet and
    /// child, so what is the same for all packets is read before it and written after it.
    @inline(__always)
    private func emit(
        _ kind: ChildQueues.Kind, most: Int, on link: some EgressLine, _ log: PacketLog, at now: MonotonicInstant,
        into batch: inout DatagramBatch, _ context: inout RelayContext
    ) -> Int {
        let (endpoint, local, token) = (link.endpoint, link.local, link.token)
        let firstNumber = link.queues.nextLinkNumber
        var number = firstNumber
        var (retransmits, bytes, overwritten) = (0, 0, UInt64(0))
        let taken = link.queues.drain(kind, most: most) { packet in
            guard batch.hasRoom(headerLength: WireLimits.linkHeaderLength) else { return false }
            guard log.holds(packet.slot, packet.tag, packet.sequence) else {
                overwritten += 1
                return true
            }
            let body = log.bytes(packet.slot)
            batch.append(to: endpoint, from: local, headerLengthMax: WireLimits.linkHeaderLength, body: body) {
                header in
                DataHeader.writeLinkHeader(
                    into: header, retransmitted: packet.isRetransmit, token: token,
                    linkNumber: number)
                return WireLimits.linkHeaderLength
            }
            number &+= 1
            bytes += body.count
            if packet.isRetransmit { retransmits += 1 }
            return true
        }
        if overwritten > 0 { context.count(.droppedOverwritten, overwritten) }
        let sent = UInt64(number &- firstNumber)
        guard sent > 0 else { return taken }
        link.queues.noteSent(nextNumber: number, retransmits: retransmits)
        link.noteSent(at: now)
        context.count(.dataSent, sent)
        context.count(.bytesSent, UInt64(bytes) + sent * UInt64(WireLimits.linkHeaderLength))
        return taken
    }

    // MARK: Residence

    /// A packet that arrived now waits for the next flush, when all children get it.
    private mutating func noteWaiting(_ stream: StreamState, at now: MonotonicInstant) {
        if stream.departures.noteWaiting(at: now) { waitingStreams.append(stream.slot) }
    }

    /// Everything that waited has been sent.
    private mutating func noteFlushed(
        _ streams: borrowing StreamTable, at now: MonotonicInstant, _ context: inout RelayContext
    ) {
        for slot in waitingStreams {
            guard let stream = streams[slot], stream.departures.waiting > 0 else { continue }
            let (span, count) = stream.departures.takeFlushed(at: now)
            context.noteResidence(span, count: count)
        }
        waitingStreams.removeAll(keepingCapacity: true)
    }
}
