import DNSAnswers
import DNSTestClient
import Foundation
import LDNSKit
import Logging
import ReflectorModel
import Synchronization
import TestSupport
import Testing
import TransactionSigning

@testable import DNSService
@testable import ZoneCompiler

private let loopback = [TransferPolicy.Rule(block: CIDRBlock.loopback[0])]

/// Allows transfers from loopback, with long time limits for clients: on a busy machine, a test may need many seconds
/// between its queries.
private func patient(_ configuration: inout NameServer.Configuration) {
    configuration.transfers.rules = loopback
    configuration.tcp.idleMax = .seconds(120)
    configuration.tcp.stallMax = .seconds(120)
}

/// A query for a transfer, with the client's serial.
private func transferQuery(_ type: UInt16, have serial: UInt32? = nil, edns: Bool = false) throws -> [UInt8] {
    var bytes = try LDNSMessage.query(id: 4_711, name: "Example.net", type: type, udpSize: edns ? 1_232 : 0)
    guard let serial else { return bytes }
    let tail = Array(bytes[(12 + 13 + 4)...])
    bytes = Array(bytes[..<(12 + 13 + 4)])
    bytes[9] = 1
    let numbers = [serial, 0, 0, 0, 0].flatMap { word in
        (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) }
    }
    return bytes + [0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 0, 0, 22, 0, 0] + numbers + tail
}

/// All records of a transfer, in order. The transfer ends with the last copy of the first SOA.
private func transferred(_ stream: StreamClient, _ query: [UInt8]) throws -> [LDNSRecord] {
    try stream.send(query)
    var records: [LDNSRecord] = []
    while let bytes = try stream.message() {
        #expect(bytes.count <= 16_384)
        let message = try LDNSMessage.parse(bytes)
        #expect(message.rcode == 0 && message.isAuthoritative && message.id == 4_711)
        #expect(message.questions.count == 1)
        records += message.answers
        if records.count > 1, records.last == records.first {
            let serials = records.filter { $0.type == 6 }
            // An IXFR has the new SOA in the middle as well.
            if serials.count == 2 && records[1].type != 6 || serials.count == 4 { break }
        }
        if records.count == 1 { break }
    }
    return records
}

/// A record as text, for comparison, without the additional fields that ldns has.
private func key(_ record: LDNSRecord) -> String { "\(record.ownerWire) \(record.type) \(record.ttl) \(record.data)" }
private func key(_ record: ZoneRecord) -> String { "\(record.owner) \(record.type) \(record.ttl) \(record.data)" }

/// The records of a folder's zone, without its SOA and its TXT records, which depend on earlier changes.
private func records(of path: String, serial: UInt32) throws -> Set<String> {
    var content = try #require(try ZoneDirectory.compile(path).contents.first)
    for set in content.setRegions.indices { content.setRegions[set].changedSerial = serial }
    let zone = try AliasedZone(content, serial: serial)
    return Set(IteratorSequence(zone.records).lazy.filter { ![6, 16].contains($0.type) }.map(key))
}

@Suite("Transfers", .serialized)
struct TransferTests {
    @Test("AXFR carries every record of the export, between two SOAs")
    func whole() async throws {
        try await ServedDirectory.serve("127.82.20.1", configure: patient) {
            served async throws in
            let former = try records(of: served.path, serial: served.serial())
            try served.replacePortsets(ServedDirectory.portsets + "region r2000-r4999\nmap s1-s30000 r* b a\n")
            _ = try await served.wait { await served.server.status.generation == 2 }
            let stream = try StreamClient("127.82.20.1", port: served.client.port)
            let serial = try served.serial()
            let wanted = try records(of: served.path, serial: serial)
            // Queries between and after transfers are answered in order.
            for edns in [false, true] {
                let all = try transferred(stream, transferQuery(252, edns: edns))
                #expect(all.first?.type == 6 && all.last == all.first)
                let sent = Set(all.dropFirst().dropLast().filter { $0.type != 16 }.map(key))
                let missing = wanted.subtracting(sent)
                #expect(missing.isEmpty)
                // The class that the edit removed is kept as long as resolvers may cache aliases to it.
                let extra = sent.subtracting(wanted)
                #expect(extra.count == 3 && extra.isSubset(of: former))
                try stream.send(LDNSMessage.query(id: 9, name: "ns1.example.net", type: 1))
                let answer = try #require(try stream.message())
                #expect(try LDNSMessage.parse(answer).answers.count == 1)
            }
            let secondary = try #require(await served.server.status.secondaries.first)
            #expect(secondary.address == "127.0.0.1" || secondary.address.hasPrefix("127."))
            #expect(secondary.serial == serial && secondary.kind == "axfr" && secondary.records > 20_000)
            #expect(await served.server.counters["transfers_axfr"] == 2)
        }
    }

    @Test("IXFR sends the difference; nothing if the client is up to date; the whole zone if its serial is unknown")
    func changes() async throws {
        try await ServedDirectory.serve("127.82.20.2", configure: patient) {
            served async throws in
            try served.replacePortsets(ServedDirectory.portsets + "map s7 r* b a\n")
            _ = try await served.wait { await served.server.status.generation == 2 }
            let stream = try StreamClient("127.82.20.2", port: served.client.port)
            let first = try served.serial()
            let before = try transferred(stream, transferQuery(252))
            try served.replacePortsets(ServedDirectory.portsets + "map s7-s8 r* b a\n")
            let took = try await served.wait { try served.serial() != first }
            #expect(took != nil)
            let second = try served.serial()
            let after = try transferred(stream, transferQuery(252))

            let change = try transferred(stream, transferQuery(251, have: first))
            // New SOA, old SOA, one removed DNAME, new SOA, one added DNAME, new SOA.
            #expect(change.map(\.type) == [6, 6, 39, 6, 39, 6])
            var zone = Set(before.map(key))
            zone.subtract([key(change[1]), key(change[2])])
            zone.formUnion([key(change[3]), key(change[4])])
            #expect(zone == Set(after.map(key)))

            let current = try transferred(stream, transferQuery(251, have: second))
            #expect(current.map(key) == [key(after[0])])
            let newer = try transferred(stream, transferQuery(251, have: second &+ 5))
            #expect(newer.count == 1)
            let unknown = try transferred(stream, transferQuery(251, have: first &- 1_000))
            #expect(unknown.map(key) == after.map(key))
            let counters = await served.server.counters
            #expect(counters["transfers_ixfr"] == 1 && counters["transfers_current"] == 2)
            #expect(counters["transfers_ixfr_as_axfr"] == 1)
            // Over UDP the answer is only the SOA, so that the client retries over TCP.
            let datagram = try served.client.exchange(transferQuery(251, have: first), datagram: true)
            let answer = try LDNSMessage.parse(datagram)
            #expect(answer.rcode == 0 && answer.answers.map(\.type) == [6] && answer.questions.first?.type == 251)
            let whole = try LDNSMessage.parse(served.client.exchange(transferQuery(252), datagram: true))
            #expect(whole.rcode == 1)
        }
    }

    @Test("Other clients are refused: by address, without a key, or with a key for another address")
    func access() async throws {
        let key = try #require(TSIGKey.generate(name: "k1", algorithm: .hmacSHA256))
        let other = try #require(TSIGKey.generate(name: "k2", algorithm: .hmacSHA512))
        try await ServedDirectory.serve("127.82.20.3") {
            $0.transfers.rules = [
                TransferPolicy.Rule(block: CIDRBlock("127.82.20.7")!, key: "k1"),
                TransferPolicy.Rule(block: CIDRBlock("127.82.20.8")!),
            ]
            $0.transfers.keys = TSIGKeyring([key, other])
        } _: { served async throws in
            func rcode(from source: String, _ key: TSIGKey?, type: UInt16 = 252) throws -> UInt16 {
                var query = try transferQuery(type, have: type == 251 ? 1 : nil)
                if let key {
                    var session = TSIGSession(key)
                    let isSigned = session.sign(&query, now: Int64(time(nil)))
                    #expect(isSigned)
                }
                let stream = try StreamClient("127.82.20.3", port: served.client.port, from: source)
                try stream.send(query)
                return try LDNSMessage.parse(#require(try stream.message())).rcode
            }
            #expect(try rcode(from: "127.82.20.7", key) == 0)
            #expect(try rcode(from: "127.82.20.7", key, type: 251) == 0)
            #expect(try rcode(from: "127.82.20.7", nil) == 5)
            #expect(try rcode(from: "127.82.20.7", other) == 5)
            #expect(try rcode(from: "127.82.20.8", nil) == 0)
            #expect(try rcode(from: "127.82.20.9", nil) == 5)
            #expect(try rcode(from: "127.82.20.9", key, type: 251) == 5)
            let stranger = try #require(TSIGKey.generate(name: "k3", algorithm: .hmacSHA256))
            #expect(try rcode(from: "127.82.20.7", stranger) == 9)
            let forged = try #require(TSIGKey.generate(name: "k1", algorithm: .hmacSHA256))
            #expect(try rcode(from: "127.82.20.7", forged) == 9)
            let counters = await served.server.counters
            #expect(counters["transfers_refused"] == 4)
            #expect(counters["tsig_bad_key"] == 1 && counters["tsig_bad_signature"] == 1)
        }
    }

    @Test("TSIG keys are replaced while the server runs: the new one is accepted, the old one is not")
    func keysRoll() async throws {
        let old = try #require(TSIGKey.generate(name: "k1", algorithm: .hmacSHA256))
        let new = try #require(TSIGKey.generate(name: "k1", algorithm: .hmacSHA256))
        try await ServedDirectory.serve("127.82.20.14") {
            $0.transfers = TransferPolicy(
                rules: [TransferPolicy.Rule(block: CIDRBlock.loopback[0], key: "k1")], keys: TSIGKeyring([old]))
        } _: { served async throws in
            func rcode(_ key: TSIGKey) throws -> UInt16 {
                var query = try transferQuery(252)
                var session = TSIGSession(key)
                let isSigned = session.sign(&query, now: Int64(time(nil)))
                #expect(isSigned)
                let stream = try StreamClient("127.82.20.14", port: served.client.port)
                try stream.send(query)
                return try LDNSMessage.parse(#require(try stream.message())).rcode
            }
            #expect(try rcode(old) == 0 && rcode(new) == 9)
            served.server.replaceTransferKeys(TSIGKeyring([new]))
            #expect(try rcode(old) == 9 && rcode(new) == 0)
        }
    }

    @Test("All messages of a signed transfer are signed, and so are ordinary answers over UDP")
    func signed() async throws {
        let key = try #require(TSIGKey.generate(name: "a.long.name.of.a.key", algorithm: .hmacSHA512))
        try await ServedDirectory.serve("127.82.20.4") {
            $0.transfers.rules = [TransferPolicy.Rule(block: CIDRBlock.loopback[0], key: key.text)]
            $0.transfers.keys = TSIGKeyring([key])
        } _: { served async throws in
            try served.replacePortsets(ServedDirectory.portsets + "region r2000-r4999\nmap s1-s30000 r* b a\n")
            _ = try await served.wait { await served.server.status.generation == 2 }
            let stream = try StreamClient("127.82.20.4", port: served.client.port)
            var session = TSIGSession(key)
            var query = try transferQuery(252, edns: true)
            let isSigned2 = session.sign(&query, now: Int64(time(nil)))
            #expect(isSigned2)
            try stream.send(query)
            var records = 0
            var messages = 0
            var authorities = 0
            while authorities < 2, let bytes = try stream.message() {
                #expect(bytes.count <= 16_384)
                let isGenuine3 = session.check(bytes, now: Int64(time(nil)))
                #expect(isGenuine3, "message \(messages)")
                let message = try LDNSMessage.parse(bytes)
                records += message.answers.count
                authorities += message.answers.count { $0.type == 6 }
                messages += 1
            }
            #expect(records > 20_000 && messages > 10)

            for edns in [true, false] {
                var session = TSIGSession(key)
                var query = try LDNSMessage.query(
                    id: 3, name: "n1.r1283.s5.example.net", type: 33, udpSize: edns ? 1_232 : 0)
                let isSigned4 = session.sign(&query, now: Int64(time(nil)))
                #expect(isSigned4)
                let reply = try served.client.exchange(query, datagram: true)
                let isGenuine5 = session.check(reply, now: Int64(time(nil)))
                #expect(isGenuine5)
                #expect(try LDNSMessage.parse(reply).answers.count == 1)
            }
        }
    }

    @Test("The transfer of a zone over the limit is refused with a reason")
    func tooLarge() async throws {
        try await ServedDirectory.serve(
            "127.82.20.5",
            configure: {
                $0.transfers.rules = loopback
                $0.transferRecordsMax = 100
            }
        ) { served async throws in
            let stream = try StreamClient("127.82.20.5", port: served.client.port)
            try stream.send(transferQuery(252, edns: true))
            let message = try LDNSMessage.parse(#require(try stream.message()))
            #expect(message.rcode == 5)
            let text = try #require(message.edns?.options.first { $0.code == 15 }).data.dropFirst(2)
            #expect(String(decoding: text, as: UTF8.self).contains("over 100 records"))
            // The connection stays open.
            try stream.send(LDNSMessage.query(id: 9, name: "ns1.example.net", type: 1))
            #expect(try LDNSMessage.parse(#require(try stream.message())).answers.count == 1)
        }
    }

    @Test("A client that does not read delays no other, and its transfer continues once it reads")
    func slowReader() async throws {
        try await ServedDirectory.serve("127.82.20.6", configure: { $0.transfers.rules = loopback }) {
            served async throws in
            try served.replacePortsets(
                ServedDirectory.portsets + "region r10000-r99999\nmap s1-s9 r* b a\nmap s2-s3 r10000-r50000 a\n")
            _ = try await served.wait(.seconds(20)) { await served.server.status.generation == 2 }
            let slow = try StreamClient("127.82.20.6", port: served.client.port, seconds: 20)
            try slow.send(transferQuery(252))
            try await Task.sleep(for: .milliseconds(300))
            let quick = try StreamClient("127.82.20.6", port: served.client.port)
            let start = ContinuousClock.now
            for _ in 0..<100 {
                try quick.send(LDNSMessage.query(id: 9, name: "ns1.example.net", type: 1))
                _ = try quick.message()
            }
            #expect(ContinuousClock.now - start < .seconds(2))
            #expect(await served.server.counters["transfers_axfr"] == 0, "the transfer still waits for its client")
            var authorities = 0
            while authorities < 2, let bytes = try slow.message() {
                authorities += try LDNSMessage.parse(bytes).answers.count { $0.type == 6 }
            }
            #expect(authorities == 2)
        }
    }

    @Test(
        "Files with errors at the start: the last good generation is served, and differences from it are sent later"
    )
    func restored() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let state = folder.path
        let serial = Mutex<UInt32>(0)
        try await ServedDirectory.serve("127.82.20.10", state: state) { served async throws in
            serial.withLock { $0 = (try? served.serial()) ?? 0 }
            _ = try await served.wait { (try? FileManager.default.contentsOfDirectory(atPath: state).count) == 2 }
        }
        let wrong = try TemporaryFolder()
        defer { wrong.remove() }
        let path = wrong.path
        try "rubbish\n".write(toFile: path + "/example.net.zone", atomically: false, encoding: .utf8)
        try await ServedDirectory.serve(
            "127.82.20.10", state: state,
            configure: {
                $0.zones = path
                $0.transfers.rules = loopback
            }
        ) { served async throws in
            #expect(try served.serial() == serial.withLock { $0 })
            #expect(try served.address("n1.r1283.s4096.example.net") == [127, 0, 2, 1])
            #expect(await served.server.status.problems.isEmpty == false)
            try ServedDirectory.zone.replacing("127.0.2.1", with: "127.0.2.9")
                .write(toFile: path + "/example.net.zone", atomically: false, encoding: .utf8)
            try ServedDirectory.portsets
                .write(toFile: path + "/example.net.portsets", atomically: false, encoding: .utf8)
            _ = try await served.wait { try served.serial() != serial.withLock { $0 } }
            let stream = try StreamClient("127.82.20.10", port: served.client.port)
            let change = try transferred(stream, transferQuery(251, have: serial.withLock { $0 }))
            #expect(change.count > 6 && change[1].type == 6, "a difference, not the whole zone")
        }
    }
}
