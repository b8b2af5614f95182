import DatagramIO
import IdentityKeys
import Logging
import NodeIdentity
import ReflectorModel
import RelayCore

/// The thin shell around one `RelayNode`: its sockets, its timer, its look-ups. Lives on its loop's thread.
final class NodeShell: DatagramHandler {
    private let loop: DatagramLoop
    private let locals = LocalSockets()
    private var sendFailures = SendFailureLog()
    let node: RelayNode
    /// Payload limits, which the ingest thread reads.
    let payloadLimits: PayloadLimits
    private let identity: NodeIdentityState
    private let resolver: StubResolver
    private let memory: NodeMemory
    private let output: (any StreamOutput)?
    private let sink: OutputSink
    private let logger: Logger
    private var batch: DatagramBatch
    private let headers: UnsafeMutableRawBufferPointer
    private var pushes = ExpectedPushes()
    private let lan: LANFeedConfiguration?
    private var groups: GroupReceivers?
    /// Called when the node wants a stream to be pulled, or no longer pulled.
    private var onPull: (@Sendable (StreamName, Bool) -> Void)?

    init(
        loop: DatagramLoop, sockets: [DatagramSocket], configuration: NodeConfiguration, revocations: RevocationList?,
        resolver: StubResolver, memory: NodeMemory, restored: [(ReflectorName, LookUpAnswer)],
        output: (any StreamOutput)?, payloadLimits: PayloadLimits, logger: Logger
    ) throws {
        self.payloadLimits = payloadLimits
        self.loop = loop
        self.resolver = resolver
        self.memory = memory
        self.output = output
        self.logger = logger
        sink = OutputSink(output: output)
        headers = .allocate(byteCount: 1 << 18, alignment: 64)
        batch = DatagramBatch(countMax: 1_024, headers: headers)
        var seed = SystemRandomNumberGenerator()
        let now = loop.now
        identity = try NodeIdentityState(
            configuration.identity, revocations: revocations, seconds: WallClock.certificateSeconds, at: now)
        node = RelayNode(
            configuration: configuration.relay.configuration, crypto: identity.crypto, handshakes: identity.handshakes,
            seed: seed.next(), sink: sink, makeMeasurements: { LinkHistograms() }, now: now)
        for (name, answer) in restored { node.restore(name, answer, at: now) }
        lan = configuration.lan
        groups = configuration.lan.map { GroupReceivers($0, logger: logger) }
        for socket in sockets {
            try sendGroups(through: socket)
            locals.add(socket)
        }
        node.setAddresses(locals.endpoints.map(\.address), at: now)
    }

    deinit { headers.deallocate() }

    /// Datagrams for groups leave through the LAN's interface.
    private func sendGroups(through socket: DatagramSocket) throws(DatagramError) {
        guard let lan, socket.local.address.isV4 == lan.groups.block.isV4 else { return }
        try socket.sendGroups(through: lan.interface)
    }

    // MARK: DatagramHandler

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        let local = locals.number(of: datagram, on: socket)
        node.receive(UnsafeRawBufferPointer(datagram.bytes), from: datagram.source, to: local, at: now)
    }

    func portUnreachable(_ refused: RefusedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        node.portUnreachable(refused.destination, quoted: refused.quoted, at: now)
    }

    func batchEnded(on socket: DatagramSocket, at now: MonotonicInstant) { flush(at: loop.now) }

    func wokeLate(at now: MonotonicInstant) { node.noteWakeUp(at: now) }

    func timerFired(at now: MonotonicInstant) { node.handleTimeout(at: now) }

    func wakeEnded(at now: MonotonicInstant) {
        while let action = node.nextAction() { perform(action) }
        flush(at: loop.now)
        let next = node.nextTimeout
        loop.nextWakeup = next == .distantFuture ? nil : next
    }

    private func flush(at now: MonotonicInstant) {
        guard node.hasOutput(at: now) else { return }
        var more = true
        while more {
            batch.removeAll()
            more = node.transmit(at: now, into: &batch)
            if !batch.isEmpty { locals.send(batch) }
        }
        for socket in locals.sockets where socket.statistics.sendFailuresTotal != sendFailures.total(socket.tag) {
            sendFailures.note(socket, at: now, logger)
        }
    }

    // MARK: Calls from outside

    /// An encoder wants to push a stream that another entrypoint may lead; see `RelayNode.expectPush`.
    func expectPush(of stream: StreamName, _ answer: LookUpAnswer) -> Bool {
        guard node.expectPush(of: stream, answer, at: loop.now) else { return false }
        if let forgotten = pushes.add(stream) { node.withdrawPush(of: forgotten, at: loop.now) }
        return true
    }

    /// This entrypoint can pull these streams. `onPull` says when to pull them.
    func offer(_ streams: [StreamName], onPull: @escaping @Sendable (StreamName, Bool) -> Void) {
        self.onPull = onPull
        for stream in streams { node.offer(stream, at: loop.now) }
    }

    /// An encoder provides a stream. False if the node can't take it.
    ///
    /// - Parameter isContinued: no bytes are missing after the encoder's last connection.
    func provide(_ stream: StreamName, isContinued: Bool) -> Bool {
        guard node.provide(stream, isContinued: isContinued, at: loop.now) else { return false }
        if let bytes = node.payloadLimit(of: stream) { payloadLimits.set(bytes, for: stream) }
        return true
    }

    /// Another address of the node has become available.
    func add(_ socket: DatagramSocket) {
        do throws(DatagramError) {
            try sendGroups(through: socket)
            try loop.add(socket)
        } catch {
            return logger.error("cannot listen on an additional address", metadata: ["problem": "\(error)"])
        }
        locals.add(socket)
        node.setAddresses(locals.endpoints.map(\.address), at: loop.now)
        logger.info("listening on another address", metadata: ["endpoint": "\(socket.local)"])
    }

    // MARK: Identity

    /// The node's certificate has been renewed, or other operators count: links and streams continue.
    func replace(_ folder: IdentityFolder) {
        let isOwnNew = identity.replace(folder)
        identity.handshakes.setSeconds(WallClock.certificateSeconds, at: loop.now)
        node.identitiesChanged(isOwnNew: isOwnNew, at: loop.now)
        flush(at: loop.now)
    }

    /// The links of nodes whose certificates this list revokes end now.
    func take(_ list: RevocationList) {
        guard identity.handshakes.take(list) else { return }
        identity.handshakes.setSeconds(WallClock.certificateSeconds, at: loop.now)
        node.identitiesChanged(isOwnNew: false, at: loop.now)
        flush(at: loop.now)
    }

    /// The wall clock may have been set.
    func readWallClock() { identity.handshakes.setSeconds(WallClock.certificateSeconds, at: loop.now) }

    /// Tells the children to move elsewhere; see `RelayNode.drain`. Returns true when no child fetches anything from
    /// this node any more.
    func drain() -> Bool {
        let isDone = node.drain(at: loop.now)
        flush(at: loop.now)
        return isDone
    }

    /// Closes every link with a message to the peer.
    func close() {
        node.close(at: loop.now)
        flush(at: loop.now)
    }

    // MARK: Actions

    private func perform(_ action: RelayAction) {
        switch action {
        case .lookUp(let name):
            let bound = LoopBound(current: self, loop: loop)
            let (resolver, loop) = (resolver, loop)
            Task {
                let result = await resolver.lookUp(name)
                loop.execute { bound.value.node.lookUpFinished(name, result, at: loop.now) }
            }
        case .remember(let name, let answer):
            let memory = memory
            Task { await memory.keep(answer, for: name) }
        case .unavailable(let stream, let reason):
            logger.warning("stream unavailable", metadata: ["stream": "\(stream)", "reason": "\(reason)"])
            output?.unavailable(stream: stream, reason: reason.description, isAbsence: reason.isAbsence)
        case .pull(let stream, let isWanted): onPull?(stream, isWanted)
        case .limitPayload(let stream, let bytes): payloadLimits.set(bytes, for: stream)
        case .joinGroup(let group): groups?.join(group, on: loop)
        case .leaveGroup(let group): groups?.leave(group, on: loop)
        case .alarm(let alarm):
            logger.warning("\(alarm)")
        }
    }

    func status(zone: String, streams page: StreamPage) -> NodeStatus {
        let output = output
        let endpoints = locals.endpoints
        var status = node.status(zone: zone, endpoint: endpoints[0], streams: page, at: loop.now) { name in
            output?.viewers(of: name) ?? 0
        }
        if endpoints.count > 1 { status.endpoints = endpoints.map(\.description) }
        for counter in (locals.sockets + (groups?.all ?? [])).flatMap(\.statistics.counters) {
            status.counters["datagram_\(counter.name)", default: 0] &+= counter.value
        }
        status.counters["datagram_sendWrongFamily", default: 0] &+= locals.unsentWrongFamily
        status.counters["datagram_receivedUnnumbered"] = locals.receivedUnnumbered
        status.counters.merge(resolver.counters.snapshot) { _, new in new }
        status.counters["pushes_forgotten"] = pushes.forgotten
        status.counters["loop_wakeups"] = loop.wakeups
        status.counters["loop_work_refused"] = loop.mailboxDropped
        return status
    }
}
