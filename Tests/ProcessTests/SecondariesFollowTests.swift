import DNSTestClient
import Foundation
import Glibc
import ReflectorModel
import TestSupport
import Testing

@testable import reflector

/// NSD and Knot are secondaries of a running network: every change of its answers, manual or automatic, reaches them.
@Suite("Secondaries follow", .serialized)
struct SecondariesFollowTests {
    private static let zone = "reflector.net"

    /// The hosts in a server's answer for a name, also at the end of a chain of aliases in that answer.
    private static func hosts(_ client: DNSTestClient, _ name: String) throws -> [String] {
        try client.ask("\(name).\(zone)", 33).answers.compactMap { $0.service?.target }
            .map { String($0.prefix { $0 != "." }) }.sorted()
    }

    /// Waits until every secondary answers with exactly these hosts. Returns how long it took.
    private static func wait(
        _ secondaries: [Secondary], _ name: String, _ hosts: [String], within limit: Duration = .seconds(5)
    ) async throws -> Duration {
        let start = ContinuousClock.now
        try await eventually("\(name) = \(hosts)", within: limit, every: .milliseconds(20)) {
            for secondary in secondaries {
                let found = try Self.hosts(secondary.client, name)
                if found != hosts { throw NeverCame(what: "\(secondary.make)", last: "\(found)") }
            }
            return true
        }
        return ContinuousClock.now - start
    }

    @Test("An edit, an override and the death of a set reflector each reach NSD and Knot within 5 s")
    func follow() async throws {
        try await TestNetwork.with(net: 95) { network in
            let (primary, addresses) = (try network.node("ns1").address, ["127.95.9.1", "127.95.9.2"])
            let made = try Program.run(Program.reflector, ["keys", "tsig", "transfer.key"])
            let key = try #require(made.lines.last { !$0.hasPrefix("#") }).split(separator: " ").map(String.init)
            try #require(key.count == 3, "\(made.output)")
            let keys = network.folder + "/tsig.keys"
            try made.output.write(toFile: keys, atomically: true, encoding: .utf8)
            chmod(keys, 0o600)
            try await network.startAll(options: [
                "ns1": ["--tsig-keys", keys]
                    + addresses.flatMap {
                        ["--transfer-to", "\($0),key=\(key[0])", "--notify", "\($0):5300,key=\(key[0])"]
                    }
            ])
            let ours = DNSTestClient("\(primary)", port: 5_300)
            let secondaries = try zip(Secondary.Make.allCases, addresses).map { make, address in
                try Secondary(
                    make, zone: Self.zone, primary: "\(primary)", port: 5_300, address: address, own: 5_300,
                    directory: URL(fileURLWithPath: network.folder), key: (key[0], key[1], key[2]))
            }
            defer { for secondary in secondaries { secondary.stop() } }
            let name = "n1.r1283.s4096"
            let taken = try await Self.wait(secondaries, name, ["sjc-1"], within: .seconds(15))

            try network.zones.edit("reflector.net.portsets") {
                $0.replacing("r1283  sjc nyc lon", with: "r1283  lon nyc sjc")
            }
            let edited = try await Self.wait(secondaries, name, ["lon-1", "lon-2"])

            let drain = try Program.run(
                Program.reflector,
                [
                    "override", "drain", "nyc-1", "--for", "1h", "--why", "test", "--operator",
                    network.identities.operatorFolder, "--zones", network.zones.path,
                ])
            try #require(drain.code == 0, "\(drain.errors)")
            let drained = try await Self.wait(secondaries, "n1.r1284.s9", ["nyc-2"])

            try await network.kill("lon-1")
            let dead = try await Self.wait(secondaries, name, ["lon-2"])
            print("secondaries serve after \(taken), an edit after \(edited), override \(drained), death \(dead)")

            // Other names, too, get the same answer from the secondaries as from the primary.
            var random = SystemRandomNumberGenerator()
            var disagreements: [String] = []
            for _ in 0..<2_000 {
                let portset = UInt16.random(in: 0...UInt16.max, using: &random)
                let name = "n\(Int.random(in: 1...3)).r\(Int.random(in: 1_283...1_284)).s\(portset)"
                let mine = try Self.hosts(ours, name)
                #expect(!mine.isEmpty)
                for secondary in secondaries where try Self.hosts(secondary.client, name) != mine {
                    disagreements.append("\(name): \(secondary.make)")
                }
            }
            #expect(disagreements.isEmpty, "\(disagreements.prefix(10))")
        }
    }
}
