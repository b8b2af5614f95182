import ReflectorModel
import ReflectorSimulation
import RelayWire

@testable import RelayCore

/// A peer that holds the network key and sends arbitrary messages with correct MACs: as a child that opened a link to a
/// node, or as the parent to which a node opened one.
final class HostilePeer {
    let bench: Bench
    let endpoint: Endpoint
    let name: String
    let role: NodeRole
    private let target: RelayNode
    private let targetEndpoint: Endpoint
    private let crypto: SimulatedCrypto
    private var random: SeededGenerator

    private(set) var keys: LinkKeys?
    /// The token that the node expects.
    private(set) var token: UInt64 = 0
    private var counter: UInt64 = 0
    private var isParent = false
    /// The newest nonce of the node's heartbeats, and its newest subscription.
    private(set) var leaseNonce: UInt64 = 0
    private(set) var subscribed: Subscribe?
    private(set) var isRefused = false
    private(set) var isClosed = false
    /// The bytes of the last Open.
    private(set) var openSent: [UInt8] = []
    private var seen = 0

    init(
        _ name: String, _ role: NodeRole, at endpoint: Endpoint, of target: RelayNode, _ bench: Bench, seed: UInt64 = 1
    ) {
        self.name = name
        self.role = role
        self.endpoint = endpoint
        self.bench = bench
        self.target = target
        targetEndpoint = bench.nodes.first { $0.node === target }?.endpoint ?? endpoint
        crypto = SimulatedCrypto(networkKeys: [Bench.networkKey], seed: seed)
        random = SeededGenerator(seed: seed)
    }

    var isOpen: Bool { keys != nil && !isClosed }

    // MARK: Links

    /// Opens a link as a child. Returns false if the node did not accept it.
    @discardableResult
    func open() -> Bool {
        (keys, counter, isParent, isRefused, isClosed) = (nil, 0, false, false, false)
        seen = bench.sent.count
        let nonce = HandshakeNonce(high: random.next(), low: random.next())
        let node = NodeID(name: name)
        inject(.hello(keyPhase: 0, role: role, node: node, nonce: nonce))
        for case .cookie(_, nonce, let cookie) in handshakes() {
            let open = Open(
                keyPhase: 0, role: role, node: node, nonce: nonce, cookie: cookie, childToken: random.next(),
                region: nil, name: name)
            openSent = encode(.open(open))
            bench.inject(openSent, from: endpoint, to: target)
            for message in handshakes() {
                if case .refused = message { isRefused = true }
                guard case .opened(let opened) = message else { continue }
                token = opened.parentToken
                keys = crypto.makeLinkKeys(
                    phase: 0, childNonce: nonce, parentNonce: opened.parentNonce, child: node, parent: opened.node)
            }
        }
        return keys != nil
    }

    /// Sends a probe to the node. Returns true if the node answers at once.
    func probe() -> Bool {
        seen = bench.sent.count
        let nonce = HandshakeNonce(high: random.next(), low: random.next())
        let node = NodeID(name: name)
        inject(.hello(keyPhase: 0, role: role, node: node, nonce: nonce))
        for case .cookie(_, nonce, let cookie) in handshakes() {
            inject(.probe(Probe(keyPhase: 0, role: role, node: node, nonce: nonce, cookie: cookie, number: 5)))
            return handshakes().contains { if case .probeReport = $0 { true } else { false } }
        }
        return false
    }

    /// Answers the datagrams of the node: accepts its handshake as a parent, and notes its requests.
    func answer() {
        let new = bench.sent[min(seen, bench.sent.count)...].filter { $0.to == endpoint && $0.from == targetEndpoint }
        seen = bench.sent.count
        for datagram in new { datagram.bytes.withUnsafeBytes { take($0) } }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        if let message = try? ControlCodec.decodeBody(bytes) { return learn(message) }
        switch try? HandshakeCodec.decode(bytes) {
        case .hello(_, _, _, let nonce):
            let cookie = HandshakeCookie(milliseconds: 1, macHigh: 2, macLow: 3)
            inject(.cookie(keyPhase: 0, nonce: nonce, cookie: cookie))
        case .open(let open):
            let parentNonce = HandshakeNonce(high: random.next(), low: random.next())
            (token, counter, isParent, isClosed) = (open.childToken, 0, true, false)
            keys = crypto.makeLinkKeys(
                phase: 0, childNonce: open.nonce, parentNonce: parentNonce, child: open.node, parent: NodeID(name: name)
            )
            inject(
                .opened(
                    Opened(
                        keyPhase: 0, role: role, node: NodeID(name: name), nonce: open.nonce, parentNonce: parentNonce,
                        parentToken: random.next(), leaseMilliseconds: .max, shardCount: .max, shard: 0, name: name)))
        default: break
        }
    }

    private func learn(_ message: RelayMessage) {
        switch message {
        case .linkHeartbeat(let heartbeat): leaseNonce = heartbeat.leaseNonce
        case .subscribe(let request): subscribed = request
        case .close: isClosed = true
        default: break
        }
    }

    // MARK: Messages

    func send(_ message: RelayMessage) {
        guard let keys else { return }
        counter += 1
        var bytes = [UInt8](repeating: 0, count: WireLimits.controlLengthMax)
        let length = bytes.withUnsafeMutableBytes { buffer in
            let length = ControlCodec.encode(message, token: token, counter: counter, into: buffer)
            ControlCodec.finish(
                UnsafeMutableRawBufferPointer(rebasing: buffer[..<length]),
                key: isParent ? keys.parentToChild : keys.childToParent, crypto: crypto)
            return length
        }
        bench.inject(Array(bytes[..<length]), from: endpoint, to: target)
    }

    func subscribe(
        _ stream: StreamName, _ subscription: UInt32 = 1, _ start: Subscribe.Start = .live, rate: UInt8 = 32
    ) {
        send(
            .subscribe(
                Subscribe(
                    subscription: subscription, stream: stream, portset: PortsetID(7), start: start,
                    rateSixteenths: rate, path: [])))
    }

    /// Renews the lease of the link, and reports received and missed packets.
    func renew(subscriptions: [UInt32] = [], received: UInt32 = 0, lost: UInt32 = 0) {
        answer()
        send(
            .renew(
                Renew(
                    leaseNonce: leaseNonce, subscriptions: UInt16(clamping: subscriptions.count),
                    digest: subscriptions.reduce(0) { $0 &+ FixedHash.mix(UInt64($1)) }, timestamp: 0,
                    echoedTimestamp: 0, echoDelayMicroseconds: 0, received: received, lost: lost)))
    }

    /// Sends a packet of a stream, sealed as the stream's entrypoint seals its packets.
    func sendData(
        _ stream: StreamName, source: NodeID, incarnation: Incarnation, sequence: UInt64, linkNumber: UInt32
    ) {
        guard sequence > 0, sequence <= WireLimits.sequenceMax,
            let key = crypto.makeSealKey(phase: 0, stream: stream, source: source, incarnation: incarnation)
        else { return }
        defer { crypto.release(key) }
        let tag = IncarnationTag(stream: stream, source: source, incarnation: incarnation)
        var bytes = [UInt8](repeating: 0, count: WireLimits.dataOverhead + 8)
        bytes.withUnsafeMutableBytes { buffer in
            DataHeader.writeLinkHeader(
                into: buffer, retransmitted: false, keyPhase: 0, token: token, linkNumber: linkNumber)
            let packet = UnsafeMutableRawBufferPointer(rebasing: buffer[WireLimits.linkHeaderLength...])
            DataHeader.writeStreamHeader(
                into: packet, tag: tag, sequence: SequenceNumber(sequence), isFiller: false)
            let body = WireLimits.streamHeaderLength
            crypto.seal(
                key, sequence: SequenceNumber(sequence), header: UnsafeRawBufferPointer(rebasing: packet[..<body]),
                payload: UnsafeMutableRawBufferPointer(rebasing: packet[body..<body + 8]),
                tag: UnsafeMutableRawBufferPointer(rebasing: packet[(body + 8)...]))
        }
        bench.inject(bytes, from: endpoint, to: target)
    }

    private func inject(_ message: HandshakeMessage) { bench.inject(encode(message), from: endpoint, to: target) }

    private func encode(_ message: HandshakeMessage) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: WireLimits.handshakeLengthMax)
        let length = bytes.withUnsafeMutableBytes { buffer in
            let length = HandshakeCodec.encode(message, into: buffer)
            _ = HandshakeCodec.finish(UnsafeMutableRawBufferPointer(rebasing: buffer[..<length]), crypto: crypto)
            return length
        }
        return Array(bytes[..<length])
    }

    /// The handshake messages that came since the last call.
    private func handshakes() -> [HandshakeMessage] {
        let new = bench.sent[min(seen, bench.sent.count)...].filter { $0.to == endpoint }
        seen = bench.sent.count
        for datagram in new where datagram.type == 0x20 { datagram.bytes.withUnsafeBytes { take($0) } }
        return new.compactMap { datagram in datagram.bytes.withUnsafeBytes { try? HandshakeCodec.decode($0) } }
    }
}
