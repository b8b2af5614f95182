import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import RelayWire

@testable import RelayCore

/// A peer with a valid certificate that sends arbitrary messages with correct MACs: as a child that opened a link to a
/// node, or as the parent to which a node opened one.
final class HostilePeer {
    let bench: Bench
    let endpoint: Endpoint
    private let target: RelayNode
    private let targetEndpoint: Endpoint
    private let crypto: SimulatedCrypto
    private let identity: NodeHandshakes<SimulatedIdentityCrypto>
    private var random: SeededGenerator

    private(set) var keys: LinkKeys?
    /// The token that the node expects.
    private(set) var token: UInt64 = 0
    private var counter: UInt64 = 0
    private var wrapNonce: UInt64 = 0
    private var sealKeys: [IncarnationTag: SealKey] = [:]
    private var isParent = false
    /// The newest nonce of the node's heartbeats, and its newest subscription.
    private(set) var leaseNonce: UInt64 = 0
    private(set) var subscribed: Subscribe?
    /// The newest reply to a subscription.
    private(set) var reply: SubscribeReply?
    private(set) var isRefused = false
    private(set) var refusal: HandshakeRefusal?
    private(set) var isClosed = false
    /// The node has answered a probe.
    private(set) var report: ProbeReport?
    /// The bytes of the last Open.
    private(set) var openSent: [UInt8] = []
    private var seen = 0

    convenience init(
        _ name: String, _ role: NodeRole, at endpoint: Endpoint, of target: RelayNode, _ bench: Bench, seed: UInt64 = 1
    ) {
        var configuration = RelayConfiguration(name: name, role: role)
        configuration.region = role == .edge ? RegionID(1283) : nil
        self.init(
            SimulatedIdentity(configuration, operatorKey: Bench.operatorKey), at: endpoint, of: target, bench,
            seed: seed)
    }

    /// A peer with this certificate.
    init(
        _ identity: SimulatedIdentity, at endpoint: Endpoint, of target: RelayNode, _ bench: Bench, seed: UInt64 = 1
    ) {
        self.endpoint = endpoint
        self.bench = bench
        self.target = target
        targetEndpoint = bench.nodes.first { $0.node === target }?.endpoint ?? endpoint
        crypto = SimulatedCrypto(operatorKey: Bench.operatorKey, seed: seed)
        self.identity = crypto.handshakes(identity, at: bench.now)
        random = SeededGenerator(seed: seed)
    }

    var isOpen: Bool { keys != nil && !isClosed }
    /// The key of a stream that this peer wrapped last.
    private(set) var lastWrapped: WrappedKey?
    var node: NodeID { identity.own.node }
    var name: String { identity.own.name }

    // MARK: Links

    /// Opens a link as a child. Returns false if the node did not accept it.
    @discardableResult
    func open(renewing renewedToken: UInt64 = 0) -> Bool {
        (keys, counter, isParent, isRefused, isClosed, refusal) = (nil, 0, false, false, false, nil)
        seen = bench.sent.count
        let opening = identity.begin(
            to: NodeID(name: target.configuration.name), nonce: nonce(),
            LinkRequest(childToken: random.next() | 1, renewedToken: renewedToken))
        inject(.hello(opening.hello))
        for case .cookie(let cookie) in handshakes() {
            try? opening.receive(cookie)
            guard let open = opening.open else { continue }
            openSent = encode(.open(open))
            bench.inject(openSent, from: endpoint, to: target)
            // It may have to wait for its turn.
            bench.run(for: .milliseconds(1))
            for message in handshakes() {
                if case .refused(let refused) = message {
                    isRefused = true
                    refusal = try? opening.receive(refused)
                }
                guard case .opened(let opened) = message,
                    let link = try? opening.receive(opened, at: bench.now)
                else { continue }
                token = link.grant.parentToken
                keys = link.keys
            }
        }
        return keys != nil
    }

    /// Sends a probe to the node, on a link that is opened first if there is none. Returns true if the node answers at
    /// once.
    func probe() -> Bool {
        guard isOpen || open() else { return false }
        report = nil
        seen = bench.sent.count
        send(.probe(number: 5))
        answer()
        return report?.number == 5
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
        case .hello(let hello):
            if let cookie = try? identity.cookie(for: hello, from: targetEndpoint, at: bench.now) {
                inject(.cookie(cookie))
            }
        case .open(let open):
            let grant = LinkGrant(
                parentToken: random.next() | 1, leaseMilliseconds: .max, shardCount: .max, shard: 0)
            guard case .accepted(let child) = try? identity.receive(open, from: targetEndpoint, at: bench.now),
                let (opened, keys) = try? child.grant(grant)
            else { return }
            (token, counter, isParent, isClosed) = (child.request.childToken, 0, true, false)
            self.keys = keys
            inject(.opened(opened))
        default: break
        }
    }

    private func learn(_ message: RelayMessage) {
        switch message {
        case .linkHeartbeat(let heartbeat): leaseNonce = heartbeat.leaseNonce
        case .subscribe(let request): subscribed = request
        case .subscribeReply(let reply): self.reply = reply
        case .probeReport(let report): self.report = report
        case .close: isClosed = true
        default: break
        }
    }

    // MARK: Messages

    func send(_ message: RelayMessage) {
        guard let keys else { return }
        counter += 1
        var bytes = [UInt8](repeating: 0, count: WireLimits.controlLengthMax)
        let message = completed(message, keys)
        let length = bytes.withUnsafeMutableBytes { buffer in
            let length = ControlCodec.encode(message, token: token, counter: counter, into: buffer)
            ControlCodec.finish(
                UnsafeMutableRawBufferPointer(rebasing: buffer[..<length]),
                key: isParent ? keys.parentToChild : keys.childToParent, crypto: crypto)
            return length
        }
        lastSent = Array(bytes[..<length])
        bench.inject(lastSent, from: endpoint, to: target)
    }

    /// The bytes of the last control message.
    private(set) var lastSent: [UInt8] = []

    /// Adds the key of the stream to a reply that has none.
    private func completed(_ message: RelayMessage, _ keys: LinkKeys) -> RelayMessage {
        guard case .subscribeReply(var reply) = message, reply.status == .ok, reply.key == nil else { return message }
        let stream = subscribed?.stream ?? StreamName("live/news")!
        let tag = IncarnationTag(stream: stream, source: reply.source, incarnation: reply.incarnation)
        wrapNonce += 1
        reply.key = crypto.wrap(sealKey(of: tag), of: tag, under: keys.wrapping, nonce: wrapNonce)
        lastWrapped = reply.key
        return .subscribeReply(reply)
    }

    private func sealKey(of tag: IncarnationTag) -> SealKey {
        if let key = sealKeys[tag] { return key }
        let key = crypto.makeSealKey()!
        sealKeys[tag] = key
        return key
    }

    /// The key that this peer gives for an incarnation is another one from now on.
    func forgetKey(of tag: IncarnationTag) { sealKeys[tag] = nil }

    func subscribe(
        _ stream: StreamName, _ subscription: UInt32 = 1, _ start: Subscribe.Start = .live, rate: UInt8 = 32,
        silent: UInt16 = 0
    ) {
        send(
            .subscribe(
                Subscribe(
                    subscription: subscription, stream: stream, portset: PortsetID(7), start: start,
                    rateSixteenths: rate, silentMilliseconds: silent, path: [])))
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

    /// Sends a packet of a stream, sealed with the key that this peer gave for its incarnation.
    func sendData(
        _ stream: StreamName, source: NodeID, incarnation: Incarnation, sequence: UInt64, linkNumber: UInt32,
        payload: UInt64 = 0
    ) {
        guard sequence > 0, sequence <= WireLimits.sequenceMax else { return }
        let tag = IncarnationTag(stream: stream, source: source, incarnation: incarnation)
        let key = sealKey(of: tag)
        var bytes = [UInt8](repeating: 0, count: WireLimits.dataOverhead + 8)
        bytes.withUnsafeMutableBytes { buffer in
            DataHeader.writeLinkHeader(into: buffer, retransmitted: false, token: token, linkNumber: linkNumber)
            let packet = UnsafeMutableRawBufferPointer(rebasing: buffer[WireLimits.linkHeaderLength...])
            DataHeader.writeStreamHeader(
                into: packet, tag: tag, sequence: SequenceNumber(sequence), kind: .data)
            let body = WireLimits.streamHeaderLength
            packet.storeBytes(of: payload, toByteOffset: body, as: UInt64.self)
            crypto.seal(
                key, sequence: SequenceNumber(sequence), header: UnsafeRawBufferPointer(rebasing: packet[..<body]),
                payload: UnsafeMutableRawBufferPointer(rebasing: packet[body..<body + 8]),
                tag: UnsafeMutableRawBufferPointer(rebasing: packet[(body + 8)...]))
        }
        bench.inject(bytes, from: endpoint, to: target)
    }

    private func nonce() -> Nonce { Nonce((0..<16).map { _ in UInt8(truncatingIfNeeded: random.next()) })! }

    private func inject(_ message: HandshakeMessage) { bench.inject(encode(message), from: endpoint, to: target) }

    private func encode(_ message: HandshakeMessage) -> [UInt8] { message.bytes }

    /// The handshake messages that came since the last call.
    private func handshakes() -> [HandshakeMessage] {
        let new = bench.sent[min(seen, bench.sent.count)...].filter { $0.to == endpoint }
        seen = bench.sent.count
        for datagram in new where datagram.type == 0x20 { datagram.bytes.withUnsafeBytes { take($0) } }
        return new.compactMap { datagram in datagram.bytes.withUnsafeBytes { try? HandshakeCodec.decode($0) } }
    }
}

extension HandshakeMessage {
    /// The whole datagram.
    var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: WireLimits.handshakeLengthMax)
        let length = bytes.withUnsafeMutableBytes { HandshakeCodec.encode(self, into: $0) }
        return Array(bytes[..<length])
    }
}
