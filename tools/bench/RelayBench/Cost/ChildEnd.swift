import NodeIdentity
import PacketSealing
import ReflectorModel
import RelayCore
import RelayWire

/// Only the child's end of a link: opens the link, subscribes, renews its leases, and counts packets without decrypting
/// them. So one process can act as hundreds of children, and the parent bears the load.
final class ChildEnd {
    private enum State {
        case opening(any LinkOpening)
        case open(LinkKeys, parentToken: UInt64)
    }

    /// Maximum number of Subscribes in one step, so that a parent's buffer never overflows.
    private static let subscribesMax = 32
    private static let renewInterval = TimeSpan.seconds(2)
    /// Retries of a handshake step come at the intervals of a node, then begin again with a new nonce.
    private static let retryInterval = TimeSpan.milliseconds(100)
    private static let retriesMax = 4

    private let parent: Endpoint
    private let parentNode: NodeID
    private let crypto: LibcryptoPacketCrypto
    private let handshakes: any LinkHandshakes
    private let streams: [StreamName]
    private var state: State
    private var tries = 0
    private var nextTry = MonotonicInstant.zero
    private var counter: UInt64 = 0
    private var isAccepted: [Bool]
    private var acceptedCount = 0
    private var leaseNonce: UInt64 = 0
    private var lastRenew = MonotonicInstant.zero
    /// Datagrams to send; the owner sends them and then calls `removeOutput`.
    private(set) var output: DatagramBatch
    private let memory: UnsafeMutableRawBufferPointer
    /// Data packets received on this link.
    private(set) var packets: UInt64 = 0

    /// - Parameters:
    ///   - parent: address of the parent, whose name is `parentName`.
    ///   - crypto: of all children of this loop.
    init(
        parent: Endpoint, parentName: String, streams: [StreamName], handshakes: any LinkHandshakes,
        crypto: LibcryptoPacketCrypto
    ) {
        self.parent = parent
        parentNode = NodeID(name: parentName)
        self.streams = streams
        self.crypto = crypto
        self.handshakes = handshakes
        isAccepted = Array(repeating: false, count: streams.count)
        memory = .allocate(byteCount: (Self.subscribesMax + 1) * WireLimits.controlLengthMax, alignment: 16)
        output = DatagramBatch(countMax: Self.subscribesMax + 1, headers: memory)
        state = Self.begin(to: parentNode, handshakes)
    }

    deinit { memory.deallocate() }

    /// Whether the parent has accepted every subscription.
    var isSubscribed: Bool { acceptedCount == streams.count }
    var isOpen: Bool {
        if case .open = state { true } else { false }
    }

    /// Begins again, like a node whose parent is gone.
    func restart(at now: MonotonicInstant) {
        if case .open(let keys, _) = state { crypto.release(keys) }
        state = Self.begin(to: parentNode, handshakes)
        (tries, nextTry, counter, acceptedCount, leaseNonce, packets) = (0, now, 0, 0, 0, 0)
        for index in isAccepted.indices { isAccepted[index] = false }
    }

    /// Processes a datagram of the parent. True if it is a data packet.
    func receive(_ datagram: UnsafeRawBufferPointer, at now: MonotonicInstant) -> Bool {
        switch try? DatagramType.of(datagram) {
        case .data:
            packets += 1
            return true
        case .control: receiveControl(datagram, at: now)
        case .cookie, .opened, .refused: receiveHandshake(datagram, at: now)
        default: break
        }
        return false
    }

    /// Emits everything that is due. Call it every tenth of a second.
    func tick(at now: MonotonicInstant) {
        guard output.isEmpty else { return }
        switch state {
        case .opening(let opening): continueHandshake(opening, at: now)
        case .open:
            subscribe()
            renew(at: now)
        }
    }

    func removeOutput() { output.removeAll() }

    // MARK: Handshake

    private static func begin(to parent: NodeID, _ handshakes: any LinkHandshakes) -> State {
        var random = SystemRandomNumberGenerator()
        let token: UInt64 = random.next() | 1
        guard let nonce = Nonce((0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) }) else {
            preconditionFailure("ChildEnd: a nonce has 16 bytes")
        }
        return .opening(handshakes.begin(to: parent, nonce: nonce, LinkRequest(childToken: token)))
    }

    private func continueHandshake(_ opening: any LinkOpening, at now: MonotonicInstant) {
        guard now >= nextTry else { return }
        guard tries <= Self.retriesMax else {
            state = Self.begin(to: parentNode, handshakes)
            tries = 0
            return tick(at: now)
        }
        if let open = opening.open { send(.open(open)) } else { send(.hello(opening.hello)) }
        nextTry = now + Self.retryInterval * (Int64(1) << Int64(tries))
        tries += 1
    }

    private func receiveHandshake(_ datagram: UnsafeRawBufferPointer, at now: MonotonicInstant) {
        guard case .opening(let opening) = state else { return }
        switch try? HandshakeCodec.decode(datagram) {
        case .cookie(let cookie):
            guard opening.open == nil, (try? opening.receive(cookie)) != nil else { return }
            (tries, nextTry) = (0, now)
            tick(at: now)
        case .opened(let opened):
            guard let link = try? opening.receive(opened, at: now) else { return }
            state = .open(link.keys, parentToken: link.grant.parentToken)
            lastRenew = now
            tick(at: now)
        case .refused(let refused):
            guard (try? opening.receive(refused)) != nil else { return }
            state = Self.begin(to: parentNode, handshakes)
            (tries, nextTry) = (0, now + .milliseconds(500))
        default: break
        }
    }

    // MARK: Control

    private func receiveControl(_ datagram: UnsafeRawBufferPointer, at now: MonotonicInstant) {
        guard case .open(let keys, _) = state,
            ControlCodec.verify(datagram, key: keys.parentToChild, crypto: crypto),
            let message = try? ControlCodec.decodeBody(datagram)
        else { return }
        switch message {
        case .linkHeartbeat(let heartbeat): leaseNonce = heartbeat.leaseNonce
        case .subscribeReply(let reply):
            let index = Int(reply.subscription) - 1
            guard reply.status == .ok, isAccepted.indices.contains(index), !isAccepted[index] else { return }
            isAccepted[index] = true
            acceptedCount += 1
        case .close: restart(at: now)
        default: break
        }
    }

    private func subscribe() {
        guard !isSubscribed else { return }
        var left = Self.subscribesMax
        for (index, stream) in streams.enumerated() where !isAccepted[index] && left > 0 {
            left -= 1
            send(
                .subscribe(
                    Subscribe(
                        subscription: UInt32(index + 1), stream: stream, portset: PortsetID(4), start: .live,
                        rateSixteenths: 32, path: [handshakes.own.node])))
        }
    }

    private func renew(at now: MonotonicInstant) {
        guard now - lastRenew >= Self.renewInterval, leaseNonce != 0 else { return }
        lastRenew = now
        let ids = isAccepted.indices.filter { isAccepted[$0] }.map { UInt64($0 + 1) }
        let received = UInt32(truncatingIfNeeded: packets)
        send(
            .renew(
                Renew(
                    leaseNonce: leaseNonce, subscriptions: UInt16(clamping: ids.count),
                    digest: ids.reduce(0) { $0 &+ FixedHash.mix($1) }, timestamp: 1, echoedTimestamp: 0,
                    echoDelayMicroseconds: 0, received: received, lost: 0)))
    }

    // MARK: Sending

    private func send(_ message: HandshakeMessage) {
        output.append(to: parent, headerLengthMax: WireLimits.handshakeLengthMax, body: nil) { buffer in
            HandshakeCodec.encode(message, into: buffer)
        }
    }

    private func send(_ message: RelayMessage) {
        guard case .open(let keys, let parentToken) = state else { return }
        counter += 1
        output.append(to: parent, headerLengthMax: WireLimits.controlLengthMax, body: nil) { [crypto, counter] buffer in
            let length = ControlCodec.encode(message, token: parentToken, counter: counter, into: buffer)
            ControlCodec.finish(
                UnsafeMutableRawBufferPointer(rebasing: buffer[..<length]), key: keys.childToParent, crypto: crypto)
            return length
        }
    }
}
