import ReflectorModel
import ReflectorSimulation
import Testing

@testable import NodeIdentity

@Suite("The handshake with certificates")
struct HandshakeTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    @Test("Both ends get the same keys, each other's certificates and payloads")
    func agreement() throws {
        var pair = try HandshakePair(fixture, payload: [1, 2, 3])
        let open = try pair.child.receive(try pair.cookie())
        let (opened, parent) = try pair.answer(open, payload: [4, 5])
        let child = try pair.receive(opened)
        #expect(child.secrets.childToParent == parent.secrets.childToParent)
        #expect(child.secrets.parentToChild == parent.secrets.parentToChild)
        #expect(child.secrets.parentToChildSealing == parent.secrets.parentToChildSealing)
        #expect(
            Set([child.secrets.childToParent, child.secrets.parentToChild, child.secrets.parentToChildSealing]).count
                == 3)
        #expect(child.transcript == parent.transcript)
        #expect(child.peer.content.name == "set-1" && parent.peer.content.name == "edge-1")
        #expect(child.payload == [4, 5] && parent.payload == [1, 2, 3])
        #expect(child.isConfirmed && !parent.isConfirmed)
        #expect(pair.child.isFinished)
    }

    @Test("Messages fit into 1,200 bytes, and nothing sent before the cookie is longer than what was received")
    func sizes() throws {
        #expect(HandshakeSizes.cookieMessage <= HandshakeSizes.hello)
        #expect(HandshakeSizes.openMax == 810 && HandshakeSizes.openedMax == 786)
        #expect(max(HandshakeSizes.openMax, HandshakeSizes.openedMax) <= HandshakeSizes.datagramMax)
        let label = String(repeating: "a", count: 63)
        let key = fixture.crypto.makeSigningKey()
        let content = try fixture.content(
            role: .set, region: .set(label), name: "\(label).\(label)",
            limits: NodeLimits(egressBitsPerSecond: 1, streams: 1, children: 1), key: key.publicKey)
        let child = try #require(
            NodeCredential(certificate: try fixture.certificate(content), key: key, fixture.crypto))
        var pair = try HandshakePair(
            fixture, child: child, payload: [UInt8](repeating: 1, count: HandshakeSizes.payloadMax))
        let open = try pair.child.receive(try pair.cookie())
        #expect(open.sealed.count <= HandshakeSizes.sealedMax)
        #expect(throws: HandshakeError.payloadTooLong) {
            try HandshakePair(fixture, payload: [UInt8](repeating: 1, count: HandshakeSizes.payloadMax + 1))
        }
        _ = try pair.answer(open)
    }

    @Test("A cookie counts only from its address, with its nonce, for 10 s")
    func cookies() throws {
        var pair = try HandshakePair(fixture)
        let open = try pair.child.receive(try pair.cookie())
        let other = Endpoint(address: IPAddress(v4: 0xc000_0201), port: 4901)
        #expect(throws: HandshakeError.cookie) { try pair.receive(open, from: other) }
        var changed = open
        changed.nonce = fixture.world.fixed()
        #expect(throws: HandshakeError.cookie) { try pair.receive(changed) }
        changed = open
        changed.cookie.milliseconds += 1
        #expect(throws: HandshakeError.cookie) { try pair.receive(changed) }
        changed = open
        changed.cookie.mac = fixture.world.fixed()
        #expect(throws: HandshakeError.cookie) { try pair.receive(changed) }
        pair.now = pair.now - .milliseconds(1)
        #expect(throws: HandshakeError.cookie) { try pair.receive(open) }
        pair.now = pair.now + .milliseconds(10_002)
        #expect(throws: HandshakeError.cookie) { try pair.receive(open) }
        pair.now = pair.now - .milliseconds(1)
        _ = try pair.receive(open)
    }

    @Test("Epoch keys change every 10 s, an older one serves until its cookies are invalid, and then is forgotten")
    func epochs() throws {
        var pair = try HandshakePair(fixture)
        let cookie = try pair.cookie()
        let open = try pair.child.receive(cookie)
        pair.now = pair.now + .milliseconds(9_999)
        #expect(try pair.cookie().epochKey == cookie.epochKey)
        pair.now = pair.now + .milliseconds(1)
        let next = try pair.cookie()
        #expect(next.epochKey != cookie.epochKey)
        pair.parent.expire(at: pair.now)
        _ = try pair.receive(open)
        pair.now = pair.now + .seconds(10)
        pair.parent.expire(at: pair.now)
        #expect(throws: HandshakeError.cookie) { try pair.receive(open) }
    }

    @Test("A repeated Open gets the same answer again, without a second link")
    func repeatedOpen() throws {
        var pair = try HandshakePair(fixture)
        let open = try pair.child.receive(try pair.cookie())
        let (opened, _) = try pair.answer(open)
        guard case .repeated(let again) = try pair.receive(open) else {
            Issue.record("answered as a new Open")
            return
        }
        #expect(again == opened)
        _ = try pair.receive(again)
    }

    @Test("An end accepts no second Cookie and no message after the last")
    func order() throws {
        var pair = try HandshakePair(fixture)
        let cookie = try pair.cookie()
        var foreign = cookie
        foreign.nonce = fixture.world.fixed()
        #expect(throws: HandshakeError.otherNonce) { try pair.child.receive(foreign) }
        let opened = OpenedMessage(nonce: pair.child.hello.nonce, parentKey: fixture.world.fixed(), sealed: [])
        #expect(throws: HandshakeError.unexpected) { try pair.receive(opened) }
        let open = try pair.child.receive(cookie)
        #expect(pair.child.open == open)
        #expect(throws: HandshakeError.unexpected) { try pair.child.receive(cookie) }
        let (answer, _) = try pair.answer(open)
        _ = try pair.receive(answer)
        #expect(throws: HandshakeError.unexpected) { try pair.receive(answer) }
    }

    @Test("Forged Opened messages cost a child at most eight agreements, and do not end the handshake before")
    func attempts() throws {
        var pair = try HandshakePair(fixture)
        let open = try pair.child.receive(try pair.cookie())
        let (answer, _) = try pair.answer(open)
        for _ in 0..<7 {
            let forged = OpenedMessage(nonce: open.nonce, parentKey: fixture.world.fixed(), sealed: answer.sealed)
            #expect(throws: HandshakeError.seal) { try pair.receive(forged) }
        }
        var exhausted = pair
        _ = try pair.receive(answer)
        let forged = OpenedMessage(nonce: open.nonce, parentKey: fixture.world.fixed(), sealed: answer.sealed)
        #expect(throws: HandshakeError.seal) { try exhausted.receive(forged) }
        #expect(throws: HandshakeError.tooManyAttempts) { try exhausted.receive(answer) }
    }

    @Test("A key of low order is refused at both ends")
    func lowOrder() throws {
        let zero = try #require(AgreementPublicKey([UInt8](repeating: 0, count: 32)))
        var pair = try HandshakePair(fixture)
        var cookie = try pair.cookie()
        let open = try pair.child.receive(cookie)
        var changed = open
        changed.childKey = zero
        #expect(throws: HandshakeError.crypto(.lowOrderKey)) { try pair.receive(changed) }
        var second = try HandshakePair(fixture)
        cookie = try second.cookie()
        cookie.epochKey = zero
        #expect(throws: HandshakeError.crypto(.lowOrderKey)) { try second.child.receive(cookie) }
    }

    /// What the parent says to a child with this certificate.
    private func refusal(
        child: NodeCredential<SymbolicCrypto>, target: String = "set-1",
        change: (inout HandshakePair<SymbolicCrypto>) throws -> Void = { _ in }
    ) throws -> HandshakeError? {
        var pair = try HandshakePair(fixture, child: child, target: NodeID(name: target))
        let open = try pair.child.receive(try pair.cookie())
        try change(&pair)
        return try pair.refusal(of: open)
    }

    @Test("A parent refuses a child that is revoked or expired, that has its own name, or that wants another parent")
    func children() throws {
        let edge = try fixture.credential("edge-1", role: .edge, region: .edge(RegionID(1)), serial: 3)
        #expect(try refusal(child: edge) == nil)
        #expect(try refusal(child: edge, target: "set-2") == .intendedForOther)
        #expect(
            try refusal(child: edge) { $0.trust.revocations = try fixture.revocations([3], sequence: 5) }
                == .certificate(.revoked(sequence: 5)))
        #expect(
            try refusal(child: edge) { $0.seconds = Fixture.notAfter }
                == .certificate(.expired(notAfter: Fixture.notAfter)))
        #expect(
            try refusal(child: edge) { $0.seconds = Fixture.notBefore - 1 }
                == .certificate(.notYetValid(notBefore: Fixture.notBefore)))
        let same = try fixture.credential("set-1", role: .set)
        #expect(try refusal(child: same) == .ownName)
        let nameServer = try fixture.credential("ns1", role: .nameServer)
        #expect(try refusal(child: nameServer) == nil)
        let stranger = try Fixture(seed: 9)
        let foreign = try NodeCredential(
            certificate: stranger.certificate(edge.certificate.content), key: edge.key, fixture.crypto)
        #expect(try refusal(child: try #require(foreign)) == .certificate(.badSignature))
    }

    @Test("A child believes a Refused only of the parent that got its Open, and unchanged")
    func refused() throws {
        var pair = try HandshakePair(fixture)
        let open = try pair.child.receive(try pair.cookie())
        guard case .accepted(let accepted) = try pair.receive(open) else { throw HandshakeError.unexpected }
        var other = try HandshakePair(fixture)
        let otherOpen = try other.child.receive(try other.cookie())
        guard case .accepted(let otherAccepted) = try other.receive(otherOpen) else { throw HandshakeError.unexpected }
        for reason in HandshakeRefusal.allCases {
            let message = try pair.parent.refuse(accepted, reason)
            #expect(try pair.child.receive(message) == reason)
            #expect(throws: HandshakeError.otherNonce) { try other.child.receive(message) }
            var changed = message
            changed.reason = reason == .role ? .identity : .role
            #expect(throws: HandshakeError.seal) { try pair.child.receive(changed) }
            changed = try other.parent.refuse(otherAccepted, reason)
            changed.nonce = message.nonce
            #expect(throws: HandshakeError.seal) { try pair.child.receive(changed) }
        }
        // A refusal ends nothing by itself: the right answer still opens the link.
        let (opened, _) = try pair.answer(open)
        _ = try pair.receive(opened)
        let late = try pair.parent.refuse(accepted, .identity)
        #expect(throws: HandshakeError.unexpected) { try pair.child.receive(late) }
        let unopened = try HandshakePair(fixture)
        #expect(throws: HandshakeError.unexpected) { try unopened.child.receive(late) }
    }

    @Test("A child accepts only the parent that it wanted, with a role that answers links")
    func parents() throws {
        func refusal(_ name: String, _ role: CertifiedRole) throws -> HandshakeError? {
            let parent = try fixture.credential(name, role: role)
            var pair = try HandshakePair(fixture, parent: parent, target: NodeID(name: name))
            let (opened, _) = try pair.answer(try pair.child.receive(try pair.cookie()))
            do {
                _ = try pair.receive(opened)
                return nil
            } catch let error as HandshakeError {
                return error
            }
        }
        #expect(try refusal("set-1", .set) == nil)
        #expect(try refusal("ep-1", .entrypoint) == nil)
        #expect(try refusal("ns-1", .nameServer) == .powers)
        #expect(try refusal("watch-1", .observer) == .powers)
    }

    @Test("A certificate that was verified before is checked again for its time, its revocation and the operators")
    func verifiedBefore() throws {
        let child = try fixture.credential("edge-1", role: .edge, region: .edge(RegionID(1)), serial: 3)
        var pair = try HandshakePair(fixture, child: child)
        let open = try pair.child.receive(try pair.cookie())
        _ = try pair.receive(open)
        _ = try pair.receive(open)
        pair.seconds = Fixture.notAfter
        #expect(try pair.refusal(of: open) == .certificate(.expired(notAfter: Fixture.notAfter)))
        pair.seconds = Fixture.now
        pair.trust.revocations = try fixture.revocations([3])
        #expect(try pair.refusal(of: open) == .certificate(.revoked(sequence: 1)))
        pair.trust.revocations = nil
        _ = try pair.receive(open)
        pair.trust.authorities = try Fixture(seed: 5).authorities
        #expect(try pair.refusal(of: open) == .certificate(.unknownIssuer(fixture.issuer)))
    }

    @Test("The memory of verified certificates has two halves of 4,096, and forgets the older one")
    func verifiedBound() {
        var verified = VerifiedCertificates()
        let digests: [Digest] = (0..<3 * VerifiedCertificates.halfMax).map { _ in fixture.world.fixed() }
        for digest in digests { verified.insert(digest) }
        #expect(digests.suffix(2 * VerifiedCertificates.halfMax).allSatisfy { verified.contains($0) })
        #expect(!digests.prefix(VerifiedCertificates.halfMax).contains { verified.contains($0) })
    }

    @Test("A key that is not the one in the certificate forms no credential")
    func credential() throws {
        let edge = try fixture.credential("edge-1", role: .edge, region: .edge(RegionID(1)))
        #expect(
            NodeCredential(certificate: edge.certificate, key: fixture.crypto.makeSigningKey(), fixture.crypto) == nil)
    }

    @Test("Every change of one field of a message is refused")
    func everyField() throws {
        var pair = try HandshakePair(fixture)
        let open = try pair.child.receive(try pair.cookie())
        var changed = open
        changed.childKey = fixture.world.fixed()
        #expect(throws: HandshakeError.seal) { try pair.receive(changed) }
        for index in open.sealed.indices {
            changed = open
            changed.sealed[index] ^= 1
            #expect(throws: HandshakeError.seal) { try pair.receive(changed) }
        }
        let (opened, _) = try pair.answer(open)
        for index in opened.sealed.indices {
            var copy = pair
            var changed = opened
            changed.sealed[index] ^= 1
            #expect(throws: HandshakeError.seal) { try copy.receive(changed) }
        }
        _ = try pair.receive(opened)
    }

    @Test("Keys change after 2³² packets or 24 h, and the new handshake begins before")
    func rekeying() {
        #expect(!RekeyRule.isDue(packets: 1, age: .seconds(82_799)))
        #expect(RekeyRule.isDue(packets: 1, age: .seconds(82_800)))
        #expect(RekeyRule.isDue(packets: (1 << 32) - (1 << 26), age: .zero))
        #expect(!RekeyRule.isOver(packets: (1 << 32) - 1, age: .seconds(86_399)))
        #expect(RekeyRule.isOver(packets: 1 << 32, age: .zero))
        #expect(RekeyRule.isOver(packets: 0, age: .seconds(86_400)))
    }
}
