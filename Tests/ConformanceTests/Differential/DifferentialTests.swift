import DNSAnswers
import DNSService
import DNSTestClient
import Foundation
import Glibc
import LDNSKit
import Logging
import ReflectorModel
import TestSupport
import Testing

@testable import ZoneCompiler

/// Our server serves the files, NSD and Knot serve the export. All three must give the same answers to seeded queries
/// of every kind. `DIFFERENTIAL_QUERIES` sets the number of queries, `DIFFERENTIAL_SEED` the seed.
@Suite("Differential: our answers, NSD's and Knot's")
struct DifferentialTests {
    private static let ours = "127.85.1.1"

    @Test("Queries of every kind get the same answer from all three servers, except for permitted differences")
    func sameAnswers() async throws {
        let environment = ProcessInfo.processInfo.environment
        let count = environment["DIFFERENTIAL_QUERIES"].flatMap { Int($0) } ?? 200_000
        let seed = environment["DIFFERENTIAL_SEED"].flatMap { UInt64($0) } ?? 2_181
        let folder = try TemporaryFolder()
        let work = folder.url
        let files = work.appendingPathComponent("zones")
        try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
        defer { folder.remove() }
        for file in DifferentialZones.files {
            try Data(file.text.utf8).write(to: files.appendingPathComponent(file.name))
        }
        var configuration = NameServer.Configuration(
            zones: files.path, listen: [try #require(Endpoint(Self.ours + ":0"))])
        configuration.nsid = PeerServer.identity
        configuration.explainFrom = []
        let secrets = work.appendingPathComponent("cookie-secrets").path
        try PeerServer.cookieSecret.write(toFile: secrets, atomically: true, encoding: .utf8)
        chmod(secrets, 0o600)
        configuration.cookieSecrets = secrets
        try await withNameServer(configuration) { server, port in
            let peers = try await Self.startPeers(files.path, server, work)
            defer { for peer in peers { peer.stop() } }
            var comparison = try DifferentialRun(ours: (Self.ours, port), peers: peers, seed: seed)
            try comparison.run(count)
            print(comparison.report)
            #expect(comparison.failures == 0, "\(comparison.examples.joined(separator: "\n"))")
        }
    }

    /// Starts NSD and Knot with the export of the files and our server's serials.
    private static func startPeers(_ files: String, _ server: NameServer, _ work: URL) async throws -> [PeerServer] {
        let generation = try ZoneDirectory.compile(files)
        #expect(generation.problems.filter { $0.severity == .error } == [])
        let serials = await server.status.zones
        let zones = try generation.contents.map { content in
            PeerServer.Zone(
                name: content.zone,
                text: try ZoneExport.text(content, serial: serials.first { $0.name == content.zone }?.serial))
        }
        // A random port: a leftover process of another run must not answer in a peer's place.
        let port = UInt16.random(in: 20_000...30_000)
        let nsd = try PeerServer.nsd(zones, directory: work, address: "127.85.1.2", port: port)
        do {
            return [nsd, try PeerServer.knot(zones, directory: work, address: "127.85.1.3", port: port)]
        } catch {
            nsd.stop()
            throw error
        }
    }
}
