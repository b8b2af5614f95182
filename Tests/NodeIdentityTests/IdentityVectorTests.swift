import ReflectorModel
import Testing

@testable import IdentityKeys
@testable import NodeIdentity

@Suite("The test vectors of certificates and their handshake in WireFormat.md")
struct IdentityVectorTests {
    private static let start: UInt64 = 1_700_000_000
    private static let end: UInt64 = 1_731_536_000

    private let vectors: DocumentedIdentityVectors
    private let crypto = FixedKeysCrypto(agreement: 0x60, secret: 0xd0)
    private let operatorKey: FixedKeysCrypto.SigningKey
    private let edgeKey: FixedKeysCrypto.SigningKey
    private let setKey: FixedKeysCrypto.SigningKey

    init() throws {
        vectors = try DocumentedIdentityVectors()
        operatorKey = try FixedKeysCrypto.signingKey(0x00)
        edgeKey = try FixedKeysCrypto.signingKey(0x20)
        setKey = try FixedKeysCrypto.signingKey(0x40)
    }

    private func value(_ name: String) throws -> [UInt8] { try #require(vectors.values[name], "\(name)") }

    private func certificate(
        _ name: String, _ role: CertifiedRole, _ region: CertifiedRegion, serial: UInt64, _ limits: NodeLimits,
        _ key: FixedKeysCrypto.SigningKey
    ) throws -> NodeCertificate {
        let content = try CertificateContent(
            issuer: OperatorKeyID(of: crypto.publicKey(of: operatorKey), crypto), serial: serial,
            notBefore: Self.start, notAfter: Self.end, role: role, region: region, zone: "reflector.net", name: name,
            limits: limits, publicKey: crypto.publicKey(of: key))
        return try NodeCertificate(signing: content, with: operatorKey, crypto)
    }

    private func edge() throws -> NodeCertificate {
        try certificate(
            "edge-1", .edge, .edge(RegionID(1283)), serial: 0x0102_0304_0506_0708, NodeLimits(streams: 2_000), edgeKey)
    }

    private func set() throws -> NodeCertificate {
        try certificate(
            "set-1", .set, .set("nyc"), serial: 9, NodeLimits(egressBitsPerSecond: 10_000_000_000, children: 1_000),
            setKey)
    }

    @Test("Certificates and the revocation list have the documented bytes, and decode and verify")
    func certificates() throws {
        let publicKey = crypto.publicKey(of: operatorKey)
        #expect(publicKey.bytes == (try value("operator key")))
        #expect("\(OperatorKeyID(of: publicKey, crypto))" == "56475aa75463474c")
        let authorities = try CertificateAuthorities([publicKey], crypto)
        let entrypoint = try certificate("ep-bos", .entrypoint, .none, serial: 10, NodeLimits(), edgeKey)
        for (name, certificate) in [
            ("certificate, edge", try edge()), ("certificate, set", try set()),
            ("certificate, entrypoint", entrypoint),
        ] {
            let bytes = try value(name)
            #expect(certificate.encoded == bytes, "\(name)")
            let decoded = try NodeCertificate(decoding: bytes)
            #expect(decoded == certificate)
            #expect(
                authorities.validate(
                    decoded, at: Self.start, zone: "reflector.net", revocations: nil, crypto) == .valid)
        }
        let content = try RevocationList.Content(
            zone: "reflector.net", sequence: 7, issuedAt: Self.start + 100,
            issuer: OperatorKeyID(of: publicKey, crypto), serials: [0x1122_3344_5566_7788, 9])
        let list = try RevocationList(signing: content, with: operatorKey, crypto)
        #expect(list.encoded == (try value("revocation list")))
        let decoded = try RevocationList(decoding: try value("revocation list"))
        #expect(authorities.accepts(decoded, zone: "reflector.net", crypto))
    }

    @Test("The transcripts and the keys of the handshake's encrypted parts are the documented ones")
    func steps() throws {
        let nonce = try #require(Nonce(FixedKeysCrypto.octets(0xc0, 16)))
        let cookie = RoutabilityCookie(
            milliseconds: 1_700_000_000_000, mac: try #require(CookieMAC(try value("cookie").dropFirst(8))))
        let epoch = try #require(AgreementPublicKey(try value("epoch key")))
        let child = try #require(AgreementPublicKey(try value("child key")))
        let parent = try #require(AgreementPublicKey(try value("parent key")))
        let own = try FixedKeysCrypto.agreementKey(FixedKeysCrypto.octets(0x80))
        let first = KeySchedule.openTranscript(
            nonce: nonce, cookie: cookie, epochKey: epoch, childKey: child, crypto)
        #expect(first.bytes == (try value("transcript, open")))
        let second = KeySchedule.openedTranscript(
            after: first, sealed: try value("Open, sealed"), parentKey: parent, crypto)
        #expect(second.bytes == (try value("transcript, opened")))
        let secrets = (try crypto.agree(own, with: epoch), try crypto.agree(own, with: parent))
        let one = try KeySchedule.openKey(secrets.0, transcript: first, crypto)
        #expect(one.withBytes { Array($0) } == (try value("K1")))
        let two = try KeySchedule.openedKey(secrets.0, secrets.1, transcript: second, crypto)
        #expect(two.withBytes { Array($0) } == (try value("K2")))
        let three = try crypto.derive(from: [secrets.0], salt: first, info: "reflector refused key 1")
        #expect(three.withBytes { Array($0) } == (try value("refused key")))
    }

    @Test("With the documented keys, both ends send the documented messages and get the documented link keys")
    func handshake() throws {
        let authorities = try CertificateAuthorities([crypto.publicKey(of: operatorKey)], crypto)
        var trust = PeerTrust(authorities: authorities, zone: "reflector.net")
        let edge = try #require(NodeCredential(certificate: try edge(), key: edgeKey, crypto))
        let set = try #require(NodeCredential(certificate: try set(), key: setKey, crypto))
        let address = Endpoint(address: IPAddress(v4: 0xc000_0201), port: 4900)
        let now = MonotonicInstant(nanoseconds: 1_700_000_000_000 * 1_000_000)

        // The parent draws its epoch key first, and its fresh key afterwards: two parents that share the epoch.
        let fresh = FixedKeysCrypto(agreement: 0xa0, secret: 0xd0)
        var epochs = ParentEpochs<FixedKeysCrypto>()
        let nonce = try #require(Nonce(FixedKeysCrypto.octets(0xc0, 16)))
        let cookie = try epochs.makeCookie(for: address, nonce: nonce, at: now, crypto)
        #expect(cookie.epochKey.bytes == (try value("epoch key")))
        let clock = withUnsafeBytes(of: cookie.cookie.milliseconds.bigEndian) { Array($0) }
        #expect(clock + cookie.cookie.mac.bytes == (try value("cookie")))

        var child = try ChildHandshake(
            FixedKeysCrypto(agreement: 0x80, secret: 0), credential: edge, parent: set.node, nonce: nonce,
            payload: FixedKeysCrypto.octets(0x01, 8) + [UInt8](repeating: 0, count: 8))
        let open = try child.receive(cookie)
        #expect(open.childKey.bytes == (try value("child key")))
        #expect(open.sealed == (try value("Open, sealed")))

        var parent = ParentHandshake(fresh, credential: set, epochs: epochs)
        guard
            case .accepted(let accepted) = try parent.receive(
                open, from: address, trust: &trust, at: now, seconds: Self.start)
        else {
            Issue.record("not accepted")
            return
        }
        let refused = try parent.refuse(accepted, .certificateNotYetValid)
        #expect(refused.mac.bytes == (try value("Refused, MAC")))
        #expect(try child.receive(refused) == .certificateNotYetValid)
        let (opened, parentLink) = try parent.answer(accepted, payload: FixedKeysCrypto.octets(0x11, 8) + [0, 0, 0x17, 0x70, 0, 1, 0, 0])
        #expect(opened.parentKey.bytes == (try value("parent key")))
        #expect(opened.sealed == (try value("Opened, sealed")))

        let childLink = try child.receive(opened, trust: &trust, at: Self.start)
        for link in [childLink, parentLink] {
            #expect(link.transcript.bytes == (try value("transcript")))
            #expect(link.secrets.childToParent.withBytes { Array($0) } == (try value("link, child to parent")))
            #expect(link.secrets.parentToChild.withBytes { Array($0) } == (try value("link, parent to child")))
            #expect(link.secrets.parentToChildSealing.withBytes { Array($0) } == (try value("link, sealing")))
        }
    }
}
