import ReflectorModel

@testable import NodeIdentity

/// One seeded run in which an attacker owns the network and holds the key of one node. It reads, drops, repeats, reorders
/// and mixes messages, opens and answers links itself with the stolen key, and forges identities from everything that
/// it has learned. Honest nodes never do more than their state machines.
struct AttackRun {
    /// A link as one honest end sees it.
    struct View {
        var own: NodeID
        var peer: NodeID
        /// Whom it wanted: a child only.
        var target: NodeID?
        var secrets: LinkSecrets<SymbolicCrypto.Secret>
    }

    struct Report {
        var violations: [String] = []
        /// Links between two honest ends that both have finished.
        var links = 0
        /// Links of honest ends with the stolen node: allowed, since the attacker is that node.
        var withStolen = 0
    }

    /// An Open that the attacker could decrypt, and with what.
    private struct Capture {
        var open: OpenMessage
        var key: SymbolicCrypto.AgreementKey
        var first: SymbolicCrypto.Secret
        var transcript: Digest
        var identity: SealedIdentity
    }

    private struct ForgedOpen {
        var open: OpenMessage
        var key: SymbolicCrypto.AgreementKey
        var first: SymbolicCrypto.Secret
        var transcript: Digest
    }

    static let attacker = 1_000
    private static let steps = 200
    private static let addresses = (1...3).map { Endpoint(address: IPAddress(v4: UInt32($0)), port: 4900) }

    let world: SymbolicWorld
    let fixture: Fixture
    var random: SeededGenerator
    let nodes: [NodeCredential<SymbolicCrypto>]
    let stolen: Int
    private var trust: PeerTrust
    private var now = MonotonicInstant.zero + .seconds(100)
    private var children: [(node: Int, target: NodeID, handshake: ChildHandshake<SymbolicCrypto>)] = []
    private var parents: [Int: ParentHandshake<SymbolicCrypto>] = [:]
    private(set) var childViews: [View] = []
    private(set) var parentViews: [View] = []

    // What the attacker has seen and learned.
    private var hellos: [HelloMessage] = []
    private(set) var cookies: [CookieMessage] = []
    private(set) var opens: [OpenMessage] = []
    private(set) var openeds: [OpenedMessage] = []
    private var identities: [SealedIdentity] = []
    private var keys: [SymbolicCrypto.AgreementKey] = []
    /// Opens that were encrypted to a key of the attacker's.
    private var captured: [Capture] = []
    private var forgedOpens: [ForgedOpen] = []
    /// Which parent made a cookie.
    private var makers: [CookieMAC: NodeID] = [:]
    private var ownChildren: [ChildHandshake<SymbolicCrypto>] = []
    private var ownParent: ParentHandshake<SymbolicCrypto>
    let evil: SymbolicCrypto

    init(seed: UInt64, signatures: SymbolicWorld.Signatures = .perfect) throws {
        fixture = try Fixture(seed: seed)
        world = fixture.world
        random = SeededGenerator(seed: seed &+ 77)
        nodes = [
            try fixture.credential("edge-1", role: .edge, region: .edge(RegionID(1)), serial: 1),
            try fixture.credential("edge-2", role: .edge, region: .edge(RegionID(2)), serial: 2),
            try fixture.credential("ep-1", role: .entrypoint, serial: 3),
            try fixture.credential("set-1", role: .set, serial: 4),
            try fixture.credential("set-2", role: .set, serial: 5),
        ]
        trust = fixture.trust
        stolen = Int.random(in: 0..<nodes.count, using: &random)
        evil = SymbolicCrypto(world: world, actor: Self.attacker)
        ownParent = ParentHandshake(evil, credential: nodes[stolen])
        world.kind = signatures
        // Certificates are public in the model, as if the attacker had seen all of them.
        for index in nodes.indices where index != stolen {
            identities.append(
                SealedIdentity(
                    certificate: nodes[index].certificate, signature: world.fixed(), intended: nodes[index].node,
                    payload: []))
            if index >= 2 {
                parents[index] = ParentHandshake(
                    SymbolicCrypto(world: world, actor: index), credential: nodes[index])
            }
        }
    }

    /// - Parameter thenStealsEpochKeys: whether the attacker takes all machines when all links are over.
    mutating func run(thenStealsEpochKeys: Bool = false) throws -> Report {
        for index in nodes.indices where index != stolen {
            for _ in 0..<3 { try begin(index) }
        }
        for _ in 0..<Self.steps {
            now = now + .milliseconds(Int64.random(in: 0...150, using: &random))
            step()
        }
        if thenStealsEpochKeys { stealEpochKeys() }
        return report()
    }

    private mutating func begin(_ index: Int) throws {
        let targets = [2, 3, 4].filter { $0 != index }
        let target = nodes[targets.randomElement(using: &random) ?? 3].node
        let handshake = try ChildHandshake(
            SymbolicCrypto(world: world, actor: index), credential: nodes[index], parent: target,
            nonce: world.fixed(), payload: [UInt8(index)])
        children.append((index, target, handshake))
        hellos.append(handshake.hello)
    }

    // MARK: The attacker's choices

    private mutating func step() {
        switch Int.random(in: 0..<14, using: &random) {
        case 0, 1, 2: deliverHello()
        case 3, 4: if let cookie = pick(cookies) { toChildren(mixed(cookie)) }
        case 5, 6, 7: if let open = pick(opens) { toParent(mixed(open)) }
        case 8, 9: if let opened = pick(openeds) { toChildren(mixed(opened)) }
        case 10: openLink()
        case 11: pretendToBeParent()
        case 12: forgeOpen()
        default: forgeOpened()
        }
    }

    /// Every other time one of the newest, otherwise any.
    private mutating func pick<Element>(_ all: [Element]) -> Element? {
        Bool.random(using: &random) ? all.suffix(2).randomElement(using: &random) : all.randomElement(using: &random)
    }

    private mutating func isLucky() -> Bool { Bool.random(using: &random) }

    /// Where the honest children are.
    private static var address: Endpoint { addresses[0] }

    private mutating func someAddress() -> Endpoint {
        // Mostly the address of the honest children, so that many handshakes succeed.
        guard Int.random(in: 0..<5, using: &random) == 0 else { return Self.address }
        return Self.addresses.randomElement(using: &random) ?? Self.address
    }

    private mutating func deliverHello() {
        guard let hello = pick(hellos), let index = parents.keys.sorted().randomElement(using: &random) else {
            return
        }
        // Every other time the parent that the child wants.
        let wanted = children.first { $0.handshake.hello == hello }?.target
        let right = isLucky() ? nodes.firstIndex { $0.node == wanted } : nil
        let parent = right ?? index
        let from = someAddress()
        if let cookie = try? parents[parent]?.cookie(for: hello, from: from, at: now) {
            cookies.append(cookie)
            makers[cookie.cookie.mac] = nodes[parent].node
        }
    }

    private mutating func mixed(_ cookie: CookieMessage) -> CookieMessage {
        var cookie = cookie
        switch Int.random(in: 0..<8, using: &random) {
        case 0: cookie.epochKey = newKey().publicKey
        case 1: cookie.epochKey = (cookies.randomElement(using: &random) ?? cookie).epochKey
        case 2: cookie.cookie = (cookies.randomElement(using: &random) ?? cookie).cookie
        case 3: cookie.nonce = (hellos.randomElement(using: &random) ?? HelloMessage(nonce: cookie.nonce)).nonce
        default: break
        }
        return cookie
    }

    private mutating func mixed(_ open: OpenMessage) -> OpenMessage {
        var open = open
        let other = opens.randomElement(using: &random) ?? open
        switch Int.random(in: 0..<10, using: &random) {
        case 0: open.childKey = newKey().publicKey
        case 1: open.childKey = other.childKey
        case 2: open.sealed = other.sealed
        case 3: open.cookie = (cookies.randomElement(using: &random)?.cookie) ?? open.cookie
        case 4: open.nonce = other.nonce
        default: break
        }
        return open
    }

    private mutating func mixed(_ opened: OpenedMessage) -> OpenedMessage {
        var opened = opened
        let other = openeds.randomElement(using: &random) ?? opened
        switch Int.random(in: 0..<10, using: &random) {
        case 0: opened.parentKey = newKey().publicKey
        case 1: opened.parentKey = other.parentKey
        case 2: opened.sealed = other.sealed
        case 3: opened.nonce = other.nonce
        default: break
        }
        return opened
    }

    /// Opens a link to an honest parent with the stolen key.
    private mutating func openLink() {
        guard let index = parents.keys.sorted().randomElement(using: &random),
            var handshake = try? ChildHandshake(
                evil, credential: nodes[stolen], parent: nodes[index].node, nonce: world.fixed(), payload: []),
            let cookie = try? parents[index]?.cookie(for: handshake.hello, from: Self.address, at: now),
            let open = try? handshake.receive(cookie)
        else { return }
        makers[cookie.cookie.mac] = nodes[index].node
        cookies.append(cookie)
        opens.append(open)
        ownChildren.append(handshake)
    }

    /// Answers an honest child's Hello or Open with the stolen key.
    private mutating func pretendToBeParent() {
        if let hello = hellos.randomElement(using: &random), Bool.random(using: &random) {
            if let cookie = try? ownParent.cookie(for: hello, from: Self.address, at: now) { cookies.append(cookie) }
        } else if let open = opens.randomElement(using: &random),
            let outcome = try? ownParent.receive(
                open, from: Self.address, trust: &trust, at: now, seconds: Fixture.now),
            case .accepted(let accepted) = outcome, let answer = try? ownParent.answer(accepted, payload: [])
        {
            openeds.append(answer.opened)
        }
    }

    /// Builds an Open by hand, from keys of its own and whatever identity it likes.
    private mutating func forgeOpen() {
        learn()
        guard let cookie = pick(cookies) else { return }
        let key = newKey()
        guard let first = try? evil.agree(key, with: cookie.epochKey) else { return }
        let transcript = KeySchedule.openTranscript(
            nonce: cookie.nonce, cookie: cookie.cookie, epochKey: cookie.epochKey, childKey: key.publicKey, evil)
        let maker = makers[cookie.cookie.mac]
        guard let secret = try? KeySchedule.openKey(first, transcript: transcript, evil),
            let sealed = forgedIdentity(.child, transcript, secret, as: nil, for: maker)
        else { return }
        let open = OpenMessage(nonce: cookie.nonce, cookie: cookie.cookie, childKey: key.publicKey, sealed: sealed)
        forgedOpens.append(ForgedOpen(open: open, key: key, first: first, transcript: transcript))
        opens.append(open)
        if isLucky() { toParent(open) }
    }

    /// Builds an Opened by hand, for a child that encrypted its Open to a key of the attacker's.
    private mutating func forgeOpened() {
        learn()
        guard let capture = pick(captured) else { return }
        let key = newKey()
        let transcript = KeySchedule.openedTranscript(
            after: capture.transcript, sealed: capture.open.sealed, parentKey: key.publicKey, evil)
        guard let second = try? evil.agree(key, with: capture.open.childKey),
            let secret = try? KeySchedule.openedKey(capture.first, second, transcript: transcript, evil),
            let sealed = forgedIdentity(
                .parent, transcript, secret, as: capture.identity.intended,
                for: capture.identity.certificate.content.node)
        else { return }
        let opened = OpenedMessage(nonce: capture.open.nonce, parentKey: key.publicKey, sealed: sealed)
        // The keys of the link that would result.
        let whole = KeySchedule.linkTranscript(after: transcript, sealed: sealed, evil)
        _ = try? KeySchedule.linkSecrets(capture.first, second, transcript: whole, evil)
        openeds.append(opened)
        if isLucky() { toChildren(opened) }
    }

    /// Somebody's certificate, with a signature of somebody, or of the stolen key over exactly the right text. `name` and
    /// `peer` are what would be convincing.
    private mutating func forgedIdentity(
        _ end: KeySchedule.End, _ transcript: Digest, _ secret: SymbolicCrypto.Secret, as name: NodeID?,
        for peer: NodeID?
    ) -> [UInt8]? {
        guard var identity = pick(identities), let anybody = nodes.randomElement(using: &random)?.node else {
            return nil
        }
        let convincing = nodes.first { $0.node == name }?.certificate
        switch Int.random(in: 0..<3, using: &random) {
        case 0: identity.certificate = convincing ?? identity.certificate
        case 1: identity.certificate = nodes[stolen].certificate
        default: break
        }
        identity.intended = isLucky() ? peer ?? anybody : anybody
        if isLucky() {
            let signed = KeySchedule.signedBytes(
                by: end, transcript: transcript, certificate: identity.certificate, intended: identity.intended,
                payload: identity.payload, evil)
            identity.signature = (try? evil.sign(signed, with: nodes[stolen].key)) ?? identity.signature
        }
        return try? evil.seal(identity.encoded, associated: transcript, under: secret)
    }

    /// Decrypts what was sent to keys of the attacker's.
    private mutating func learn() {
        if let open = pick(opens), !captured.contains(where: { $0.open == open }) {
            for key in keys {
                let transcript = KeySchedule.openTranscript(
                    nonce: open.nonce, cookie: open.cookie, epochKey: key.publicKey, childKey: open.childKey, evil)
                guard let first = try? evil.agree(key, with: open.childKey),
                    let secret = try? KeySchedule.openKey(first, transcript: transcript, evil),
                    let bytes = evil.open(open.sealed, associated: transcript, under: secret),
                    let identity = try? SealedIdentity(decoding: bytes)
                else { continue }
                identities.append(identity)
                captured.append(
                    Capture(open: open, key: key, first: first, transcript: transcript, identity: identity))
            }
        }
        guard let opened = pick(openeds) else { return }
        for index in ownChildren.indices where ownChildren[index].hello.nonce == opened.nonce {
            _ = try? ownChildren[index].receive(opened, trust: &trust, at: Fixture.now)
        }
        for forged in forgedOpens where forged.open.nonce == opened.nonce { learn(opened, answering: forged) }
    }

    /// The keys of a link that a parent granted to a forged Open, if this is the answer to it.
    private mutating func learn(_ opened: OpenedMessage, answering forged: ForgedOpen) {
        let transcript = KeySchedule.openedTranscript(
            after: forged.transcript, sealed: forged.open.sealed, parentKey: opened.parentKey, evil)
        guard let second = try? evil.agree(forged.key, with: opened.parentKey),
            let secret = try? KeySchedule.openedKey(forged.first, second, transcript: transcript, evil),
            let bytes = evil.open(opened.sealed, associated: transcript, under: secret),
            let identity = try? SealedIdentity(decoding: bytes)
        else { return }
        identities.append(identity)
        let whole = KeySchedule.linkTranscript(after: transcript, sealed: opened.sealed, evil)
        _ = try? KeySchedule.linkSecrets(forged.first, second, transcript: whole, evil)
    }

    private mutating func newKey() -> SymbolicCrypto.AgreementKey {
        if keys.count >= 4, let key = keys.randomElement(using: &random) { return key }
        guard let key = try? evil.makeAgreementKey() else { preconditionFailure("AttackRun: no key") }
        keys.append(key)
        return key
    }

    // MARK: Honest nodes

    private mutating func toChildren(_ cookie: CookieMessage) {
        // Others refuse it at once (`otherNonce`); HandshakeTests has that.
        for index in children.indices where children[index].handshake.hello.nonce == cookie.nonce {
            if let open = try? children[index].handshake.receive(cookie) { opens.append(open) }
        }
    }

    private mutating func toChildren(_ opened: OpenedMessage) {
        for index in children.indices where children[index].handshake.hello.nonce == opened.nonce {
            guard
                let link = try? children[index].handshake.receive(opened, trust: &trust, at: Fixture.now)
            else { continue }
            childViews.append(
                View(
                    own: nodes[children[index].node].node, peer: link.peer.content.node,
                    target: children[index].target, secrets: link.secrets))
        }
    }

    private mutating func toParent(_ open: OpenMessage) {
        let from = someAddress()
        let maker = makers[open.cookie.mac]
        let isWide = Int.random(in: 0..<8, using: &random) == 0
        for index in parents.keys.sorted() where isWide || nodes[index].node == maker {
            let outcome = try? parents[index]?.receive(
                open, from: from, trust: &trust, at: now, seconds: Fixture.now)
            switch outcome {
            case .refused: return
            case .accepted(let accepted):
                guard let (opened, link) = try? parents[index]?.answer(accepted, payload: [UInt8(index)]) else {
                    continue
                }
                openeds.append(opened)
                parentViews.append(
                    View(own: nodes[index].node, peer: link.peer.content.node, target: nil, secrets: link.secrets))
            case .repeated(let opened): openeds.append(opened)
            case nil: continue
            }
        }
    }
}
