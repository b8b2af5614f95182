import NodeIdentity
import ReflectorModel
import RelayWire

/// An attacker on the network that sees every datagram and sends from any address: replayed, changed and forged
/// datagrams, and the beginnings of handshakes.
struct Intruder {
    struct Overheard {
        var bytes: [UInt8]
        var claimed: Endpoint
        var to: Int
    }

    private var random: SeededGenerator
    private var overheard: [Overheard] = []
    private static let memoryMax = 256

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// Keeps a datagram for later attacks; sometimes returns a changed copy, which arrives before the original.
    mutating func overhear(_ bytes: [UInt8], claimed: Endpoint, to: Int) -> [UInt8]? {
        let one = Overheard(bytes: bytes, claimed: claimed, to: to)
        if overheard.count < Self.memoryMax {
            overheard.append(one)
        } else if random.chance(bytes[0] < 0x30 ? 0.5 : 0.05) {
            overheard[Int(random.next(below: UInt64(Self.memoryMax)))] = one
        }
        guard bytes.count > WireLimits.dataOverhead, bytes[0] == 0x30, random.chance(0.01) else { return nil }
        var forged = bytes
        // Changes a byte of the ciphertext, or of the tag after it.
        let start = WireLimits.linkHeaderLength + WireLimits.streamHeaderLength
        forged[start + Int(random.next(below: UInt64(bytes.count - start)))] ^= 0x40
        return forged
    }

    /// The next datagram of the attacker; nil if it has seen none yet.
    mutating func attack(_ network: Topology) -> Overheard? {
        guard !overheard.isEmpty else { return nil }
        var one = random.pick(overheard)
        switch random.next(below: 6) {
        case 0: break
        case 1, 2:
            // Changes a byte after the link header, if there is one, so that token and address stay right.
            let low = one.bytes.count > 31 && one.bytes[0] >= 0x30 ? 14 : 0
            let place = low + Int(random.next(below: UInt64(one.bytes.count - low)))
            one.bytes[place] ^= UInt8(1 + random.next(below: 255))
        case 3: one.claimed = network.hosts[random.pick(network.all)].endpoint
        case 4: one.bytes = (0..<random.next(below: 120)).map { _ in UInt8(random.next(below: 256)) } + [0]
        default:
            one.claimed = network.hosts[random.pick(network.edges)].endpoint
            one.to = random.pick(network.sets)
            one.bytes = handshake()
        }
        return one
    }

    /// A Hello, or an Open with a cookie that nobody made.
    private mutating func handshake() -> [UInt8] {
        let nonce: Nonce = fixed()
        let cookie = RoutabilityCookie(milliseconds: 3_000, mac: fixed())
        let sealed = (0..<200).map { _ in UInt8(random.next(below: 256)) }
        let message: HandshakeMessage =
            random.chance(0.5)
            ? .hello(HelloMessage(nonce: nonce))
            : .open(OpenMessage(nonce: nonce, cookie: cookie, childKey: fixed(), sealed: sealed))
        var bytes = [UInt8](repeating: 0, count: WireLimits.handshakeLengthMax)
        let length = bytes.withUnsafeMutableBytes { HandshakeCodec.encode(message, into: $0) }
        return Array(bytes[..<length])
    }

    private mutating func fixed<Kind>() -> FixedBytes<Kind> {
        let bytes = (0..<Kind.length).map { _ in UInt8(random.next(below: 256)) }
        guard let fixed = FixedBytes<Kind>(bytes) else { preconditionFailure("Intruder: a wrong length") }
        return fixed
    }
}

extension FaultSimulation {
    func intrude() {
        guard intruder != nil else { return }
        network.schedule(.intrude, at: now + .milliseconds(5) + random.time(upTo: .milliseconds(20)))
        guard let attack = intruder?.attack(topology) else { return }
        network.send(
            attack.bytes, from: attack.claimed, to: hosts[attack.to].node,
            at: now + random.time(upTo: .milliseconds(10)))
    }
}
