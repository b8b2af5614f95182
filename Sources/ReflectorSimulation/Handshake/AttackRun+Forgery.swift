import NodeIdentity
import ReflectorModel

/// What the attacker does with the stolen key, and with keys of its own.
extension AttackRun {
    /// Opens a link to an honest parent with the stolen key.
    mutating func openLink() {
        guard let index = random.element(of: parents.keys.sorted()),
            var handshake = try? ChildHandshake(
                evil, credential: nodes[stolen], parent: nodes[index].node, nonce: world.fixed(),
                payload: payload(of: someToken())),
            let cookie = try? parents[index]?.cookie(for: handshake.hello, from: Self.address, at: now),
            let open = try? handshake.receive(cookie)
        else { return }
        makers[cookie.cookie.mac] = nodes[index].node
        cookies.append(cookie)
        opens.append(open)
        ownChildren.append(handshake)
    }

    /// Answers an honest child's Hello or Open with the stolen key.
    mutating func pretendToBeParent() {
        if let hello = random.element(of: hellos), random.chance(0.5) {
            if let cookie = try? ownParent.cookie(for: hello, from: Self.address, at: now) { cookies.append(cookie) }
        } else if let open = random.element(of: opens),
            let outcome = try? ownParent.receive(
                open, from: Self.address, trust: &trust, at: now, seconds: AttackedZone.now),
            case .accepted(let accepted) = outcome, let answer = try? ownParent.answer(accepted, payload: [])
        {
            openeds.append(answer.opened)
        }
    }

    /// Builds an Open by hand, from keys of its own and whatever identity it likes.
    mutating func forgeOpen() {
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
    mutating func forgeOpened() {
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
    mutating func forgedIdentity(
        _ end: KeySchedule.End, _ transcript: Digest, _ secret: SymbolicCrypto.Secret, as name: NodeID?,
        for peer: NodeID?
    ) -> [UInt8]? {
        guard var identity = pick(identities), let anybody = random.element(of: nodes)?.node else {
            return nil
        }
        let convincing = nodes.first { $0.node == name }?.certificate
        switch random.number(below: 3) {
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
    mutating func learn() {
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
            _ = try? ownChildren[index].receive(opened, trust: &trust, at: AttackedZone.now)
        }
        for forged in forgedOpens where forged.open.nonce == opened.nonce { learn(opened, answering: forged) }
    }

    /// The keys of a link that a parent granted to a forged Open, if this is the answer to it.
    mutating func learn(_ opened: OpenedMessage, answering forged: ForgedOpen) {
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

    mutating func newKey() -> SymbolicCrypto.AgreementKey {
        if keys.count >= 4, let key = random.element(of: keys) { return key }
        guard let key = try? evil.makeAgreementKey() else { preconditionFailure("AttackRun: no key") }
        keys.append(key)
        return key
    }

    /// Refuses a child in the name of the node that it wants. That works only if the attacker can derive the key.
    mutating func forgeRefused() {
        learn()
        let reason = random.element(of: HandshakeRefusal.allCases) ?? .role
        if let capture = pick(captured), isLucky(),
            let mac = try? KeySchedule.refusalMAC(
                of: reason, nonce: capture.open.nonce, capture.first, transcript: capture.transcript, evil)
        {
            toChildren(RefusedMessage(nonce: capture.open.nonce, reason: reason, mac: mac))
        } else if let nonce = someNonce(), let forged = pick(forgedOpens),
            let mac = try? KeySchedule.refusalMAC(
                of: reason, nonce: nonce, forged.first, transcript: forged.transcript, evil)
        {
            toChildren(RefusedMessage(nonce: nonce, reason: reason, mac: mac))
        }
    }

    /// A token of somebody's link, or none.
    private mutating func someToken() -> UInt64 {
        isLucky() ? 0 : random.element(of: parentLinks.keys.sorted()) ?? 0
    }
}
