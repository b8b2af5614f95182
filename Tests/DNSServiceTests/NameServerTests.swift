import DNSService
import DNSTestClient
import Foundation
import LDNSKit
import ReflectorModel
import TestSupport
import Testing

// One at a time: tests block in sockets, and some measure how fast an edit appears in answers.
@Suite("A running name server", .serialized)
struct NameServerTests {
    @Test("UDP and TCP give the same answers; many queries may be pipelined")
    func transports() async throws {
        try await ServedDirectory.serve("127.44.1.1") { served async throws in
            let name = "n1.r1283.s4096.example.net"
            let overUDP = try served.client.ask(name)
            #expect(overUDP.isAuthoritative && overUDP.answers.first?.addressBytes == [127, 0, 2, 1])
            let queries = try (0..<200).map { try LDNSMessage.query(id: UInt16($0), name: name, type: 1) }
            let replies = try served.client.askStream(queries)
            #expect(replies.map(\.id) == (0..<200).map { UInt16($0) })
            #expect(replies.allSatisfy { $0.answers == overUDP.answers })
            let counters = await served.server.counters
            #expect(counters["tcp_answered"] == 200 && counters["udp_answered"] == 1)
        }
    }

    @Test("Several workers share a port")
    func workers() async throws {
        try await ServedDirectory.serve("127.44.1.2", workers: 3) { served async throws in
            for _ in 0..<40 { #expect(try served.client.ask("ns1.example.net").answers.count == 1) }
            #expect(await served.server.counters["udp_answered"] == 40)
        }
    }

    @Test("On a wildcard address the reply comes from the queried address")
    func wildcardAddress() async throws {
        try await ServedDirectory.serve("0.0.0.0") { served async throws in
            let client = DNSTestClient("127.44.1.3", port: served.client.port)
            // A connected socket receives from this address only.
            #expect(try client.ask("ns1.example.net").answers.count == 1)
        }
    }

    @Test("An edit is answered within a second of the write, with a higher serial")
    func reload() async throws {
        try await ServedDirectory.serve("127.44.1.4") { served async throws in
            let limit = Duration.seconds(1)
            let took = try await StallDetector.measure("an edit", limit: limit) { number in
                // Each measurement undoes the edit of the one before.
                let (parents, address) = number % 2 == 0 ? ("b a", UInt8(2)) : ("a b", 1)
                let before = try served.serial()
                try served.replacePortsets(ServedDirectory.portsets + "map s4096 r1283 \(parents) ttl=5\n")
                let took = try await served.wait {
                    try served.address("n1.r1283.s4096.example.net") == [127, 0, 2, address]
                }
                if took != nil { #expect(ZoneSerial.isAfter(try served.serial(), before)) }
                return took
            }
            #expect(try #require(took) < limit)
        }
    }

    @Test("An edit of comments does not raise the serial")
    func unchangedContent() async throws {
        try await ServedDirectory.serve("127.44.1.5") { served async throws in
            let before = try served.serial()
            for comments in 1...5 {
                let text = String(repeating: "# a comment\n", count: comments) + ServedDirectory.portsets
                try served.replacePortsets(text)
                _ = try await served.wait { await served.server.status.generation == 1 + comments }
                #expect(await served.server.status.generation == 1 + comments)
                let why = try served.client.ask("n1.r1283.s1.explain.example.net", 16).answers.first?.strings
                #expect(
                    why?.first == "rule=example.net.portsets:\(4 + comments)",
                    "explain must name the new line as soon as the generation is taken")
                #expect(try served.serial() == before)
            }
        }
    }

    @Test("A generation with errors is refused as a whole: the old zone is still served, and _status says why")
    func refusal() async throws {
        try await ServedDirectory.serve("127.44.1.6") { served async throws in
            let before = try served.serial()
            try served.replacePortsets(
                "map s4096 r1283 b a\n" + ServedDirectory.portsets + "map s1 r1283 nowhere\nmap x\n")
            _ = try await served.wait { await served.server.status.refusals == 1 }
            #expect(try served.address("n1.r1283.s4096.example.net") == [127, 0, 2, 1])
            #expect(try served.serial() == before)
            let status = try served.client.ask("_status.example.net", 16).answers.first?.strings ?? []
            #expect(status.contains("state=refused"))
            #expect(status.contains { $0.hasPrefix("example.net.portsets:6:") })
            #expect(status.contains { $0.hasPrefix("example.net.portsets:7:") })
            try served.replacePortsets(ServedDirectory.portsets)
            _ = try await served.wait { await served.server.status.problems.isEmpty }
            let mended = try served.client.ask("_status.example.net", 16).answers.first?.strings ?? []
            #expect(mended.contains("state=serving"))
        }
    }

    @Test("The serial is kept across a restart, and a change raises it")
    func keptSerial() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let state = folder.path
        let future = UInt32(truncatingIfNeeded: Int64(Date().timeIntervalSince1970)) + 100_000
        try "\(future) 0\n".write(toFile: state + "/example.net.serial", atomically: true, encoding: .utf8)
        try await ServedDirectory.serve("127.44.1.7", state: state) { served async throws in
            #expect(try served.serial() == future + 1)
        }
        try await ServedDirectory.serve("127.44.1.7", state: state) { served async throws in
            #expect(try served.serial() == future + 1)
        }
    }

    @Test("explain and _status are refused to other clients")
    func privileges() async throws {
        let others = [try #require(CIDRBlock("192.0.2.0/24"))]
        try await ServedDirectory.serve("127.44.1.8", explainFrom: others) { served async throws in
            #expect(try served.client.ask("_status.example.net", 16).rcode == 5)
            #expect(try served.client.ask("n1.r1283.s1.explain.example.net", 16).rcode == 5)
            #expect(await served.server.counters["udp_explain_refused"] == 2)
        }
    }

    @Test("If the files have errors at the start, the server ends with an error that lists every problem")
    func wrongAtStart() async throws {
        let wrong = try TemporaryFolder()
        defer { wrong.remove() }
        let path = wrong.path
        try "rubbish\n".write(toFile: path + "/example.net.zone", atomically: false, encoding: .utf8)
        let listen = try #require(Endpoint("127.44.1.9:0"))
        let server = NameServer(configuration: .init(zones: path, listen: [listen]))
        await #expect(throws: NameServer.StartError.self) { try await server.run() }
    }

    @Test("A missing address does not stop answers on the others (gdnsd#30); if all are missing, it is an error")
    func missingAddress() async throws {
        let missing = try #require(Endpoint("[2001:db8:44::53]:5397"))
        try await ServedDirectory.serve("127.44.1.11", configure: { $0.listen.append(missing) }) { served async in
            #expect((try? served.address("n1.r1283.s4096.example.net")) == [127, 0, 2, 1])
        }
        await #expect(throws: (any Error).self) {
            try await ServedDirectory.serve("127.44.1.11", configure: { $0.listen = [missing] }) { _ in }
        }
    }

    @Test("After 100,000 random and mutated datagrams the server still answers, memory is flat, rejects are counted")
    func hostileDatagrams() async throws {
        try await ServedDirectory.serve("127.44.1.10") { served async throws in
            var random = SeededGenerator(seed: 9)
            let good = try LDNSMessage.query(id: 1, name: "n1.r1283.s4096.example.net", type: 1)
            func datagram() -> [UInt8] {
                if random.next() % 4 == 0 {
                    return (0..<Int(random.next() % 600)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                }
                var bytes = good
                for _ in 0..<1 + random.next() % 5 {
                    bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
                }
                return bytes
            }
            try served.client.flood((0..<20_000).map { _ in datagram() })
            let before = residentKilobytes()
            for _ in 0..<5 { try served.client.flood((0..<20_000).map { _ in datagram() }) }
            let grown = residentKilobytes() - before
            #expect(grown < 16_384, "resident memory grew by \(grown) KiB (the test's own datagrams included)")
            #expect(try served.address("n1.r1283.s4096.example.net") == [127, 0, 2, 1])
            let counters = await served.server.counters
            let received = try #require(counters["udp_received"])
            #expect(received > 110_000)
            for reason in ["too_short", "is_response", "bad_operation", "bad_counts", "bad_question", "bad_tail"] {
                #expect(counters["udp_" + reason, default: 0] > 0, "\(reason)")
            }
        }
    }
}

private func residentKilobytes() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS") } ?? ""
    return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
}
