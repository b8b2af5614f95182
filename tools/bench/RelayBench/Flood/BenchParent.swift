import DatagramIO
import PacketSealing
import ReflectorModel
import RelayCore
import RelayService

/// A set reflector on a real socket: the daemons' state machine and loop, with the settings of the daemons, but with
/// look-ups that are answered at once.
final class BenchParent: DatagramHandler {
    private let loop: DatagramLoop
    private let socket: DatagramSocket
    private let entrypoint: Endpoint
    private let node: RelayNode
    private var batch: DatagramBatch
    private let headers: UnsafeMutableRawBufferPointer

    init(loop: DatagramLoop, at endpoint: Endpoint, entrypoint: Endpoint, identity: BenchIdentity) throws {
        self.loop = loop
        self.entrypoint = entrypoint
        socket = try DatagramSocket(bind: endpoint)
        try loop.add(socket)
        headers = .allocate(byteCount: 1 << 18, alignment: 64)
        batch = DatagramBatch(countMax: 1_024, headers: headers)
        let crypto = try LibcryptoPacketCrypto()
        node = RelayNode(
            configuration: RelayConfiguration(name: "set-1", role: .set), crypto: crypto,
            handshakes: identity.handshakes(installingIn: crypto, at: loop.now), seed: 2, sink: nil,
            makeMeasurements: { LinkHistograms() }, now: loop.now)
    }

    deinit { headers.deallocate() }

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        node.receive(UnsafeRawBufferPointer(datagram.bytes), from: datagram.source, at: now)
    }

    func batchEnded(on socket: DatagramSocket, at now: MonotonicInstant) { flush(at: loop.now) }

    func timerFired(at now: MonotonicInstant) { node.handleTimeout(at: now) }

    func wakeEnded(at now: MonotonicInstant) {
        while let action = node.nextAction() { perform(action, at: now) }
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

    private func perform(_ action: RelayAction, at now: MonotonicInstant) {
        guard case .lookUp(let name) = action else { return }
        var answer = LookUpAnswer(hosts: [], ttlSeconds: 3_600, portset: nil)
        if case .candidates = name {
            answer.hosts = [ResolvedHost(name: "ep-1", endpoint: entrypoint, priority: 0, weight: 1)]
            answer.portset = PortsetID(4)
        }
        node.lookUpFinished(name, .records(answer), at: now)
    }

    /// Counters by name, with the datagrams that the kernel dropped because the socket's buffer was full.
    var counters: [String: UInt64] {
        var all = Dictionary(uniqueKeysWithValues: RelayCounter.allCases.map { ($0.name, node.counters[$0]) })
        all["receive_buffer_full"] = socket.statistics.receiveBufferFull
        return all
    }
}
