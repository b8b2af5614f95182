import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import Testing

@Suite("Whether a certificate is valid, and when to warn")
struct ValidityTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func validity(
        _ certificate: NodeCertificate, at seconds: UInt64 = Fixture.now, zone: String = Fixture.zone,
        revocations: RevocationList? = nil
    ) -> Validity {
        fixture.authorities.validate(certificate, at: seconds, zone: zone, revocations: revocations, fixture.crypto)
    }

    @Test("Each reason to refuse a certificate has its own case")
    func table() throws {
        let certificate = try fixture.certificate(fixture.content())
        let (start, end) = (Fixture.notBefore, Fixture.notAfter)
        #expect(validity(certificate) == .valid)
        #expect(validity(certificate, at: start) == .valid)
        #expect(validity(certificate, at: start - 1) == .notYetValid(notBefore: start))
        #expect(validity(certificate, at: end - 1) == .valid)
        #expect(validity(certificate, at: end) == .expired(notAfter: end))
        #expect(validity(certificate, zone: "other.net") == .otherZone(Fixture.zone))
        #expect(validity(certificate, revocations: try fixture.revocations([6, 8])) == .valid)
        let revoked = try fixture.revocations([6, 7, 8], sequence: 3)
        #expect(validity(certificate, revocations: revoked) == .revoked(sequence: 3))
        #expect(validity(certificate, revocations: try fixture.revocations([7], zone: "other.net")) == .valid)
        let forged = NodeCertificate(content: certificate.content, signature: fixture.world.fixed())
        #expect(validity(forged) == .badSignature)
        let stranger = try Fixture(seed: 2)
        #expect(
            validity(try stranger.certificate(stranger.content())) == .unknownIssuer(stranger.issuer))
    }

    @Test("A signature under another operator's key is bad, though that key is accepted too")
    func otherOperator() throws {
        let second = fixture.crypto.makeSigningKey()
        let both = try CertificateAuthorities([fixture.operatorKey.publicKey, second.publicKey], fixture.crypto)
        let content = try fixture.content()
        func validity(_ key: SymbolicCrypto.SigningKey) throws -> Validity {
            both.validate(
                try NodeCertificate(signing: content, with: key, fixture.crypto), at: Fixture.now, zone: Fixture.zone,
                revocations: nil, fixture.crypto)
        }
        #expect(try validity(fixture.operatorKey) == .valid)
        #expect(try validity(second) == .badSignature)
    }

    @Test("One or two operators' keys are accepted, neither none, nor three, nor one twice")
    func authorities() throws {
        let keys: [VerificationKey] = (0..<3).map { _ in fixture.world.fixed() }
        let id = OperatorKeyID(of: keys[0], fixture.crypto)
        #expect(try CertificateAuthorities(Array(keys[..<2]), fixture.crypto).ids.first == id)
        #expect(throws: CertificateAuthorities.Invalid.empty) { try CertificateAuthorities([], fixture.crypto) }
        #expect(throws: CertificateAuthorities.Invalid.tooMany(count: 3)) {
            try CertificateAuthorities(keys, fixture.crypto)
        }
        #expect(throws: CertificateAuthorities.Invalid.repeated(id)) {
            try CertificateAuthorities([keys[0], keys[0]], fixture.crypto)
        }
    }

    @Test("Warnings come 7 days, 1 day and 1 hour before the expiry, each once")
    func warnings() throws {
        let end: UInt64 = 10_000_000
        var now: UInt64 = 0
        var seen: [(ExpiryWarning, UInt64)] = []
        while let (warning, at) = ExpiryWarning.next(notAfter: end, after: now) {
            #expect(at > now)
            #expect(ExpiryWarning.current(notAfter: end, at: at) == warning)
            seen.append((warning, end - at))
            now = at
        }
        #expect(seen.map(\.0) == [.week, .day, .hour])
        #expect(seen.map(\.1) == [604_800, 86_400, 3_600])
        #expect(ExpiryWarning.current(notAfter: end, at: end - 604_801) == nil)
        #expect(ExpiryWarning.current(notAfter: end, at: end - 86_401) == .week)
        #expect(ExpiryWarning.current(notAfter: end, at: end - 1) == .hour)
        #expect(ExpiryWarning.current(notAfter: end, at: end) == nil)
        // A certificate made for half a day: the warning that already holds is current, and the next is an hour before.
        #expect(ExpiryWarning.current(notAfter: end, at: end - 43_200) == .day)
        #expect(ExpiryWarning.next(notAfter: end, after: end - 43_200)?.warning == .hour)
        #expect(ExpiryWarning.next(notAfter: 100, after: 0)?.at == nil)
    }
}

@Suite("What follows from a role")
struct NodePowersTests {
    @Test("The table of powers is the documented one")
    func table() {
        let table: [(NodePowers, [CertifiedRole])] = [
            (.announce, [.entrypoint]),
            (.acceptAnnouncements, [.set]),
            (.serveChildren, [.entrypoint, .set]),
            (.fetch, [.set, .edge, .observer]),
            (.answerProbes, [.entrypoint, .set, .edge]),
            (.probe, [.observer, .nameServer]),
        ]
        for (power, roles) in table {
            #expect(CertifiedRole.allCases.filter { NodePowers(of: $0).contains(power) } == roles)
        }
    }
}
