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

    static let attacker = 1_000
    private static let steps = 160
    private static let addresses = (1...3).map { Endpoint(address: IPAddress(v4: UInt32($0)), port: 4900) }

    let world: SymbolicWorld
    let fixture: Fixture
    var random: SeededGenerator
    let nodes: [NodeCredential<SymbolicCrypto>]
    let stolen: Int
    private var now = MonotonicInstant.zero + .seconds(100)
    private var children: [(node: Int, target: NodeID, handshake: ChildHandshake<SymbolicCrypto>)] = []
    private var parents: [Int: ParentHandshake<SymbolicCrypto>] = [:]
    private(set) var childViews: [View] = []
    private(set) var parentViews: [View] = []

    // What the attacker has seen and learned.
    private var hellos: [HelloMessage] = []
    private var cookies: [CookieMessage] = []
    private var opens: [OpenMessage] = []
    private var openeds: [OpenedMessage] = []
    private var identities: [SealedIdentity] = []
    private var keys: [SymbolicCrypto.AgreementKey] = []
    private var secrets: [SymbolicCrypto.Secret] = []
    private var ownChildren: [ChildHandshake<SymbolicCrypto>] = []
    private var ownParent: ParentHandshake<SymbolicCrypto>
    private let evil: SymbolicCrypto

    init(seed: UInt64, acceptsAnySignature: Bool = false) throws {
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
        stolen = Int.random(in: 0..<nodes.count, using: &random)
        evil = SymbolicCrypto(world: world, actor: Self.attacker)
        ownParent = ParentHandshake(evil, credential: nodes[stolen])
        world.acceptsAnySignature = acceptsAnySignature
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

    mutating func run() throws -> Report {
        for index in nodes.indices where index != stolen {
            for _ in 0..<2 { try begin(index) }
        }
        for _ in 0..<Self.steps {
            now = now + .milliseconds(Int64.random(in: 0...150, using: &random))
            step()
        }
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
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1: deliverHello()
        case 2, 3: if let cookie = cookies.randomElement(using: &random) { toChildren(mixed(cookie)) }
        case 4, 5, 6: if let open = opens.randomElement(using: &random) { toParent(mixed(open)) }
        case 7, 8: if let opened = openeds.randomElement(using: &random) { toChildren(mixed(opened)) }
        case 9: openLink()
        case 10: pretendToBeParent()
        default: forge()
        }
    }

    /// Where the honest children are.
    private static var address: Endpoint { addresses[0] }

    private mutating func someAddress() -> Endpoint {
        // Mostly the address of the honest children, so that many handshakes succeed.
        guard Int.random(in: 0..<5, using: &random) == 0 else { return Self.address }
        return Self.addresses.randomElement(using: &random) ?? Self.address
    }

    private mutating func deliverHello() {
        guard let hello = hellos.randomElement(using: &random),
            let index = parents.keys.sorted().randomElement(using: &random)
        else { return }
        let from = someAddress()
        if let cookie = try? parents[index]?.cookie(for: hello, from: from, at: now) { cookies.append(cookie) }
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
                open, from: Self.address, trust: fixture.trust, at: now, seconds: Fixture.now),
            case .accepted(let accepted) = outcome, let answer = try? ownParent.answer(accepted, payload: [])
        {
            openeds.append(answer.opened)
        }
    }

    /// Builds an Open or an Opened by hand, from keys of its own and whatever identity it likes.
    private mutating func forge() {
        guard let cookie = cookies.randomElement(using: &random) else { return }
        learn()
        let key = newKey()
        if Bool.random(using: &random) {
            guard let first = try? evil.agree(key, with: cookie.epochKey) else { return }
            let transcript = KeySchedule.openTranscript(
                nonce: cookie.nonce, cookie: cookie.cookie, epochKey: cookie.epochKey, childKey: key.publicKey, evil)
            guard let secret = try? KeySchedule.openKey(first, transcript: transcript, evil) else { return }
            guard let sealed = sealedForgery(.child, transcript, secret) else { return }
            opens.append(
                OpenMessage(nonce: cookie.nonce, cookie: cookie.cookie, childKey: key.publicKey, sealed: sealed))
        } else {
            guard let open = opens.randomElement(using: &random), let own = keys.randomElement(using: &random),
                let first = try? evil.agree(own, with: open.childKey),
                let second = try? evil.agree(key, with: open.childKey)
            else { return }
            let before = KeySchedule.openTranscript(
                nonce: open.nonce, cookie: open.cookie, epochKey: own.publicKey, childKey: open.childKey, evil)
            let transcript = KeySchedule.openedTranscript(
                after: before, sealed: open.sealed, parentKey: key.publicKey, evil)
            guard let secret = try? KeySchedule.openedKey(first, second, transcript: transcript, evil),
                let sealed = sealedForgery(.parent, transcript, secret)
            else { return }
            openeds.append(OpenedMessage(nonce: open.nonce, parentKey: key.publicKey, sealed: sealed))
            // The keys of the link that would result.
            let whole = KeySchedule.linkTranscript(after: transcript, sealed: sealed, evil)
            _ = try? KeySchedule.linkSecrets(first, second, transcript: whole, evil)
        }
    }

    /// Somebody's certificate, with a signature of somebody, or of the stolen key over exactly the right text.
    private mutating func sealedForgery(
        _ end: KeySchedule.End, _ transcript: Digest, _ secret: SymbolicCrypto.Secret
    ) -> [UInt8]? {
        let source = identities.randomElement(using: &random)
        let certificate = Bool.random(using: &random) ? source?.certificate : nodes[stolen].certificate
        guard var identity = source, let certificate, let intended = nodes.randomElement(using: &random)?.node else {
            return nil
        }
        identity.certificate = certificate
        identity.intended = Bool.random(using: &random) ? intended : identity.intended
        if Bool.random(using: &random) {
            let signed = KeySchedule.signedBytes(
                by: end, transcript: transcript, certificate: certificate, intended: identity.intended,
                payload: identity.payload, evil)
            identity.signature = (try? evil.sign(signed, with: nodes[stolen].key)) ?? identity.signature
        }
        return try? evil.seal(identity.encoded, associated: transcript, under: secret)
    }

    /// Opens what was sent to a key of the attacker's.
    private mutating func learn() {
        guard let open = opens.randomElement(using: &random) else { return }
        for key in keys {
            let transcript = KeySchedule.openTranscript(
                nonce: open.nonce, cookie: open.cookie, epochKey: key.publicKey, childKey: open.childKey, evil)
            guard let first = try? evil.agree(key, with: open.childKey),
                let secret = try? KeySchedule.openKey(first, transcript: transcript, evil),
                let bytes = evil.open(open.sealed, associated: transcript, under: secret),
                let identity = try? SealedIdentity(decoding: bytes)
            else { continue }
            identities.append(identity)
        }
        // What honest parents answered to the attacker's own links.
        for opened in openeds {
            for index in ownChildren.indices where ownChildren[index].hello.nonce == opened.nonce {
                _ = try? ownChildren[index].receive(opened, trust: fixture.trust, at: Fixture.now)
            }
        }
    }

    private mutating func newKey() -> SymbolicCrypto.AgreementKey {
        if keys.count >= 4, let key = keys.randomElement(using: &random) { return key }
        guard let key = try? evil.makeAgreementKey() else { preconditionFailure("AttackRun: no key") }
        keys.append(key)
        return key
    }

    // MARK: Honest nodes

    private mutating func toChildren(_ cookie: CookieMessage) {
        for index in children.indices {
            if let open = try? children[index].handshake.receive(cookie) { opens.append(open) }
        }
    }

    private mutating func toChildren(_ opened: OpenedMessage) {
        for index in children.indices {
            guard
                let link = try? children[index].handshake.receive(opened, trust: fixture.trust, at: Fixture.now)
            else { continue }
            childViews.append(
                View(
                    own: nodes[children[index].node].node, peer: link.peer.content.node,
                    target: children[index].target, secrets: link.secrets))
        }
    }

    private mutating func toParent(_ open: OpenMessage) {
        let from = someAddress()
        for index in parents.keys.sorted() {
            let outcome = try? parents[index]?.receive(
                open, from: from, trust: fixture.trust, at: now, seconds: Fixture.now)
            switch outcome {
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

    // MARK: What must hold

    private func report() -> Report {
        var report = Report()
        let thief = nodes[stolen].node
        for view in childViews + parentViews {
            if let target = view.target, view.peer != target {
                report.violations.append("\(view.own) wanted \(target) and got \(view.peer)")
            }
            guard view.peer != thief else {
                report.withStolen += 1
                continue
            }
            for secret in view.secrets.all where world.knows(Self.attacker, secret) {
                report.violations.append("the attacker has a key of \(view.own)'s link with \(view.peer)")
            }
        }
        for child in childViews where child.peer != thief {
            let parents = parentViews.filter { $0.secrets.childToParent == child.secrets.childToParent }
            let isPaired =
                parents.count == 1
                && parents.allSatisfy {
                    $0.own == child.peer && $0.peer == child.own && $0.secrets.all == child.secrets.all
                }
            if isPaired {
                report.links += 1
            } else {
                report.violations.append("\(child.own)'s link with \(child.peer) has \(parents.count) other ends")
            }
        }
        for parent in parentViews {
            let children = childViews.filter { $0.secrets.childToParent == parent.secrets.childToParent }
            guard children.count <= 1, children.allSatisfy({ $0.own == parent.peer && $0.peer == parent.own }) else {
                report.violations.append("\(parent.own)'s link with \(parent.peer) has the key of other nodes")
                continue
            }
        }
        return report
    }
}

extension LinkSecrets {
    /// All keys of the link, in a fixed order.
    var all: [Secret] { [childToParent, parentToChild, parentToChildSealing] }
}
