import DatagramIO
import NodeIdentity
import PacketSealing
import ReflectorModel
import RelayCore
import RelayWire

/// Everything around a set reflector: its children, and an entrypoint (a node's real state machine) whose encoder is a
/// block of memory.
final class RelayFeed: LoadFeed {
    private static let tickInterval = TimeSpan.milliseconds(100)

    private let loop: DatagramLoop
    private let socket: DatagramSocket
    private let entrypoint: RelayNode
    private let children: [(end: ChildEnd, socket: DatagramSocket)]
    private let streams: [StreamName]
    private let parent: Endpoint
    private var batch: DatagramBatch
    private let headers: UnsafeMutableRawBufferPointer
    private let payload: UnsafeMutableRawBufferPointer
    private var nextStream = 0
    private var nextTick: MonotonicInstant
    private let isStarted: Bool
    /// Sequence number of the packet that the entrypoint sent last.
    private(set) var newestSequence: UInt64 = 0

    /// - Parameters:
    ///   - entrypoint: address of the entrypoint in the zone.
    ///   - parent: the set reflector.
    ///   - children: number of children, which take turns at the addresses of `sinks`.
    ///   - identity: makes the node of a name and a role.
    init(
        loop: DatagramLoop, entrypoint: Endpoint, parent: Endpoint, sinks: [IPAddress], children: Int,
        streams: [StreamName], payloadLength: Int, identity: (String, CertifiedRole) throws -> BenchIdentity
    ) throws {
        self.loop = loop
        self.streams = streams
        self.parent = parent
        socket = try DatagramSocket(bind: entrypoint)
        try loop.add(socket)
        var options = DatagramSocketOptions()
        options.receiveOffload = false
        let now = loop.now
        let shared = try LibcryptoPacketCrypto()
        self.children = try (0..<children).map { index in
            let sink = Endpoint(address: sinks[index % sinks.count], port: 0)
            let socket = try DatagramSocket(bind: sink, options: options)
            socket.tag = index + 1
            try loop.add(socket)
            let child = ChildEnd(
                parent: parent, parentName: "set-1", streams: streams,
                handshakes: try identity("child-\(index)", .edge).handshakes(installingIn: shared, at: now),
                crypto: shared)
            return (child, socket)
        }
        headers = .allocate(byteCount: 1 << 18, alignment: 64)
        batch = DatagramBatch(countMax: 1_024, headers: headers)
        payload = .allocate(byteCount: payloadLength, alignment: 64)
        payload.initializeMemory(as: UInt8.self, repeating: 0x47)
        var configuration = RelayConfiguration(name: "ep-1", role: .entrypoint)
        configuration.flushInterval = .zero
        let crypto = try LibcryptoPacketCrypto()
        self.entrypoint = RelayNode(
            configuration: configuration, crypto: crypto,
            handshakes: try identity("ep-1", .entrypoint).handshakes(installingIn: crypto, at: now), seed: 1,
            sink: nil, now: now)
        isStarted = streams.reduce(true) { [node = self.entrypoint] in $0 && node.provide($1, at: now) }
        nextTick = now
    }

    deinit {
        headers.deallocate()
        payload.deallocate()
    }

    var isReady: Bool { isStarted && children.allSatisfy { $0.end.isSubscribed && $0.end.packets > 0 } }
    var nextTimeout: MonotonicInstant { min(nextTick, entrypoint.nextTimeout) }

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) -> Bool {
        let bytes = UnsafeRawBufferPointer(datagram.bytes)
        if socket.tag > 0 {
            let child = children[socket.tag - 1]
            let (isOpen, packets) = (child.end.isOpen, child.end.packets)
            let isData = child.end.receive(bytes, at: now)
            if child.end.isOpen != isOpen { opened += isOpen ? -1 : 1 }
            if packets == 0, child.end.packets == 1 { served += 1 }
            if !isData { sendOutput(of: child) }
            return isData
        }
        entrypoint.receive(bytes, from: datagram.source, at: now)
        return false
    }

    func emit(_ count: Int, at now: MonotonicInstant) {
        for _ in 0..<count {
            entrypoint.ingest(UnsafeRawBufferPointer(payload), stream: streams[nextStream], at: now)
            nextStream = nextStream + 1 == streams.count ? 0 : nextStream + 1
        }
        flush(at: now)
    }

    func timerFired(at now: MonotonicInstant) {
        entrypoint.handleTimeout(at: now)
        guard now >= nextTick else { return }
        nextTick = now + Self.tickInterval
        for child in children {
            child.end.tick(at: now)
            sendOutput(of: child)
        }
    }

    /// All children begin again at once, like those of a parent that was restarted.
    func restartChildren(at now: MonotonicInstant) {
        (opened, served) = (0, 0)
        for child in children {
            child.end.restart(at: now)
            child.end.tick(at: now)
            sendOutput(of: child)
        }
    }

    /// Children that have a link, and children that have received a packet.
    private(set) var opened = 0
    private(set) var served = 0

    private func sendOutput(of child: (end: ChildEnd, socket: DatagramSocket)) {
        child.socket.send(child.end.output)
        child.end.removeOutput()
    }

    func flush(at now: MonotonicInstant) {
        answerLookUps(at: now)
        guard entrypoint.hasOutput(at: now) else { return }
        var more = true
        while more {
            batch.removeAll()
            more = entrypoint.transmit(at: now, into: &batch)
            if let body = batch.entries.last(where: { $0.body != nil })?.body {
                newestSequence = UInt64(bigEndian: body.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            }
            socket.send(batch)
        }
    }

    /// Answers the entrypoint's look-ups; the set reflector under test queries a name server.
    private func answerLookUps(at now: MonotonicInstant) {
        while let action = entrypoint.nextAction() {
            guard case .lookUp(let name) = action else { continue }
            var answer = LookUpAnswer(hosts: [], ttlSeconds: 3_600, portset: nil)
            switch name {
            case .announceTargets:
                answer.hosts = [ResolvedHost(name: "set-1", endpoint: parent, priority: 0, weight: 1)]
            case .candidates:
                answer.hosts = [ResolvedHost(name: "ep-1", endpoint: socket.local, priority: 0, weight: 1)]
                answer.portset = PortsetID(4)
            default: break
            }
            entrypoint.lookUpFinished(name, .records(answer), at: now)
        }
    }
}
