import PacketSealing
import ReflectorModel
import RelayWire

/// Only the child's end of a link: opens the link, subscribes, renews its leases, and counts packets without decrypting
/// them. So one process can act as hundreds of children, and the parent bears the load.
final class ChildEnd {
    private enum State {
        case greeting
        case opening(HandshakeCookie)
        case open(LinkKeys, parentToken: UInt64)
    }

    /// Maximum number of Subscribes in one step, so that a parent's buffer never overflows.
    private static let subscribesMax = 32
    private static let renewInterval = TimeSpan.seconds(2)

    private let parent: Endpoint
    private let name: String
    private let crypto: LibcryptoPacketCrypto
    private let streams: [StreamName]
    private let nonce: HandshakeNonce
    private let token: UInt64
    private var state = State.greeting
    private var counter: UInt64 = 0
    private var isAccepted: [Bool]
    private var acceptedCount = 0
    private var leaseNonce: UInt64 = 0
    private var lastRenew = MonotonicInstant.zero
    /// Datagrams to send; the owner sends them and then calls `removeOutput`.
    private(set) var output: DatagramBatch
    private let memory: UnsafeMutableRawBufferPointer
    /// Data packets received.
    private(set) var packets: UInt64 = 0

    init(
        number: Int, parent: Endpoint, streams: [StreamName], crypto: LibcryptoPacketCrypto
    ) {
        name = "child-\(number)"
        self.parent = parent
        self.streams = streams
        self.crypto = crypto
        var random = SystemRandomNumberGenerator()
        nonce = HandshakeNonce(high: random.next(), low: random.next())
        token = random.next()
        isAccepted = Array(repeating: false, count: streams.count)
        memory = .allocate(byteCount: (Self.subscribesMax + 1) * WireLimits.controlLengthMax, alignment: 16)
        output = DatagramBatch(countMax: Self.subscribesMax + 1, headers: memory)
    }

    deinit { memory.deallocate() }

    /// Whether the parent has accepted every subscription.
    var isSubscribed: Bool { acceptedCount == streams.count }

    /// Processes a datagram of the parent. True if it is a data packet.
    func receive(_ datagram: UnsafeRawBufferPointer, at now: MonotonicInstant) -> Bool {
        switch try? DatagramType.of(datagram) {
        case .data:
            packets += 1
            return true
        case .control: receiveControl(datagram, at: now)
        case .cookie, .opened: receiveHandshake(datagram, at: now)
        default: break
        }
        return false
    }

    /// Emits everything that is due. Call it every tenth of a second.
    func tick(at now: MonotonicInstant) {
        guard output.isEmpty else { return }
        switch state {
        case .greeting: send(.hello(keyPhase: phase, role: .edge, node: NodeID(name: name), nonce: nonce))
        case .opening(let cookie):
            send(
                .open(
                    Open(
                        keyPhase: phase, role: .edge, node: NodeID(name: name), nonce: nonce, cookie: cookie,
                        childToken: token, region: nil, name: name)))
        case .open:
            subscribe()
            renew(at: now)
        }
    }

    func removeOutput() { output.removeAll() }

    // MARK: Handshake

    private var phase: UInt8 { crypto.keyPhases.first ?? 0 }

    private func receiveHandshake(_ datagram: UnsafeRawBufferPointer, at now: MonotonicInstant) {
        guard HandshakeCodec.verify(datagram, crypto: crypto) else { return }
        switch (state, try? HandshakeCodec.decode(datagram)) {
        case (.greeting, .cookie(_, nonce, let cookie)):
            state = .opening(cookie)
            tick(at: now)
        case (.opening, .opened(let opened)) where opened.nonce == nonce:
            guard
                let keys = crypto.makeLinkKeys(
                    phase: opened.keyPhase, childNonce: nonce, parentNonce: opened.parentNonce,
                    child: NodeID(name: name), parent: opened.node)
            else { return }
            state = .open(keys, parentToken: opened.parentToken)
            lastRenew = now
            tick(at: now)
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
                        rateSixteenths: 32, path: [NodeID(name: name)])))
        }
    }

    private func renew(at now: MonotonicInstant) {
        guard now - lastRenew >= Self.renewInterval, leaseNonce != 0 else { return }
        lastRenew = now
        let ids = isAccepted.indices.filter { isAccepted[$0] }.map { UInt64($0 + 1) }
        send(
            .renew(
                Renew(
                    leaseNonce: leaseNonce, subscriptions: UInt16(clamping: ids.count),
                    digest: ids.reduce(0) { $0 &+ FixedHash.mix($1) }, timestamp: 1, echoedTimestamp: 0,
                    echoDelayMicroseconds: 0, received: UInt32(truncatingIfNeeded: packets), lost: 0)))
    }

    // MARK: Sending

    private func send(_ message: HandshakeMessage) {
        output.append(to: parent, headerLengthMax: WireLimits.handshakeLengthMax, body: nil) { [crypto] buffer in
            let length = HandshakeCodec.encode(message, into: buffer)
            let isKeyed = HandshakeCodec.finish(
                UnsafeMutableRawBufferPointer(rebasing: buffer[..<length]), crypto: crypto)
            return isKeyed ? length : 0
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
