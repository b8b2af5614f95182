import NodeIdentity
import ReflectorModel

/// One seeded run in which an attacker owns the network and holds the key of one node. It reads, drops, repeats, reorders
/// and mixes messages, opens, renews and answers links itself with the stolen key, refuses children in others' names, and
/// forges identities from everything that it has learned. Honest nodes never do more than their state machines.
struct AttackRun {
    /// The keys of a link as one honest end sees them.
    struct View {
        var own: NodeID
        var peer: NodeID
        /// Whom it wanted: a child only.
        var target: NodeID?
        var secrets: LinkSecrets<SymbolicCrypto.Secret>
        /// Number of the link at this end. A link that was renewed has several views.
        var link: Int
    }

    /// A handshake of an honest child.
    struct Child {
        var node: Int
        var target: NodeID
        var handshake: ChildHandshake<SymbolicCrypto>
        /// The link to which the handshake gives new keys.
        var renews: Int?
        /// The key in the Cookie that it accepted.
        var epochKey: AgreementPublicKey?
        var isRefused = false
    }

    /// A refusal that an honest node has made.
    struct Refusal {
        var by: NodeID
        var reason: HandshakeRefusal
        var nonce: Nonce
    }

    /// A link of an honest parent, by its newest token.
    struct ParentLink {
        var parent: Int
        var child: NodeID
        var link: Int
    }

    /// An Open that the attacker could decrypt, and with what.
    struct Capture {
        var open: OpenMessage
        var key: SymbolicCrypto.AgreementKey
        var first: SymbolicCrypto.Secret
        var transcript: Digest
        var identity: SealedIdentity
    }

    struct ForgedOpen {
        var open: OpenMessage
        var key: SymbolicCrypto.AgreementKey
        var first: SymbolicCrypto.Secret
        var transcript: Digest
    }

    static let attacker = 1_000
    private static let steps = 220
    private static let addresses = (1...3).map { Endpoint(address: IPAddress(v4: UInt32($0)), port: 4900) }

    let world: SymbolicWorld
    var random: SeededGenerator
    let nodes: [NodeCredential<SymbolicCrypto>]
    let stolen: Int
    var trust: PeerTrust
    var now = MonotonicInstant.zero + .seconds(100)

    // Honest nodes.
    var children: [Child] = []
    var parents: [Int: ParentHandshake<SymbolicCrypto>] = [:]
    var childViews: [View] = []
    var parentViews: [View] = []
    /// The parent's newest token of each of the children's links.
    var childTokens: [Int: UInt64] = [:]
    var parentLinks: [UInt64: ParentLink] = [:]
    var refusals: [CookieMAC: Refusal] = [:]
    var lastLink = 0
    var report = Report()

    // What the attacker has seen and learned.
    var hellos: [HelloMessage] = []
    var cookies: [CookieMessage] = []
    var opens: [OpenMessage] = []
    var openeds: [OpenedMessage] = []
    var refuseds: [RefusedMessage] = []
    var identities: [SealedIdentity] = []
    var keys: [SymbolicCrypto.AgreementKey] = []
    /// Opens that were encrypted to a key of the attacker's.
    var captured: [Capture] = []
    var forgedOpens: [ForgedOpen] = []
    /// Which parent made a cookie.
    var makers: [CookieMAC: NodeID] = [:]
    var ownChildren: [ChildHandshake<SymbolicCrypto>] = []
    var ownParent: ParentHandshake<SymbolicCrypto>
    let evil: SymbolicCrypto

    init(seed: UInt64, signatures: SymbolicWorld.Signatures = .perfect) {
        let zone = AttackedZone(seed: seed)
        world = zone.world
        nodes = zone.nodes
        trust = zone.trust
        random = SeededGenerator(seed: seed &+ 77)
        stolen = random.number(below: nodes.count)
        evil = SymbolicCrypto(world: world, actor: Self.attacker)
        ownParent = ParentHandshake(evil, credential: nodes[stolen])
        world.kind = signatures
        // Certificates are public in the model, as if the attacker had seen all of them.
        for index in nodes.indices where index != stolen {
            identities.append(
                SealedIdentity(
                    certificate: nodes[index].certificate, signature: world.fixed(), intended: nodes[index].node,
                    payload: []))
        }
        for index in zone.parents where index != stolen {
            parents[index] = ParentHandshake(
                SymbolicCrypto(world: world, actor: index), credential: nodes[index])
        }
    }

    /// - Parameter thenStealsEpochKeys: whether the attacker takes all machines when all links are over.
    mutating func run(thenStealsEpochKeys: Bool = false) -> Report {
        for index in nodes.indices where index != stolen {
            for _ in 0..<3 { begin(index) }
            if isLucky() { deliverAll() }
        }
        for _ in 0..<Self.steps {
            now = now + .milliseconds(Int64(random.number(below: 151)))
            step()
        }
        if thenStealsEpochKeys { stealEpochKeys() }
        finish()
        return report
    }

    private mutating func step() {
        switch random.number(below: 18) {
        case 0, 1, 2: deliverHello()
        case 3, 4: if let cookie = pick(cookies) { toChildren(mixed(cookie)) }
        case 5, 6, 7: if let open = pick(opens) { toParent(mixed(open)) }
        case 8, 9: if let opened = pick(openeds) { toChildren(mixed(opened)) }
        case 10: openLink()
        case 11: pretendToBeParent()
        case 12: forgeOpen()
        case 13: forgeOpened()
        case 14: if let refused = pick(refuseds) { toChildren(mixed(refused)) }
        case 15: forgeRefused()
        case 16: renew()
        default: if let opened = openeds.last { toChildren(opened) }
        }
    }

    // MARK: Chance

    /// Every other time one of the newest, otherwise any.
    mutating func pick<Element>(_ all: [Element]) -> Element? {
        random.chance(0.5) ? random.element(of: all.suffix(2)) : random.element(of: all)
    }

    mutating func isLucky() -> Bool { random.chance(0.5) }

    /// Where the honest children are.
    static var address: Endpoint { addresses[0] }

    mutating func someAddress() -> Endpoint {
        // Mostly the address of the honest children, so that many handshakes succeed.
        guard random.number(below: 5) == 0 else { return Self.address }
        return random.element(of: Self.addresses) ?? Self.address
    }

    mutating func someNonce() -> Nonce? { (isLucky() ? opens.last?.nonce : random.element(of: opens)?.nonce) }
}

extension SeededGenerator {
    /// A number from 0 to `end` - 1.
    mutating func number(below end: Int) -> Int { Int(next(below: UInt64(end))) }

    /// One of the elements; nil if there is none.
    mutating func element<Element>(of elements: some Collection<Element>) -> Element? {
        guard !elements.isEmpty else { return nil }
        return elements[elements.index(elements.startIndex, offsetBy: number(below: elements.count))]
    }
}
