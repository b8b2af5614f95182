import NodeIdentity
import ReflectorModel
import ReflectorSimulation

/// A child and a parent without a network between them.
struct HandshakePair<Crypto: IdentityCrypto> {
    static var address: Endpoint { Endpoint(address: IPAddress(v4: 0xc000_0201), port: 4900) }

    var child: ChildHandshake<Crypto>
    var parent: ParentHandshake<Crypto>
    var trust: PeerTrust
    var now = MonotonicInstant.zero + .seconds(1_000)
    var seconds = Fixture.now

    mutating func cookie() throws -> CookieMessage { try parent.cookie(for: child.hello, from: Self.address, at: now) }

    mutating func receive(_ open: OpenMessage, from address: Endpoint = Self.address) throws
        -> ParentHandshake<Crypto>.Outcome
    {
        try parent.receive(open, from: address, trust: &trust, at: now, seconds: seconds)
    }

    /// Why the parent does not accept an Open; nil if it does. If the parent tells the child, the child reads the reason.
    mutating func refusal(of open: OpenMessage) throws -> HandshakeError? {
        do {
            guard case .refused(let message, let error) = try receive(open) else { return nil }
            guard try child.receive(message) == message.reason else { throw HandshakeError.seal }
            return error
        } catch let error as HandshakeError {
            return error
        }
    }

    /// Lets the child of an Open in.
    mutating func answer(
        _ open: OpenMessage, payload: [UInt8] = [2]
    ) throws -> (opened: OpenedMessage, link: EstablishedLink<Crypto>) {
        guard case .accepted(let accepted) = try receive(open) else { throw HandshakeError.unexpected }
        return try parent.answer(accepted, payload: payload)
    }

    mutating func receive(_ opened: OpenedMessage) throws -> EstablishedLink<Crypto> {
        try child.receive(opened, trust: &trust, at: seconds)
    }
}

extension HandshakePair where Crypto == SymbolicCrypto {
    /// The edge `edge-1` and the set reflector `set-1`, or others.
    init(
        _ fixture: Fixture, child: NodeCredential<SymbolicCrypto>? = nil,
        parent: NodeCredential<SymbolicCrypto>? = nil, target: NodeID = NodeID(name: "set-1"), payload: [UInt8] = [1]
    ) throws {
        let child = try child ?? fixture.credential("edge-1", role: .edge, region: .edge(RegionID(1283)), serial: 8)
        let parent = try parent ?? fixture.credential("set-1", role: .set, region: .set("nyc"), serial: 9)
        self.child = try ChildHandshake(
            SymbolicCrypto(world: fixture.world, actor: 1), credential: child, parent: target,
            nonce: fixture.world.fixed(), payload: payload)
        self.parent = ParentHandshake(SymbolicCrypto(world: fixture.world, actor: 2), credential: parent)
        trust = fixture.trust
    }
}
