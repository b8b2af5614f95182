import NodeIdentity
import PacketSealing
import ReflectorModel
import RelayCore
import RelayWire

/// Whole handshakes between one parent and many children in memory, with encoding and the set-up of the link's keys.
final class HandshakeBench {
    struct Cost {
        /// CPU time of one handshake at each end, in nanoseconds: medians of blocks.
        var child: Double
        var parent: Double
        /// The cheapest block: what is left when nothing else runs on the machine.
        var childLeast: Double
        var parentLeast: Double
        /// By end and step: nanoseconds and calls of one handshake.
        var steps: [[(nanoseconds: Double, calls: Double)]]
    }

    /// Handshakes in a block.
    private static let blockLength = 64

    private let ledger = TimedIdentityCrypto.Ledger()
    private let packets: LibcryptoPacketCrypto
    private let authorities: CertificateAuthorities
    private let parent: NodeHandshakes<TimedIdentityCrypto>
    private let children: [NodeHandshakes<TimedIdentityCrypto>]
    private let address = Endpoint(address: IPAddress(v4: 0x0a00_0001), port: 4_900)
    private var now = MonotonicInstant(nanoseconds: 1_000_000_000)
    private var wire = [UInt8](repeating: 0, count: WireLimits.handshakeLengthMax)
    private var random = SystemRandomNumberGenerator()

    init() throws {
        let network = try BenchOperator()
        authorities = network.authorities
        packets = try LibcryptoPacketCrypto()
        let make = { [ledger, packets, now] (name: String, role: CertifiedRole) throws in
            let identity = try network.identity(name, role)
            let crypto = TimedIdentityCrypto(ledger)
            guard
                let credential = NodeCredential(
                    certificate: identity.credential.certificate, key: identity.credential.key, crypto)
            else { throw Companion.Failure(description: "\(name): no identity") }
            return NodeHandshakes(
                crypto, credential: credential, trust: identity.trust, seconds: identity.seconds, at: now
            ) { packets.install($0) }
        }
        parent = try make("set-1", .set)
        children = try (0..<Self.blockLength).map { try make("child-\($0)", .edge) }
    }

    /// - Parameter isKnown: both ends have verified the other's certificate before.
    func measure(handshakes: Int, isKnown: Bool) throws -> Cost {
        var blocks: [(child: Double, parent: Double)] = []
        ledger.clear()
        _ = try block(isKnown: true)
        let count = max(handshakes / Self.blockLength, 3)
        // In turn, so that other work on the machine affects the whole and its steps equally.
        for _ in 0..<count {
            ledger.isOn = false
            blocks.append(try block(isKnown: isKnown))
            ledger.isOn = true
            _ = try block(isKnown: isKnown)
            ledger.endBlock(handshakes: Self.blockLength)
        }
        ledger.isOn = false
        return Cost(
            child: Self.median(blocks.map(\.child)), parent: Self.median(blocks.map(\.parent)),
            childLeast: blocks.map(\.child).min() ?? 0, parentLeast: blocks.map(\.parent).min() ?? 0,
            steps: ledger.steps)
    }

    private func block(isKnown: Bool) throws -> (child: Double, parent: Double) {
        var sums = [UInt64(0), 0]
        for child in children {
            // A child has at most 32 links in 10 s.
            now = now + .milliseconds(20)
            if !isKnown {
                parent.replace(authorities)
                child.replace(authorities)
            }
            let times = try handshake(child)
            sums = [sums[0] + times.child, sums[1] + times.parent]
        }
        return (Double(sums[0]) / Double(Self.blockLength), Double(sums[1]) / Double(Self.blockLength))
    }

    private func handshake(_ child: NodeHandshakes<TimedIdentityCrypto>) throws -> (child: UInt64, parent: UInt64) {
        var times = [UInt64(0), 0]
        func step<Value>(_ end: TimedIdentityCrypto.End, _ body: () throws -> Value) throws -> Value {
            ledger.end = end
            let start = TimedIdentityCrypto.Ledger.time()
            defer { times[end.rawValue] += TimedIdentityCrypto.Ledger.time() - start }
            return try body()
        }
        let nonce = (0..<NonceLength.length).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        guard let nonce = Nonce(nonce) else { throw Companion.Failure(description: "nonce") }
        let opening = try step(.child) {
            let opening = child.begin(to: parent.own.node, nonce: nonce, LinkRequest(childToken: 1))
            put(.hello(opening.hello))
            return opening
        }
        try step(.parent) {
            guard case .hello(let hello) = try take() else { throw Self.failed("Hello") }
            put(.cookie(try parent.cookie(for: hello, from: address, at: now)))
        }
        try step(.child) {
            guard case .cookie(let cookie) = try take() else { throw Self.failed("Cookie") }
            try opening.receive(cookie)
            guard let open = opening.open else { throw Self.failed("Open") }
            put(.open(open))
        }
        let above = try step(.parent) {
            guard case .open(let open) = try take(),
                parent.isOurs(open.cookie, nonce: open.nonce, from: address, at: now),
                case .accepted(let applicant) = try parent.receive(open, from: address, at: now)
            else { throw Self.failed("Open") }
            let (opened, keys) = try applicant.grant(LinkGrant(parentToken: 1, leaseMilliseconds: 6_000))
            put(.opened(opened))
            return keys
        }
        let below = try step(.child) {
            guard case .opened(let opened) = try take() else { throw Self.failed("Opened") }
            return try opening.receive(opened, at: now).keys
        }
        packets.release(above)
        packets.release(below)
        return (times[0], times[1])
    }

    private func put(_ message: HandshakeMessage) {
        wire.withUnsafeMutableBytes { buffer in length = HandshakeCodec.encode(message, into: buffer) }
    }

    private func take() throws -> HandshakeMessage {
        try wire.withUnsafeBytes { try HandshakeCodec.decode(UnsafeRawBufferPointer(rebasing: $0[..<length])) }
    }

    private var length = 0

    private static func failed(_ message: String) -> Companion.Failure {
        Companion.Failure(description: "the handshake failed at \(message)")
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}
