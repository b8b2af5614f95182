import DatagramIO
import Logging
import PacketSealing
import ReflectorModel
import RelayCore

/// The thin shell around one `RelayNode`: its socket, its timer, its look-ups. Lives on its loop's thread.
final class NodeShell: DatagramHandler {
    private let loop: DatagramLoop
    private let socket: DatagramSocket
    let node: RelayNode
    private let crypto: LibcryptoPacketCrypto
    private let resolver: StubResolver
    private let memory: NodeMemory
    private let output: (any StreamOutput)?
    private let sink: OutputSink
    private let logger: Logger
    private var batch: DatagramBatch
    private let headers: UnsafeMutableRawBufferPointer

    init(
        loop: DatagramLoop, socket: DatagramSocket, configuration: NodeConfiguration, crypto: LibcryptoBox,
        resolver: StubResolver, memory: NodeMemory, restored: [(ReflectorName, LookUpAnswer)],
        output: (any StreamOutput)?, logger: Logger
    ) {
        self.loop = loop
        self.socket = socket
        self.resolver = resolver
        self.memory = memory
        self.output = output
        self.logger = logger
        sink = OutputSink(output: output)
        headers = .allocate(byteCount: 1 << 18, alignment: 64)
        batch = DatagramBatch(countMax: 1_024, headers: headers)
        var seed = SystemRandomNumberGenerator()
        let now = loop.now
        self.crypto = crypto.make()
        node = RelayNode(
            configuration: configuration.relay.configuration, crypto: self.crypto, seed: seed.next(), sink: sink,
            makeMeasurements: { LinkHistograms() }, now: now)
        for (name, answer) in restored { node.restore(name, answer, at: now) }
    }

    deinit { headers.deallocate() }

    // MARK: DatagramHandler

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        node.receive(UnsafeRawBufferPointer(datagram.bytes), from: datagram.source, at: now)
    }

    func batchEnded(on socket: DatagramSocket, at now: MonotonicInstant) { flush(at: loop.now) }

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
            if !batch.isEmpty { socket.send(batch) }
        }
    }

    // MARK: Told from outside

    /// Takes other network keys; what is under way goes on.
    func replaceKeys(_ keys: LibcryptoBox) {
        keys.replaceKeys(of: crypto)
        node.networkKeysChanged(at: loop.now)
    }

    /// True once no child fetches anything from here; see `RelayNode.drain`.
    func drain() -> Bool {
        let isDone = node.drain(at: loop.now)
        flush(at: loop.now)
        return isDone
    }

    /// Says good-bye on every link.
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
        case .alarm(let alarm):
            logger.warning("\(alarm)")
        }
    }

    func status(zone: String, streams page: StreamPage) -> NodeStatus {
        let output = output
        var status = node.status(zone: zone, endpoint: socket.local, streams: page, at: loop.now) { name in
            output?.viewers(of: name) ?? 0
        }
        for counter in socket.statistics.counters { status.counters["datagram_\(counter.name)"] = counter.value }
        status.counters.merge(resolver.counters.snapshot) { _, new in new }
        status.counters["loop_wakeups"] = loop.wakeups
        status.counters["loop_work_refused"] = loop.mailboxDropped
        return status
    }
}

/// The core's sink, passed on to a `StreamOutput`.
private final class OutputSink: StreamSink {
    private let output: (any StreamOutput)?
    init(output: (any StreamOutput)?) { self.output = output }

    func deliver(_ payload: UnsafeRawBufferPointer, stream: StreamName, at now: MonotonicInstant) {
        output?.deliver(payload, stream: stream, at: now)
    }
    func discontinuity(stream: StreamName, lost: UInt64) { output?.discontinuity(stream: stream, lost: lost) }
    func ended(stream: StreamName) { output?.ended(stream: stream) }
}
