import ArgumentParser
import DatagramIO
import IdentityKeys
import NodeIdentity
import ReflectorModel
import RelayCore
import RelayWire

/// What floods a parent.
enum Flood: String, CaseIterable, ExpressibleByArgument, Sendable {
    /// Hellos; the cookies are thrown away.
    case hello
    /// An Open for each cookie, with random bytes as its sealed part.
    case random
    /// Well sealed, with a certificate of somebody else's operator.
    case untrusted
    /// Well sealed, with a certificate of the right operator that has expired.
    case expired
    /// Well sealed, with the valid certificate of another node, and a signature that is wrong.
    case impostor

    var text: String {
        switch self {
        case .hello: "Hellos"
        case .random: "Opens of random bytes"
        case .untrusted: "Opens with an untrusted certificate"
        case .expired: "Opens with an expired certificate"
        case .impostor: "Opens with another node's certificate"
        }
    }
}

/// Floods a parent from many addresses at an even rate.
final class Flooder: DatagramHandler {
    private static let interval = TimeSpan.milliseconds(1)
    /// Where a Hello's nonce begins.
    private static let nonceOffset = 4
    /// Bytes of a usual sealed part.
    private static let sealedLength = 290

    private let loop: DatagramLoop
    private let flood: Flood
    private let target: Endpoint
    private let parent: NodeID
    private let sockets: [DatagramSocket]
    private let attacker: AttackerCrypto?
    private let credential: NodeCredential<AttackerCrypto>?
    private let perStep: Double
    private let headers: UnsafeMutableRawBufferPointer
    private var batch: DatagramBatch
    /// The bytes of a Hello.
    private let hello: [UInt8]
    private var debt = 0.0
    private var nextSocket = 0
    private var nextStep: MonotonicInstant
    private var random = SeededGenerator(seed: .random(in: 0 ... .max))
    /// Hellos and Opens sent.
    private(set) var hellos: UInt64 = 0
    private(set) var opens: UInt64 = 0

    /// - Parameters:
    ///   - rate: Hellos a second; for all floods but `hello`, each cookie makes an Open.
    ///   - shown: what the sender says it is.
    init(
        loop: DatagramLoop, _ flood: Flood, rate: Double, from addresses: [IPAddress], to target: Endpoint,
        parentName: String, showing shown: BenchIdentity
    ) throws {
        self.loop = loop
        self.flood = flood
        self.target = target
        parent = NodeID(name: parentName)
        var options = DatagramSocketOptions()
        // Each datagram is one, as from many machines.
        options.segmentationOffload = false
        options.receiveOffload = false
        options.receiveBufferBytes = flood == .hello ? 4_096 : 1 << 20
        sockets = try addresses.map { try DatagramSocket(bind: Endpoint(address: $0, port: 0), options: options) }
        for socket in sockets { try loop.add(socket) }
        if flood == .hello || flood == .random {
            (attacker, credential) = (nil, nil)
        } else {
            let attacker = try AttackerCrypto(showing: shown.credential.certificate)
            self.attacker = attacker
            credential = NodeCredential(
                certificate: shown.credential.certificate, key: shown.credential.key, attacker)
        }
        perStep = rate * Self.interval.seconds
        guard let nonce = Nonce([UInt8](repeating: 0, count: NonceLength.length)) else {
            throw Companion.Failure(description: "flood: a nonce has 16 bytes")
        }
        var bytes = [UInt8](repeating: 0, count: WireLimits.handshakeLengthMax)
        let length = bytes.withUnsafeMutableBytes {
            HandshakeCodec.encode(.hello(HelloMessage(nonce: nonce)), into: $0)
        }
        hello = Array(bytes[..<length])
        headers = .allocate(byteCount: 1 << 18, alignment: 64)
        batch = DatagramBatch(countMax: 256, headers: headers)
        nextStep = loop.now
        loop.nextWakeup = nextStep
    }

    deinit { headers.deallocate() }

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        guard flood != .hello,
            case .cookie(let cookie) = try? HandshakeCodec.decode(UnsafeRawBufferPointer(datagram.bytes)),
            let open = open(cookie)
        else { return }
        if !batch.hasRoom(headerLength: WireLimits.handshakeLengthMax) { send(on: socket) }
        append(.open(open))
        opens += 1
    }

    func batchEnded(on socket: DatagramSocket, at now: MonotonicInstant) { send(on: socket) }

    func wakeEnded(at now: MonotonicInstant) {
        // After a long stall it does not catch up: that would be a burst.
        if now - nextStep > .milliseconds(20) { nextStep = now }
        while nextStep <= now {
            debt += perStep
            nextStep = nextStep + Self.interval
        }
        while debt >= 1 {
            let socket = sockets[nextSocket]
            nextSocket = nextSocket + 1 == sockets.count ? 0 : nextSocket + 1
            for _ in 0..<min(Int(debt), 10) {
                appendHello()
                debt -= 1
                hellos += 1
            }
            send(on: socket)
        }
        loop.nextWakeup = nextStep
    }

    private func open(_ cookie: CookieMessage) -> OpenMessage? {
        guard let attacker, let credential else {
            guard let key = AgreementPublicKey(bytes(32)) else { return nil }
            return OpenMessage(
                nonce: cookie.nonce, cookie: cookie.cookie, childKey: key, sealed: bytes(Self.sealedLength))
        }
        var handshake = ChildHandshake(
            attacker, credential: credential, parent: parent, nonce: cookie.nonce,
            request: LinkRequest(childToken: random.next() | 1).encoded)
        return try? handshake.receive(cookie)
    }

    private func append(_ message: HandshakeMessage) {
        batch.append(to: target, headerLengthMax: WireLimits.handshakeLengthMax, body: nil) { buffer in
            HandshakeCodec.encode(message, into: buffer)
        }
    }

    private func send(on socket: DatagramSocket) {
        guard !batch.isEmpty else { return }
        socket.send(batch)
        batch.removeAll()
    }

    /// A Hello with another nonce than the one before, without the work of encoding it.
    private func appendHello() {
        let (high, low): (UInt64, UInt64) = (random.next(), random.next())
        batch.append(to: target, headerLengthMax: hello.count, body: nil) { [hello] buffer in
            buffer.copyBytes(from: hello)
            buffer.storeBytes(of: high, toByteOffset: Self.nonceOffset, as: UInt64.self)
            buffer.storeBytes(of: low, toByteOffset: Self.nonceOffset + 8, as: UInt64.self)
            return hello.count
        }
    }

    private func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count { withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) } }
        return Array(bytes[..<count])
    }
}
