import DNSService
import DNSTestClient
import Foundation
import LDNSKit
import Logging
import ReflectorModel
import TestSupport
import Testing

@testable import TransactionSigning
@testable import ZoneCompiler

/// NSD and Knot transfer our zones as any secondary does, and serve the same answers.
@Suite("Secondaries with other software", .serialized)
struct SecondariesTests {
    private static let primary = "127.82.1.1"
    private static let zone = "example.net"
    private static let secret = "c2VjcmV0IG9mIHRoZSB0d28gZW5kcyBvZiBhIGxpbmU="

    private struct Setting {
        var server: NameServer
        var ours: DNSTestClient
        var secondaries: [Secondary]
        var zones: URL
        var random: SeededGenerator

        func serial() throws -> UInt32 {
            let data = try ours.ask(SecondariesTests.zone, 6).answers.first?.data ?? []
            return data.suffix(20).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        }

        /// Waits until all secondaries have the primary's serial.
        func settled(within limit: Duration) async throws -> Duration? {
            try await elapsed(within: limit) {
                let serial = try serial()
                return secondaries.allSatisfy { $0.serial(of: SecondariesTests.zone) == serial }
            }
        }

        func edit(_ file: String, _ change: (String) -> String) throws {
            let path = zones.appendingPathComponent(file).path
            try change(String(contentsOfFile: path, encoding: .utf8))
                .write(toFile: path, atomically: true, encoding: .utf8)
        }
    }

    private static func with(algorithm: TSIGAlgorithm, _ body: (Setting) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        let work = folder.url
        let zones = work.appendingPathComponent("zones")
        try FileManager.default.createDirectory(at: zones, withIntermediateDirectories: true)
        defer { folder.remove() }
        var random = SeededGenerator(seed: 82)
        for (name, text) in SampledNetwork.files(&random) {
            try Data(text.utf8).write(to: zones.appendingPathComponent(name))
        }
        let keys = try TSIGKeyring.parse("transfer.key \(algorithm.rawValue) \(secret)\n").get()
        // Random ports: a leftover process of another run must not answer in their place.
        var ports = SystemRandomNumberGenerator()
        let port = UInt16.random(in: 20_000...30_000, using: &ports)
        let addresses = ["127.82.1.2", "127.82.1.3"]
        let listen = try #require(Endpoint("\(primary):0"))
        var configuration = NameServer.Configuration(
            zones: zones.path, listen: [listen], state: work.appendingPathComponent("state").path)
        configuration.transfers = TransferPolicy(
            rules: try addresses.map { try #require(TransferPolicy.Rule("\($0),key=transfer.key")) }, keys: keys)
        configuration.notify = try addresses.map { try #require(NotifyTarget("\($0):\(port),key=transfer.key")) }
        try await withNameServer(configuration) { server, own in
            let secondaries = try zip(Secondary.Make.allCases, addresses).map { make, address in
                try Secondary(
                    make, zone: zone, primary: primary, port: own, address: address, own: port, directory: work,
                    key: ("transfer.key", algorithm.rawValue, secret))
            }
            defer { for secondary in secondaries { secondary.stop() } }
            try await body(
                Setting(
                    server: server, ours: DNSTestClient(primary, port: own), secondaries: secondaries, zones: zones,
                    random: random))
        }
    }

    @Test(
        "The zone is transferred by AXFR, an edit reaches both secondaries within 5 s by IXFR, and 10,000 names agree",
        arguments: [TSIGAlgorithm.hmacSHA256, .hmacSHA512])
    func edits(_ algorithm: TSIGAlgorithm) async throws {
        try await Self.with(algorithm: algorithm) { setting in
            let first = try await setting.settled(within: .seconds(15))
            try #require(first != nil, "\(setting.secondaries.map(\.report))")
            let whole = await setting.server.counters
            #expect(try #require(whole["transfers_axfr"]) >= 2)

            let before = try setting.serial()
            try setting.edit("example.net.portsets") { $0 + "map s5 r10 t5 t4 ttl=7\n" }
            let took = try await elapsed(within: .seconds(5)) {
                try setting.secondaries.allSatisfy { secondary in
                    try secondary.client.ask("n1.r10.s5.example.net", 33).answers.contains {
                        $0.type == 33 && $0.service?.target == "h5-1.example.net"
                    }
                }
            }
            #expect(took != nil, "\(setting.secondaries.map(\.report))")
            #expect(try setting.serial() != before)
            #expect(try await setting.settled(within: .seconds(2)) != nil)
            let after = await setting.server.counters
            #expect(after["transfers_ixfr"] == 2, "each requests only the change")
            #expect(after["transfers_axfr"] == whole["transfers_axfr"])
            print("\(algorithm.rawValue): both serve after \(first!), an edit after \(took ?? .zero)")

            var random = setting.random
            var disagreements: [String] = []
            var answered = 0
            for (number, name) in SampledNetwork.names(&random, count: 10_000).enumerated() {
                let type = [UInt16(1), 28, 33, 16][number % 4]
                let mine = try Essence(setting.ours.ask(name, type), type)
                if !mine.records.isEmpty { answered += 1 }
                for secondary in setting.secondaries {
                    let theirs = try Essence(secondary.client.ask(name, type), type)
                    if mine != theirs { disagreements.append("\(name) \(type): \(mine), \(secondary.make) \(theirs)") }
                }
            }
            #expect(disagreements.isEmpty, "\(disagreements.count): \(disagreements.prefix(12))")
            #expect(answered > 3_000, "the sample must not be all empty: \(answered)")

            let secondaries = await setting.server.status.secondaries
            #expect(secondaries.map(\.address) == ["127.82.1.2", "127.82.1.3"])
            #expect(try secondaries.map(\.serial) == Array(repeating: setting.serial(), count: 2))
            #expect(secondaries.allSatisfy { $0.kind == "ixfr" && $0.key == "transfer.key" && $0.bytes < 100_000 })
        }
    }

    @Test("36 edits in sequence leave secondaries with the same content as an AXFR")
    func manyEdits() async throws {
        try await Self.with(algorithm: .hmacSHA256) { setting in
            _ = try await setting.settled(within: .seconds(15))
            for round in 0..<6 {
                // Several edits within one second become one serial.
                for part in 0..<5 {
                    try setting.edit("example.net.portsets") {
                        $0 + "map s\(round * 100)-s\(round * 100 + part * 7) r1\(part)-r2\(round % 10) t\(part) t5\n"
                    }
                    try await Task.sleep(for: .milliseconds(120))
                }
                try setting.edit("example.net.zone") { $0 + "extra-\(round) A 127.0.99.\(round)\n" }
                let isServed = try await elapsed(within: .seconds(5)) {
                    try !setting.ours.ask("extra-\(round).example.net").answers.isEmpty
                }
                #expect(isServed != nil)
                #expect(try await setting.settled(within: .seconds(5)) != nil)
            }
            let content = try #require(try ZoneDirectory.compile(setting.zones.path).contents.first)
            let form = try AliasedZone(content)
            var wrong: [String] = []
            var count = 0
            // Every seventh record of the aliased form, except TXT, which contains serials, and most NS.
            for record in IteratorSequence(form.records) where record.type != 16 {
                count += 1
                guard count % 7 == 0, let name = LDNSName.text(record.owner), record.type != 2 || count < 100 else {
                    continue
                }
                for secondary in setting.secondaries {
                    let answer = try secondary.client.ask(name, record.type)
                    let all = answer.answers + answer.authority
                    if !all.contains(where: { $0.ownerWire == record.owner && $0.data == record.data }) {
                        wrong.append("\(secondary.make) \(name) \(record.type)")
                    }
                }
            }
            #expect(wrong.isEmpty, "\(wrong.count) of \(count): \(wrong.prefix(10))")
            #expect(try #require(await setting.server.counters["transfers_ixfr"]) >= 10)
        }
    }

    @Test("dig and kdig: the right key is served; a wrong name, secret, time or address is refused as RFCs require")
    func diggers() async throws {
        try await Self.with(algorithm: .hmacSHA256) { setting in
            let port = "\(setting.ours.port)"
            let right = "hmac-sha256:transfer.key:\(Self.secret)"
            func dig(_ program: String, from source: String, _ key: String?) throws -> String {
                try Self.run(
                    program,
                    ["@\(Self.primary)", "-p", port, "-b", source] + (key.map { ["-y", $0] } ?? [])
                        + ["example.net", "AXFR"])
            }
            #expect(try dig("dig", from: "127.82.1.2", right).contains("XFR size"))
            #expect(try dig("kdig", from: "127.82.1.3", right).contains("records)"))
            #expect(try dig("kdig", from: "127.82.1.3", nil).contains("REFUSED"))
            #expect(try dig("dig", from: "127.82.1.9", right).contains("Transfer failed"))
            #expect(try dig("kdig", from: "127.82.1.9", right).contains("REFUSED"))
            let other = "hmac-sha256:other.key:\(Self.secret)"
            #expect(try dig("kdig", from: "127.82.1.2", other).contains("BADKEY"))
            let wrong = "hmac-sha256:transfer.key:AAECAwQFBgcICQoLDA0ODw=="
            #expect(try dig("kdig", from: "127.82.1.2", wrong).contains("BADSIG"))
            #expect(try dig("dig", from: "127.82.1.2", wrong).contains("failed"))
            // An ordinary query, signed with a wrong time.
            let key = try #require(
                try TSIGKeyring.parse("transfer.key hmac-sha256 \(Self.secret)\n").get()["transfer.key"])
            var session = TSIGSession(key)
            var query = try LDNSMessage.query(id: 7, name: "ns1.example.net", type: 1)
            let isSigned = session.sign(&query, now: Int64(time(nil)) - 4_000)
            #expect(isSigned)
            let reply = try setting.ours.exchange(query, datagram: true)
            #expect(try LDNSMessage.parse(reply).rcode == 9)
            // The response is BADTIME and signed.
            let signature = try #require(try TSIGRecord.find(in: reply))
            #expect(signature.error == 18 && signature.code.count == 32)
            let counters = await setting.server.counters
            #expect(counters["tsig_bad_time"] == 1)
            #expect(try #require(counters["tsig_bad_key"]) >= 1 && counters["tsig_bad_signature"] ?? 0 >= 2)
            #expect(try #require(counters["transfers_refused"]) >= 3)
        }
    }

    private static func run(_ program: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: output, as: UTF8.self)
    }
}
