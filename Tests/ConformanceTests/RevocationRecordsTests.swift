import DNSService
import DNSTestClient
import Foundation
import LDNSKit
import NodeIdentity
import ReflectorModel
import TestIdentities
import TestSupport
import Testing

@testable import TransactionSigning
@testable import ZoneCompiler

/// Other software reads revocation lists from our zone: dig, and NSD and Knot as secondaries.
@Suite("Revocation lists with other software", .serialized)
struct RevocationRecordsTests {
    private static let zone = "example.net"
    private static let primary = "127.82.5.1"
    private static let secret = "c2VjcmV0IG9mIHRoZSB0d28gZW5kcyBvZiBhIGxpbmU="
    private static let text = """
        $TTL 60
        @ SOA ns1 hostmaster 1 3600 600 604800 5
        @ NS ns1
        ns1 A 127.82.5.1
        a-1 A 127.0.2.1

        """
    private let signer: TestOperator

    init() throws { signer = try TestOperator() }

    private static func run(_ arguments: String...) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: output, as: UTF8.self)
    }

    @Test("dig gets a truncated answer over UDP and the whole over TCP; NSD and Knot transfer each list and serve it")
    func spread() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let zones = folder.path + "/zones"
        try FileManager.default.createDirectory(atPath: zones, withIntermediateDirectories: true)
        func write(_ text: String, _ kind: String) throws {
            try text.write(toFile: "\(zones)/\(Self.zone).\(kind)", atomically: true, encoding: .utf8)
        }
        let full = try signer.revocations(1...4_096, sequence: 1, zone: Self.zone)
        // So many records that a difference is shorter than the zone.
        try write(Self.text + (1...200).map { "host-\($0) A 127.0.3.\($0)\n" }.joined(), "zone")
        try write(RevocationText.write(full), "revocations")
        let keys = try TSIGKeyring.parse("transfer.key hmac-sha256 \(Self.secret)\n").get()
        var ports = SystemRandomNumberGenerator()
        let own = UInt16.random(in: 20_000...30_000, using: &ports)
        let addresses = ["127.82.5.2", "127.82.5.3"]
        var configuration = NameServer.Configuration(
            zones: zones, listen: [try #require(Endpoint("\(Self.primary):0"))], state: folder.path + "/state")
        configuration.transfers = TransferPolicy(
            rules: try addresses.map { try #require(TransferPolicy.Rule("\($0),key=transfer.key")) }, keys: keys)
        configuration.notify = try addresses.map { try #require(NotifyTarget("\($0):\(own),key=transfer.key")) }
        try await withNameServer(configuration) { server, port in
            let ask = ["@\(Self.primary)", "-p", "\(port)", "TXT", "list.revocations.\(Self.zone)"]
            let cut = try Self.run("dig", ask[0], ask[1], ask[2], "+ignore", ask[3], ask[4])
            #expect(cut.contains("flags: qr aa tc") && cut.contains("ANSWER: 0"), "\(cut)")
            let whole = try Self.run("dig", ask[0], ask[1], ask[2], "+tcp", ask[3], ask[4])
            #expect(whole.contains("ANSWER: 1") && !whole.contains("flags: qr aa tc"), "\(whole.prefix(600))")
            #expect(whole.utf8.count > 66_000, "every byte, most of them escaped")
            let short = try Self.run("dig", ask[0], ask[1], ask[2], "+short", "TXT", "revocations.\(Self.zone)")
            let announced = "\"sequence=1\" \"serials=4096\" \"issued=1790000000\" \"bytes=\(full.encoded.count)\"\n"
            #expect(short == announced)

            let secondaries = try zip(Secondary.Make.allCases, addresses).map { make, address in
                try Secondary(
                    make, zone: Self.zone, primary: Self.primary, port: port, address: address, own: own,
                    directory: folder.url, key: ("transfer.key", "hmac-sha256", Self.secret))
            }
            defer { for secondary in secondaries { secondary.stop() } }
            func wait(for list: RevocationList, within limit: Duration) async throws -> Duration {
                let start = ContinuousClock.now
                try await eventually("list \(list.content.sequence)", within: limit, every: .milliseconds(20)) {
                    for secondary in secondaries {
                        let records = try secondary.client.ask("list.revocations.\(Self.zone)", 16).answers
                        guard records.count == 1, records[0].ttl == 1,
                            try RevocationRecords.list(in: records[0].data) == list
                        else { throw NeverCame(what: "\(secondary.make)", last: "\(records.count) records") }
                    }
                    return true
                }
                return ContinuousClock.now - start
            }
            let first = try await wait(for: full, within: .seconds(15))
            let next = try signer.revocations([7, 9], sequence: 2, zone: Self.zone)
            try write(RevocationText.write(next), "revocations")
            let small = try await wait(for: next, within: .seconds(5))
            let again = try signer.revocations(2...4_097, sequence: 3, zone: Self.zone)
            try write(RevocationText.write(again), "revocations")
            let large = try await wait(for: again, within: .seconds(5))
            print("secondaries serve a full list after \(first), a small one after \(small), a full one after \(large)")
            let counters = await server.counters
            #expect(try #require(counters["transfers_ixfr"]) >= 2, "\(counters)")
        }
    }

    @Test("BIND's, Knot's and NSD's checkers accept the export of a zone with a full list")
    func exported() throws {
        let list = try signer.revocationText(1...4_096, sequence: 1, zone: Self.zone)
        let compiled = ZoneCompiler.compile(files: [
            ("example.net.zone", Array(Self.text.utf8)), ("example.net.revocations", Array(list.utf8)),
        ])
        let exported = try ZoneExport.text(try #require(compiled.contents.first))
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = folder.path + "/export.db"
        try exported.write(toFile: file, atomically: true, encoding: .utf8)
        let bind = try Self.run("named-checkzone", "-i", "local", Self.zone, file)
        #expect(bind.contains("OK"), "\(bind.prefix(500))")
        let knot = try Self.run("kzonecheck", "-v", "-o", Self.zone, file)
        #expect(knot.contains("No semantic error found"), "\(knot.prefix(500))")
        let nsd = try Self.run("nsd-checkzone", Self.zone, file)
        #expect(nsd.contains("is ok"), "\(nsd.prefix(500))")
    }
}
