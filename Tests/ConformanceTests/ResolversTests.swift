import DNSService
import DNSTestClient
import Foundation
import LDNSKit
import Logging
import ReflectorModel
import TestSupport
import Testing

@testable import TransactionSigning

/// Unbound, BIND and PowerDNS Recursor cache parts of the aliased form while it is edited: a name that exists before
/// and after an edit must never be denied in between.
@Suite("Edits seen through caching resolvers", .serialized)
struct ResolversTests {
    private static let zone = """
        $TTL 3
        @ SOA ns1 hostmaster 1 3600 600 604800 2
        @ NS ns1
        ns1 A 127.82.40.1
        a-1 A 127.0.2.1
        b-1 A 127.0.2.2
        c-1 A 127.0.2.3

        """

    /// Each edit changes other regions and portsets, names other set regions, or restores the previous state.
    private static func portsets(_ edit: Int) -> String {
        let order = ["a b", "b a", "b c", "a c"][edit % 4]
        let third = edit % 4 >= 2 ? "setregion c hosts=c-1 capacity=10Gbps site=z\n" : ""
        return """
            default ttl=2
            setregion a hosts=a-1 capacity=10Gbps site=x
            setregion b hosts=b-1 capacity=10Gbps site=y
            \(third)region r1283
            region r2000-r2009
            map s* r* a b
            map s1-s100 r2000-r2009 \(order)
            map s50-s70 r1283 \(edit % 2 == 0 ? "b" : "b a")

            """
    }

    @Test("One query every 50 ms through each resolver, over several edits: none gets NXDOMAIN or NODATA, none fails")
    func edits() async throws {
        let makes = Resolver.Make.allCases.filter { $0.program != nil }
        try #require(!makes.isEmpty)
        let edits = ProcessInfo.processInfo.environment["RESOLVER_EDITS"].flatMap { Int($0) } ?? 6
        let folder = try TemporaryFolder()
        let work = folder.url
        let zones = work.appendingPathComponent("zones")
        try FileManager.default.createDirectory(at: zones, withIntermediateDirectories: true)
        defer { folder.remove() }
        func write(_ text: String, _ name: String) throws {
            try text.write(toFile: zones.path + "/" + name, atomically: true, encoding: .utf8)
        }
        try write(Self.zone, "example.net.zone")
        try write(Self.portsets(0), "example.net.portsets")
        let secret = "c2VjcmV0IG9mIHRoZSB0d28gZW5kcyBvZiBhIGxpbmU="
        let port = UInt16.random(in: 20_000...30_000)
        let listen = try #require(Endpoint("127.82.40.1:0"))
        var configuration = NameServer.Configuration(
            zones: zones.path, listen: [listen], state: work.appendingPathComponent("state").path)
        let keys = try TSIGKeyring.parse("transfer.key hmac-sha256 \(secret)\n").get()
        configuration.transfers = TransferPolicy(
            rules: [try #require(TransferPolicy.Rule("127.82.40.2,key=transfer.key"))], keys: keys)
        configuration.notify = [try #require(NotifyTarget("127.82.40.2:\(port),key=transfer.key"))]
        var failures: [String] = []
        try await withNameServer(configuration) { _, own in
            let secondary = try Secondary(
                .nsd, zone: "example.net", primary: "127.82.40.1", port: own, address: "127.82.40.2", own: port,
                directory: work, key: ("transfer.key", "hmac-sha256", secret))
            let resolvers = try makes.enumerated().map { number, make in
                // BIND listens only on addresses that an interface has.
                let address = make == .bind ? "127.0.0.1" : "127.82.40.\(10 + number)"
                return try Resolver(
                    make, zone: "example.net", server: ("127.82.40.2", port), address: address, port: port,
                    directory: work)
            }
            defer {
                for resolver in resolvers { resolver.stop() }
                secondary.stop()
            }
            // Start the secondary first: a resolver caches the failure if the secondary does not have the zone yet.
            _ = await eventually {
                (try? secondary.client.ask("example.net", 6))?.answers.isEmpty == false
            }
            var waiting = resolvers
            _ = await eventually {
                waiting.removeAll { (try? $0.ask("n1.r1283.s9.example.net"))?.answers.isEmpty == false }
                return waiting.isEmpty
            }
            #expect(waiting.isEmpty, "\(waiting.map(\.report)) \(secondary.report)")
            var asked = 0
            var random = SeededGenerator(seed: 40)
            for edit in 1...edits {
                try write(Self.portsets(edit), "example.net.portsets")
                let end = ContinuousClock.now + .milliseconds(1_200)
                while ContinuousClock.now < end {
                    let region = [1_283, 2_000, 2_009].randomElement(using: &random) ?? 1_283
                    let portset = [1, 9, 55, 60, 100, 101, 4_096].randomElement(using: &random) ?? 1
                    let name = "n1.r\(region).s\(portset).example.net"
                    for resolver in resolvers {
                        let answer = try resolver.ask(name)
                        asked += 1
                        if answer.rcode != 0 || !answer.answers.contains(where: { $0.type == 1 }) {
                            failures.append("edit \(edit): \(resolver.make) \(name): rcode \(answer.rcode)")
                        }
                    }
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            let ours = DNSTestClient("127.82.40.1", port: own)
            let isSettled =
                try ours.ask("example.net", 6).answers.first?.data
                == secondary.client.ask("example.net", 6)
                .answers.first?.data
            #expect(isSettled, "the secondary must have the last edit")
            print("\(asked) queries over \(edits) edits through \(makes.map(\.rawValue)): \(failures.count) failed")
        }
        #expect(failures.isEmpty, "\(failures.count): \(failures.prefix(10))")
    }
}
