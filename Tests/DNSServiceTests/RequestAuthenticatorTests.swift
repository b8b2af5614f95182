import DNSAnswers
import PacketSealing
import Testing

@testable import DNSService

@Suite("Who may override, and how often serials rise")
struct RequestAuthenticatorTests {
    private static func signer(_ byte: UInt8 = 1) throws -> OverrideSigner {
        try #require(OverrideSigner(secret: (phase: 1, key: Array(repeating: byte, count: 32))))
    }

    private static func verifier(_ byte: UInt8 = 1) throws -> OverrideVerifier {
        let seed = [UInt8](repeating: byte, count: 32)
        return OverrideVerifier(keys: [(phase: 1, key: try #require(Ed25519.publicKey(seed: seed)))])
    }

    private static func request(
        to: String = "192.0.2.1:4980", issued: Int64 = 1_000, seconds: Int64 = 60
    ) -> OverrideRequest {
        OverrideRequest(
            to: to, action: .drain, subject: "nyc-1", zone: "reflector.net", seconds: seconds, reason: "test",
            isForced: false, issued: issued)
    }

    @Test("A signed, recent request is accepted once")
    func once() throws {
        let signer = try Self.signer()
        var authenticator = RequestAuthenticator(
            verifier: try Self.verifier(), endpoint: "192.0.2.1:4980", startedAt: 900)
        let body = Self.request().body
        let signature = signer.signature(of: body)
        #expect(try authenticator.admit(body, signature: signature, at: 1_010).subject == "nyc-1")
        #expect(throws: RequestAuthenticator.Refusal.replayed) {
            try authenticator.admit(body, signature: signature, at: 1_011)
        }
        #expect(throws: RequestAuthenticator.Refusal.self) {
            try authenticator.admit(body, signature: signature, at: 1_000_000)
        }
    }

    @Test("A changed request, another key's signature and a reply's signature are refused")
    func forged() throws {
        let signer = try Self.signer()
        var authenticator = RequestAuthenticator(verifier: try Self.verifier(), endpoint: nil, startedAt: 0)
        var body = Self.request().body
        let own = signer.signature(of: body)
        // Every node of the network can sign with the network key. Such a signature is refused even if the network key
        // has the same bytes as the operator's secret key.
        let replies = try ReplyAuthenticator(networkKeys: [(phase: 1, key: Array(repeating: 1, count: 32))])
        for signature in [
            try Self.signer(2).signature(of: body), replies.signature(of: body), "", "1:", "x",
            "1:" + String(repeating: "00", count: 64),
        ] {
            #expect(throws: RequestAuthenticator.Refusal.unauthorized) {
                try authenticator.admit(body, signature: signature, at: 1_000)
            }
        }
        body[body.count / 2] ^= 1
        #expect(throws: RequestAuthenticator.Refusal.unauthorized) {
            try authenticator.admit(body, signature: own, at: 1_000)
        }
    }

    @Test("Without a public key no overrides are possible, and new keys apply at once")
    func rolling() throws {
        let (old, new) = (try Self.signer(1), try Self.signer(2))
        var authenticator = RequestAuthenticator(verifier: OverrideVerifier(keys: []), endpoint: nil, startedAt: 0)
        let body = Self.request().body
        for signer in [old, new] {
            #expect(throws: RequestAuthenticator.Refusal.unauthorized) {
                try authenticator.admit(body, signature: signer.signature(of: body), at: 1_000)
            }
        }
        authenticator.verifier = try Self.verifier(2)
        #expect(throws: RequestAuthenticator.Refusal.unauthorized) {
            try authenticator.admit(body, signature: old.signature(of: body), at: 1_000)
        }
        #expect(try authenticator.admit(body, signature: new.signature(of: body), at: 1_000).subject == "nyc-1")
    }

    @Test("A request for another server, from another time, or from before the start is refused")
    func elsewhere() throws {
        let signer = try Self.signer()
        var authenticator = RequestAuthenticator(
            verifier: try Self.verifier(), endpoint: "192.0.2.1:4980", startedAt: 900)
        for request in [
            Self.request(to: "192.0.2.2:4980"), Self.request(issued: 930), Self.request(issued: 1_070),
            Self.request(issued: 899), Self.request(issued: .max), Self.request(issued: .min),
        ] {
            let body = request.body
            #expect(throws: RequestAuthenticator.Refusal.self) {
                try authenticator.admit(body, signature: signer.signature(of: body), at: 1_000)
            }
        }
    }

    @Test("The number of remembered requests is bounded")
    func bounded() throws {
        let signer = try Self.signer()
        var authenticator = RequestAuthenticator(verifier: try Self.verifier(), endpoint: nil, startedAt: 0)
        var refused = 0
        for _ in 0..<RequestAuthenticator.noncesMax + 10 {
            let body = Self.request().body
            do throws(RequestAuthenticator.Refusal) {
                _ = try authenticator.admit(body, signature: signer.signature(of: body), at: 1_000)
            } catch {
                #expect(error == .tooMany)
                refused += 1
            }
        }
        #expect(refused == 10)
    }

    @Test("Two serials may follow each other at once, then only one per second")
    func limiter() {
        var limiter = SerialRateLimiter()
        let start = ContinuousClock.now
        #expect(limiter.next(at: start) == start)
        limiter.raised(at: start)
        #expect(limiter.next(at: start + .milliseconds(10)) == start + .milliseconds(10))
        limiter.raised(at: start + .milliseconds(10))
        #expect(limiter.next(at: start + .milliseconds(20)) == start + .seconds(1))
        limiter.raised(at: start + .seconds(1))
        #expect(limiter.next(at: start + .milliseconds(1_001)) == start + .seconds(2))
        #expect(limiter.next(at: start + .seconds(9)) == start + .seconds(9))
    }

    @Test("An override's line in the state file can be read back; an invalid line is ignored")
    func lines() {
        let entry = HostOverride(
            zone: "reflector.net", subject: .site("us-east"),
            override: .init(action: .depool, reason: "a reason, with\"quotes\\", until: 1_795_242_000))
        #expect(HostOverride(line: entry.line[...]) == entry)
        for wrong in ["", "x", "z\thost\ta\tdrain\tx\twhy", "z\thost\ta\tfly\t1\twhy", "z\tall\ta\tdrain\t1\twhy"] {
            #expect(HostOverride(line: wrong[...]) == nil)
        }
    }
}
