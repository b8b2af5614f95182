import Foundation
import Glibc
import IdentityKeys
import OpsEndpoint
import ReflectorModel
import TestSupport
import Testing

@testable import reflector

@Suite("A stolen node is shut out", .serialized)
struct StolenNodeTests {
    private static let sets = ["nyc-1", "nyc-2", "lon-1", "lon-2", "sjc-1"]
    /// The time within which links of a revoked or expired certificate must end.
    private static let timeMax = Duration.seconds(5)

    private func watch(_ network: TestNetwork, at edges: [String]) async throws {
        try await network.startAll()
        try await network.startEncoder(try #require(StreamName("live/news")), file: TestPictureFile.path, at: "ep-bos")
        for edge in edges { try await network.startViewer(of: edge, name: "viewer-\(edge)") }
        for edge in edges {
            try await eventually("delivery at \(edge)") {
                (try await network.stream("live/news", at: edge)?.delivered ?? 0) > 200
            }
        }
    }

    /// How many links the node has at set reflectors.
    private func links(of name: String, in network: TestNetwork) async throws -> Int {
        var count = 0
        for set in Self.sets {
            count += try await network.status(of: set).links.count { $0.peer == name && $0.part == "child" }
        }
        return count
    }

    private func sum(_ counter: String, in network: TestNetwork) async throws -> UInt64 {
        var sum: UInt64 = 0
        for set in Self.sets { sum += try await network.status(of: set).counters[counter] ?? 0 }
        return sum
    }

    @Test("`keys revoke` ends all links of an edge within 5 s with one name server down, and nobody else notices")
    func revoked() async throws {
        try await TestNetwork.with(net: 113) { network in
            try await watch(network, at: ["edge-bos", "edge-nen"])
            try await network.kill("ns2")
            let start = ContinuousClock.now
            let revoked = try Program.run(
                Program.reflector,
                [
                    "keys", "revoke", "edge-bos", "--operator", network.identities.operatorFolder, "--zones",
                    network.zones.path, "--why", "stolen",
                ])
            #expect(revoked.code == 0, "\(revoked.errors)")
            try await eventually("the end of its links", within: .seconds(10), every: .milliseconds(20)) {
                try await links(of: "edge-bos", in: network) == 0
            }
            let took = ContinuousClock.now - start
            print("revoked: all links ended after \(took)")
            #expect(took < Self.timeMax)

            let received = try await network.status(of: "edge-bos").counters["data_received"] ?? 0
            let before = try #require(try await network.stream("live/news", at: "edge-nen"))
            try await eventually("delivery at the other edge") {
                (try await network.stream("live/news", at: "edge-nen")?.delivered ?? 0) > before.delivered + 500
            }
            #expect(try await network.stream("live/news", at: "edge-nen")?.lost == 0)
            #expect(try await network.status(of: "edge-bos").counters["data_received"] == received)
            #expect(try await links(of: "edge-bos", in: network) == 0)
            #expect(try await sum("links_distrusted", in: network) > 0)
            #expect(try await sum("certificates_revoked", in: network) > 0)
            #expect(Self.sets.contains { network.log(of: $0).contains("its certificate is revoked (list 1)") })
            #expect(network.log(of: "edge-bos").contains("this node's certificate is revoked"))

            // A node that restarts knows the list although it forgets everything else.
            try await network.kill("edge-nen")
            try await network.start("edge-nen")
            try await network.waitUntilReady("edge-nen")
            try await eventually("the list after a restart") {
                try await network.status(of: "edge-nen").counters["revocation_sequence"] == 1
            }
        }
    }

    @Test("A certificate that expires is announced in the log, and its node's links end within 5 s of its last second")
    func expired() async throws {
        try await TestNetwork.with(net: 114) { network in
            try await watch(network, at: ["edge-bos"])
            try network.renewCertificates(of: ["edge-bos"], seconds: 20)
            let content = try IdentityFolder(loading: network.identities.folder(of: "edge-bos")).content
            kill(try #require(await network.pid(of: "edge-bos")), SIGHUP)
            try await eventually("a warning", within: .seconds(15)) {
                network.log(of: "edge-bos").contains("the certificate expires in")
            }
            try await eventually("links under the new certificate", within: .seconds(15)) {
                (try await network.status(of: "edge-bos").counters["links_renewed"] ?? 0) > 0
            }
            try await eventually("the end of its links", within: .seconds(40)) {
                try await links(of: "edge-bos", in: network) == 0
            }
            let late = Date().timeIntervalSince1970 - Double(content.notAfter)
            print("expired: all links ended \(late) s after the last second")
            #expect(late < 5)
            #expect(try await sum("links_distrusted", in: network) > 0)

            try network.renewCertificates(of: ["edge-bos"])
            kill(try #require(await network.pid(of: "edge-bos")), SIGHUP)
            let before = try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0
            try await eventually("delivery with a renewed certificate", within: .seconds(60)) {
                (try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0) > before + 100
            }
        }
    }

    @Test("A node's certificate does not start a node of another name, role or region")
    func impostors() async throws {
        try await TestNetwork.with(net: 115) { network in
            let identity = network.identities.folder(of: "edge-bos")
            for (arguments, complaint) in [
                (["edge", "edge-nen", "--region", "1284"], "start this node as edge-bos"),
                (["set", "edge-bos"], "start it with the command of its role"),
                (["edge", "edge-bos", "--region", "1284"], "give --region 1283"),
                (["edge", "edge-bos", "--region", "1283", "--zone", "other.example"], "give --zone reflector.net"),
            ] {
                let result = try Program.run(Program.reflector, arguments + ["--identity", identity])
                #expect(result.code == 1 && result.errors.contains(complaint), "\(arguments): \(result.errors)")
            }
        }
    }
}
