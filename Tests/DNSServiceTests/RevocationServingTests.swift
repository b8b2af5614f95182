import DNSTestClient
import Foundation
import LDNSKit
import NodeIdentity
import TestIdentities
import TestSupport
import Testing

@testable import DNSService

@Suite("A zone's revocation list as it is served", .serialized)
struct RevocationServingTests {
    private static let zone = "example.net"
    private static let file = "example.net.revocations"
    private let signer: TestOperator

    init() throws { signer = try TestOperator() }

    private static func write(_ text: String, _ served: ServedDirectory) throws {
        try text.write(toFile: "\(served.path)/\(file)", atomically: true, encoding: .utf8)
    }

    private static func sequence(_ served: ServedDirectory) throws -> UInt64? {
        let strings = try served.client.ask("revocations.\(zone)", 16).answers.first?.strings
        return strings.flatMap { RevocationRecords.sequence(announcedIn: $0) }
    }

    private static func list(_ served: ServedDirectory) throws -> RevocationList {
        let record = try #require(try served.client.ask("list.revocations.\(zone)", 16).answers.first)
        return try RevocationRecords.list(in: record.data)
    }

    @Test(
        "A full list is truncated over UDP and whole over TCP; a new one raises the serial; without one both are denied"
    )
    func served() async throws {
        try await ServedDirectory.serve("127.83.4.1") { [signer] served async throws in
            for name in ["revocations", "list.revocations"] {
                #expect(try served.client.ask("\(name).\(Self.zone)", 16).rcode == 3)
            }
            var serial = try served.serial()
            for (sequence, count) in [(UInt64(1), UInt64(0)), (2, 1), (9, 4_096)] {
                let wanted = try signer.revocations((0..<count).map { $0 + 1 }, sequence: sequence, zone: Self.zone)
                try Self.write(RevocationText.write(wanted), served)
                let time = try await served.wait { try Self.sequence(served) == sequence }
                #expect(time != nil)
                #expect(try Self.list(served) == wanted)
                let now = try served.serial()
                #expect(now > serial)
                serial = now
            }
            let query = try LDNSMessage.query(id: 7, name: "list.revocations.\(Self.zone)", type: 16)
            let short = try LDNSMessage.parse(served.client.exchange(query, datagram: true))
            #expect(short.isTruncated && short.answers.isEmpty)
            let whole = try #require(try served.client.askStream([query]).first)
            #expect(!whole.isTruncated && whole.answers.first?.ttl == 1)
            #expect(try #require(whole.answers.first).data.count > 32_900)
        }
    }

    @Test(
        "A list older than the one served, another list with its number, and its removal are refused, with the remedy")
    func rollback() async throws {
        let state = try TemporaryFolder()
        defer { state.remove() }
        let path = state.path
        let old = try signer.revocationText([1], sequence: 4, zone: Self.zone)
        let new = try signer.revocationText([1, 2], sequence: 5, zone: Self.zone)
        let other = try signer.revocationText([1], sequence: 5, zone: Self.zone)
        try await ServedDirectory.serve("127.83.4.2", state: path, files: [Self.file: new]) { served async throws in
            #expect(try Self.sequence(served) == 5)
            let serial = try served.serial()
            for (text, expected) in [
                (old, "\(Self.file):1:1: revocation list 4 is older than list 5, which was served; put the newest"),
                (other, "\(Self.file):1:1: another revocation list with the number 5 is served"),
            ] {
                let refusals = await served.server.status.refusals
                try Self.write(text, served)
                _ = try await served.wait { await served.server.status.refusals > refusals }
                let problems = await served.server.status.problems
                #expect(problems.count == 1 && problems[0].hasPrefix(expected), "\(problems)")
                #expect(try Self.list(served).content.serials == [1, 2])
            }
            let refusals = await served.server.status.refusals
            try FileManager.default.removeItem(atPath: "\(served.path)/\(Self.file)")
            _ = try await served.wait { await served.server.status.refusals > refusals }
            let problems = await served.server.status.problems
            #expect(problems.first?.contains("was there and is gone; put it back; to revoke nothing, sign") == true)
            try Self.write("# the same again\n" + new, served)
            _ = try await served.wait { await served.server.status.problems.isEmpty }
            #expect(try served.serial() == serial, "a comment changes no answer")
        }
        // An earlier process served list 5. Its last generation is used while the files have the older list.
        try await ServedDirectory.serve("127.83.4.2", state: path, files: [Self.file: old]) { served async throws in
            #expect(await served.server.status.problems.first?.contains("list 4 is older than list 5") == true)
            #expect(try Self.sequence(served) == 5)
        }
    }
}
