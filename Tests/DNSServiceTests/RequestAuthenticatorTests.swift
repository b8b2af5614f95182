import DNSAnswers
import IdentityKeys
import NodeIdentity
import Testing

@testable import DNSService

@Suite("Who may override, and how often serials rise")
struct RequestAuthenticatorTests {
    /// An operator with a fresh key.
    private struct Person {
        let entry: OperatorDirectory.Entry
        let signer: OverrideSigner

        init(_ name: String, _ role: OperatorRole) throws {
            let key = LibcryptoIdentityCrypto.SigningKey(try Ed25519PrivateKey())
            entry = OperatorDirectory.Entry(name: name, role: role, key: LibcryptoIdentityCrypto().publicKey(of: key))
            signer = OverrideSigner(key)
        }
    }

    private let alice: Person
    private let night: Person
    private let wall: Person
    private let operators: OperatorDirectory

    init() throws {
        alice = try Person("alice", .admin)
        night = try Person("night", .override)
        wall = try Person("wall", .view)
        operators = try OperatorDirectory([alice.entry, night.entry, wall.entry], path: "operators")
    }

    private static func request(
        to: String = "192.0.2.1:4980", issued: Int64 = 1_000, seconds: Int64 = 60
    ) -> OverrideRequest {
        OverrideRequest(
            to: to, action: .drain, subject: "nyc-1", zone: "reflector.net", seconds: seconds, reason: "test",
            isForced: false, issued: issued)
    }

    @Test("A signed, recent request is accepted once, and it is known whose it is")
    func once() throws {
        var authenticator = RequestAuthenticator(operators: operators, endpoint: "192.0.2.1:4980", startedAt: 900)
        for person in [alice, night] {
            let body = Self.request().body
            let signature = try person.signer.signature(of: body)
            let admitted = try authenticator.admit(body, signature: signature, at: 1_010)
            #expect(admitted.request.subject == "nyc-1" && admitted.name == person.entry.name)
            #expect(throws: RequestAuthenticator.Refusal.replayed) {
                try authenticator.admit(body, signature: signature, at: 1_011)
            }
            #expect(throws: RequestAuthenticator.Refusal.self) {
                try authenticator.admit(body, signature: signature, at: 1_000_000)
            }
        }
    }

    @Test("An operator with the role view is refused by name, and can't fill the table of nonces")
    func view() throws {
        var authenticator = RequestAuthenticator(operators: operators, endpoint: nil, startedAt: 0)
        for _ in 0...RequestAuthenticator.noncesMax {
            let body = Self.request().body
            let signature = try wall.signer.signature(of: body)
            #expect(throws: RequestAuthenticator.Refusal.role(name: "wall")) {
                try authenticator.admit(body, signature: signature, at: 1_000)
            }
        }
        let body = Self.request().body
        #expect(try authenticator.admit(body, signature: night.signer.signature(of: body), at: 1_000).name == "night")
    }

    @Test("A changed request, a stranger's signature and a signature for another purpose are refused")
    func forged() throws {
        var authenticator = RequestAuthenticator(operators: operators, endpoint: nil, startedAt: 0)
        var body = Self.request().body
        let own = try alice.signer.signature(of: body)
        let id = String(try #require(own.split(separator: ":").first))
        let stranger = try Person("alice", .admin).signer.signature(of: body)
        let key = try Ed25519PrivateKey()
        let same = OperatorDirectory.Entry(name: "key", role: .admin, key: key.publicKey)
        authenticator.operators = try OperatorDirectory([alice.entry, same], path: "operators")
        let bare = "\(same.id):\(try key.sign(body))"
        let replied = "\(same.id):\(try key.sign(OverrideSignature.reply(body, to: body)))"
        for signature in [
            stranger, bare, replied, "\(id):\(stranger.split(separator: ":").last ?? "")", "", ":", "\(id):", "x",
            "\(id):" + String(repeating: "00", count: 64), own.uppercased(), own + "0", own + ":",
        ] {
            #expect(throws: RequestAuthenticator.Refusal.unauthorized, "\(signature)") {
                try authenticator.admit(body, signature: signature, at: 1_000)
            }
        }
        body[body.count / 2] ^= 1
        #expect(throws: RequestAuthenticator.Refusal.unauthorized) {
            try authenticator.admit(body, signature: own, at: 1_000)
        }
    }

    @Test("Other operators apply at once")
    func rolling() throws {
        let new = try Person("bob", .admin)
        var authenticator = RequestAuthenticator(operators: operators, endpoint: nil, startedAt: 0)
        let body = Self.request().body
        #expect(throws: RequestAuthenticator.Refusal.unauthorized) {
            try authenticator.admit(body, signature: new.signer.signature(of: body), at: 1_000)
        }
        authenticator.operators = try OperatorDirectory([new.entry], path: "operators")
        #expect(throws: RequestAuthenticator.Refusal.unauthorized) {
            try authenticator.admit(body, signature: alice.signer.signature(of: body), at: 1_000)
        }
        #expect(try authenticator.admit(body, signature: new.signer.signature(of: body), at: 1_000).name == "bob")
    }

    @Test("A request for another server, from another time, or from before the start is refused")
    func elsewhere() throws {
        var authenticator = RequestAuthenticator(operators: operators, endpoint: "192.0.2.1:4980", startedAt: 900)
        for request in [
            Self.request(to: "192.0.2.2:4980"), Self.request(issued: 930), Self.request(issued: 1_070),
            Self.request(issued: 899), Self.request(issued: .max), Self.request(issued: .min),
        ] {
            let body = request.body
            #expect(throws: RequestAuthenticator.Refusal.self) {
                try authenticator.admit(body, signature: alice.signer.signature(of: body), at: 1_000)
            }
        }
    }

    @Test("The number of remembered requests is bounded")
    func bounded() throws {
        var authenticator = RequestAuthenticator(operators: operators, endpoint: nil, startedAt: 0)
        var refused = 0
        for _ in 0..<RequestAuthenticator.noncesMax + 10 {
            let body = Self.request().body
            let signature = try alice.signer.signature(of: body)
            do throws(RequestAuthenticator.Refusal) {
                _ = try authenticator.admit(body, signature: signature, at: 1_000)
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
            override: .init(action: .depool, reason: "a reason, with\"quotes\\", until: 1_795_242_000, by: "alice"))
        #expect(HostOverride(line: entry.line[...]) == entry)
        for wrong in [
            "", "x", "z\thost\ta\tdrain\tx\tbob\twhy", "z\thost\ta\tfly\t1\tbob\twhy",
            "z\tall\ta\tdrain\t1\tbob\twhy", "z\thost\ta\tdrain\t1\tBob!\twhy", "z\thost\ta\tdrain\t1\twhy",
        ] {
            #expect(HostOverride(line: wrong[...]) == nil)
        }
    }
}
