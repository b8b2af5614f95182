import DatagramIO
import DNSTestClient
import Foundation
import IdentityKeys
import Logging
import NodeIdentity
import Testing
import TestSupport

@testable import DNSService

@Suite("Signed overrides at a name server, and its signed replies", .serialized)
struct OverrideServiceTests {
    private static var crypto: LibcryptoIdentityCrypto { LibcryptoIdentityCrypto() }

    /// The operators of example.net, and what they certify.
    private struct Operators {
        let admin: LibcryptoIdentityCrypto.SigningKey
        let signers: [String: OverrideSigner]
        let directory: OperatorDirectory

        init() throws {
            var signers: [String: OverrideSigner] = [:]
            var entries: [OperatorDirectory.Entry] = []
            admin = LibcryptoIdentityCrypto.SigningKey(try Ed25519PrivateKey())
            entries.append(.init(name: "alice", role: .admin, key: crypto.publicKey(of: admin)))
            for (name, role) in [("night", OperatorRole.override), ("wall", .view)] {
                let key = LibcryptoIdentityCrypto.SigningKey(try Ed25519PrivateKey())
                entries.append(.init(name: name, role: role, key: crypto.publicKey(of: key)))
                signers[name] = OverrideSigner(key)
            }
            self.signers = signers
            directory = try OperatorDirectory(entries, path: "operators")
        }

        /// The identity folder of a node.
        func identity(
            _ name: String, _ role: CertifiedRole, in folder: String, zone: String = "example.net",
            for span: UInt64 = 86_400
        ) throws -> IdentityFolder {
            let path = "\(folder)/\(name)-\(role)-\(zone)-\(span)"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            let key = try Ed25519PrivateKey()
            let now = WallClock.certificateSeconds
            let content = try CertificateContent(
                issuer: OperatorKeyID(of: crypto.publicKey(of: admin), crypto), serial: 7, notBefore: now - 3_600,
                notAfter: now - 3_600 + span, role: role, region: .none, zone: zone, name: name,
                publicKey: key.publicKey)
            let certificate = try NodeCertificate(signing: content, with: admin, crypto)
            guard let file = IdentityKeyFile(owner: .node, name: name, key: key) else { throw CancellationError() }
            try file.write(to: IdentityFolder.keyPath(path))
            try CertificateFile.text(of: certificate, issuer: nil)
                .write(toFile: IdentityFolder.certificatePath(path), atomically: false, encoding: .utf8)
            try directory.write(to: IdentityFolder.operatorsPath(path))
            return try IdentityFolder(loading: path)
        }

        var verifier: OverrideReplyVerifier {
            OverrideReplyVerifier(authorities: directory.authorities, zone: "example.net")
        }
    }

    private static func request(_ subject: String = "a-1", zone: String = "example.net") -> [UInt8] {
        OverrideRequest(
            to: "192.0.2.1:4980", action: .drain, subject: subject, zone: zone, seconds: 60, reason: "test",
            isForced: false, issued: WallClock.seconds
        ).body
    }

    @Test("Roles decide; every outcome is signed, counted and names the operator")
    func roles() async throws {
        try await ServedDirectory.serve("127.44.2.6") { served async throws in
            let folder = try TemporaryFolder()
            defer { folder.remove() }
            let operators = try Operators()
            let log = LogLines()
            let service = OverrideService(
                server: served.server, identity: try operators.identity("ns1", .nameServer, in: folder.path),
                endpoint: "192.0.2.1:4980", logger: log.logger)

            func answer(_ name: String, _ body: [UInt8]) async throws -> OverrideReply {
                let signer = try #require(operators.signers[name])
                let answer = try #require(await service.answer(body, signature: try signer.signature(of: body)))
                let by = try operators.verifier.verify(
                    answer.body, to: body, signature: answer.signature, names: ["ns1"],
                    at: WallClock.certificateSeconds)
                #expect(by == "ns1")
                return try #require(OverrideReply(body: answer.body))
            }

            let refused = try await answer("wall", Self.request())
            #expect(!refused.isAccepted && refused.text.contains("wall has the role `view`"))
            #expect(await served.server.status.overrides.isEmpty)
            let accepted = try await answer("night", Self.request())
            #expect(accepted.isAccepted, "\(accepted.text)")
            let entry = try await served.wait { await served.server.status.overrides.first?.by == "night" }
            #expect(entry != nil)
            let text = try served.client.ask("n1.r1283.s1.explain.example.net", 16).answers.first?.strings ?? []
            #expect(text.contains { $0.contains("override drain by night (test)") }, "\(text)")
            let impossible = try await answer("night", Self.request("nobody"))
            #expect(!impossible.isAccepted && impossible.text.contains("nobody"))
            let other = try await answer("night", Self.request(zone: "example.org"))
            #expect(!other.isAccepted && other.text.contains("example.net"))
            #expect(await service.answer(Self.request(), signature: "") == nil)
            #expect(
                await service.counts == [
                    "override_accepted": 1, "override_refused": 2, "override_refused_role": 1,
                    "override_unauthorized": 1,
                ])
            #expect(log.lines.contains { $0.contains("override refused by role") && $0.contains("operator=wall") })
        }
    }

    @Test("Entrypoints are pinned, barred and cleared by the same signed requests and roles")
    func entrypoints() async throws {
        let files = [
            "example.net.zone": ElectionZone.zone, "example.net.portsets": ElectionZone.portsets,
            "example.net.streams": ElectionZone.streams,
        ]
        try await ServedDirectory.serve("127.44.2.8", files: files) { served async throws in
            let folder = try TemporaryFolder()
            defer { folder.remove() }
            let operators = try Operators()
            let service = OverrideService(
                server: served.server, identity: try operators.identity("ns1", .nameServer, in: folder.path),
                endpoint: "192.0.2.1:4980", logger: LogLines().logger)

            func answer(_ name: String, _ action: OverrideRequest.Action, _ host: String?) async throws -> String {
                let body = OverrideRequest(
                    to: "192.0.2.1:4980", action: action, subject: "live/news", host: host, zone: "example.net",
                    seconds: 60, reason: "test", isForced: false, issued: WallClock.seconds
                ).body
                let signature = try #require(operators.signers[name]).signature(of: body)
                let answer = try #require(await service.answer(body, signature: signature))
                return try #require(OverrideReply(body: answer.body)).text
            }

            #expect(try await answer("wall", .pinEntrypoint, "ep-nyc").contains("role `view`"))
            #expect(
                try await answer("night", .pinEntrypoint, "ep-nyc") == "pin-entrypoint ep-nyc of live/news for 60 s")
            #expect(
                try await answer("night", .barEntrypoint, "ep-bos") == "bar-entrypoint ep-bos of live/news for 60 s")
            let entry = try await served.wait { await served.server.status.entrypointOverrides.count == 2 }
            #expect(entry != nil)
            #expect(await served.server.status.entrypointOverrides.allSatisfy { $0.by == "night" })
            #expect(try await answer("night", .pinEntrypoint, "a-1").contains("not a candidate of live/news"))
            #expect(try await answer("night", .pinEntrypoint, nil).contains("not a candidate of live/news"))
            #expect(
                try await answer("night", .clearEntrypoint, nil)
                    == "pin-entrypoint ep-nyc of live/news, bar-entrypoint ep-bos of live/news ended")
            #expect(try await answer("night", .clearEntrypoint, nil).contains("there is no override of live/news"))
        }
    }

    @Test("A reply counts only from the name server that was asked, and only for its request")
    func replies() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let operators = try Operators()
        let now = WallClock.certificateSeconds
        let (body, reply) = (Self.request(), OverrideReply(isAccepted: true, text: "done", nonce: "1").body)
        func signed(_ identity: IdentityFolder) throws -> String {
            try OverrideReplySigner(credential: identity.credential).signature(of: reply, to: body)
        }
        func refusal(
            _ signature: String, of reply: [UInt8], to body: [UInt8], names: [String]? = ["ns1"]
        ) -> OverrideReplyVerifier.Refusal? {
            do throws(OverrideReplyVerifier.Refusal) {
                _ = try operators.verifier.verify(reply, to: body, signature: signature, names: names, at: now)
                return nil
            } catch {
                return error
            }
        }
        let server = try operators.identity("ns1", .nameServer, in: folder.path)
        let good = try signed(server)
        #expect(refusal(good, of: reply, to: body) == nil)
        #expect(refusal(good, of: reply, to: body, names: nil) == nil)
        #expect(refusal(good, of: reply, to: body, names: ["ns2"]) == .name("ns1"))
        #expect(refusal(good, of: reply + [32], to: body) == .signature)
        #expect(refusal(good, of: reply, to: Self.request()) == .signature)
        #expect(refusal("", of: reply, to: body) == .unsigned)
        #expect(refusal(String(good.dropFirst(2)), of: reply, to: body) == .unsigned)
        #expect(refusal(String(good.dropLast(1)), of: reply, to: body) == .unsigned)

        let set = try signed(operators.identity("ns1", .set, in: folder.path))
        #expect(refusal(set, of: reply, to: body) == .role(.set))
        let old = try operators.identity("ns1", .nameServer, in: folder.path, for: 60)
        #expect(
            refusal(try signed(old), of: reply, to: body)
                == .certificate(.expired(notAfter: old.content.notAfter)))
        let elsewhere = try signed(operators.identity("ns1", .nameServer, in: folder.path, zone: "example.org"))
        #expect(refusal(elsewhere, of: reply, to: body) == .certificate(.otherZone("example.org")))
        let others = try Operators()
        let strange = try signed(others.identity("ns1", .nameServer, in: folder.path, for: 90_000))
        guard case .certificate(.unknownIssuer) = refusal(strange, of: reply, to: body) else {
            Issue.record("a stranger's certificate was accepted")
            return
        }
        let content = try RevocationList.Content(
            zone: "example.net", sequence: 1, issuedAt: now, issuer: server.content.issuer, serials: [7])
        let list = try RevocationList(signing: content, with: operators.admin, Self.crypto)
        let informed = OverrideReplyVerifier(
            authorities: operators.directory.authorities, zone: "example.net", revocations: list)
        #expect(throws: OverrideReplyVerifier.Refusal.certificate(.revoked(sequence: 1))) {
            try informed.verify(reply, to: body, signature: good, names: ["ns1"], at: now)
        }
    }
}
