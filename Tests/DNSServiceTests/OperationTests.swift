import DNSAnswers
import DNSTestClient
import Foundation
import LDNSKit
import ReflectorModel
import TestSupport
import Testing

@testable import DNSService

@Suite("A name server in operation", .serialized)
struct OperationTests {
    private func value(
        _ samples: [MetricSample], _ name: String, _ labels: [String: String] = [:]
    ) -> Double? {
        samples.first { sample in
            sample.name + sample.suffix == name
                && labels.allSatisfy { label in sample.labels.contains { $0 == (label.key, label.value) } }
        }?.value
    }

    @Test("Metrics count queries by type, replies by code, and how long they took")
    func metrics() async throws {
        try await ServedDirectory.serve("127.81.1.1") { served async throws in
            for _ in 0..<3 { _ = try served.client.ask("n1.r1283.s1.example.net") }
            _ = try served.client.ask("nothing.example.net", 16)
            _ = try served.client.askStream([try LDNSMessage.query(id: 1, name: "example.net", type: 6)])
            let samples = await served.server.metrics
            let udp = ["transport": "udp"]
            #expect(value(samples, "reflector_dns_received_total", udp) == 4)
            #expect(value(samples, "reflector_dns_queries_total", ["transport": "udp", "type": "A"]) == 3)
            #expect(value(samples, "reflector_dns_queries_total", ["transport": "udp", "type": "AAAA"]) == 0)
            #expect(value(samples, "reflector_dns_queries_total", ["transport": "tcp", "type": "SOA"]) == 1)
            #expect(value(samples, "reflector_dns_responses_total", ["transport": "udp", "rcode": "NXDOMAIN"]) == 1)
            #expect(value(samples, "reflector_dns_outcomes_total", ["transport": "udp", "outcome": "answered"]) == 3)
            #expect(value(samples, "reflector_dns_latency_seconds_count", udp) == 4)
            #expect(value(samples, "reflector_dns_latency_seconds_bucket", ["le": "+Inf"]) == 4)
            #expect(try #require(value(samples, "reflector_dns_latency_seconds_sum", udp)) > 0)
            #expect(value(samples, "reflector_zone_serial", ["zone": "example.net"]) == Double(try served.serial()))
            #expect(value(samples, "reflector_zone_problems") == 0)
            #expect(value(samples, "reflector_dns_udp_socket_total", ["event": "datagrams_received"]) ?? 0 >= 4)
            try served.replacePortsets("map x\n")
            _ = try await served.wait { await served.server.status.refusals == 1 }
            let after = await served.server.metrics
            #expect(value(after, "reflector_zone_generations_refused_total") == 1)
            #expect(try #require(value(after, "reflector_zone_problems")) > 0)
        }
    }

    @Test("Every metric in the sample alert rules is reported")
    func alertRules() async throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("tools/alerts/nameserver.rules.yml")
        let text = try String(contentsOf: file, encoding: .utf8)
        let named = Set(text.matches(of: /\breflector_[a-z_]+/).map { String($0.output) })
        #expect(named.count > 8)
        try await ServedDirectory.serve("127.81.1.2") { served async throws in
            _ = try served.client.ask("ns1.example.net")
            let told = Set(await served.server.metrics.map { $0.name + $0.suffix })
            #expect(named.subtracting(told) == [])
        }
    }

    @Test("A histogram is cumulative and ends with +Inf")
    func histogram() {
        var latencies = DelayBuckets()
        latencies.note(.microseconds(8), count: 2)
        latencies.note(.microseconds(15), count: 3)
        latencies.note(.seconds(5), count: 1)
        var twice = latencies
        twice += latencies
        let samples = twice.samples(name: "x", labels: [], help: "X.", step: 2)
        #expect(samples.map(\.value).prefix(3) == [4, 10, 10])
        #expect(samples.first?.labels.first?.value == "8.192e-06")
        #expect(samples.dropLast(2).last?.labels.first?.value == "+Inf")
        #expect(samples.dropLast(2).last?.value == 12 && samples.last?.value == 12)
    }

    @Test("Two servers with the same secrets accept each other's cookies; a reload rolls the secrets")
    func sharedCookies() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = folder.path + "/cookies"
        @Sendable func write(_ secrets: String...) throws {
            try secrets.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        }
        let (old, new) = ("e5e973e5a6b2a43f48e7dc849e37bfcf", "dd3bdf9344b678b185a6f5cb60fca715")
        try write(old + "  # the first signs")
        let client: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
        @Sendable func cookie(_ served: ServedDirectory, _ mine: [UInt8]) throws -> [UInt8] {
            let query = try LDNSMessage.query(
                id: 7, name: "example.net", type: 6, options: [EDNSOption(code: EDNSOption.cookie, data: mine)])
            let reply = try LDNSMessage.parse(served.client.exchange(query, datagram: true))
            return reply.edns?.options.first { $0.code == EDNSOption.cookie }?.data ?? []
        }
        let path = file
        try await ServedDirectory.serve("127.81.1.3", cookieSecrets: path) { first async throws in
            let full = try cookie(first, client)
            #expect(full.count == 24 && full.starts(with: client))
            try await ServedDirectory.serve("127.81.1.3", cookieSecrets: path) { second async throws in
                #expect(try cookie(second, full) == full)
                #expect(await second.server.counters["udp_cookie_valid"] == 1)
            }
            try write(new, old)
            await first.server.reload()
            let rolled = try await first.wait { try cookie(first, full) != full }
            #expect(rolled != nil)
            #expect(await first.server.counters["udp_cookie_wrong"] == 0)
            let renewed = try cookie(first, full)
            try write(new)
            await first.server.reload()
            let retired = try await first.wait {
                _ = try cookie(first, full)
                return await first.server.counters["udp_cookie_wrong"] != 0
            }
            #expect(retired != nil)
            #expect(try cookie(first, renewed) == renewed)
        }
    }

    @Test(
        "A file of cookie secrets must be private and hold one to three secrets of 32 hexadecimal digits",
        arguments: [
            ("", "0 secrets"), ("e5e973e5a6b2a43f48e7dc849e37bfc\n", ":1:1: no cookie secret"),
            ("# c\n\ne5e973e5a6b2a43f48e7dc849e37bfcf x\n", ":3:1: no cookie secret"),
            (String(repeating: "e5e973e5a6b2a43f48e7dc849e37bfcf\n", count: 4), "4 secrets"),
        ])
    func wrongSecrets(text: String, problem: String) throws {
        let error = #expect(throws: CookieSecretFile.Failure.self) { try CookieSecretFile.parse(text, path: "f") }
        #expect(error?.description.contains(problem) == true, "\(String(describing: error))")
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = folder.path + "/cookies"
        try "e5e973e5a6b2a43f48e7dc849e37bfcf\n".write(toFile: file, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: file)
        let open = #expect(throws: CookieSecretFile.Failure.self) { try CookieSecretFile.read(file) }
        #expect(open?.description.contains("chmod 600") == true)
    }

    @Test("Over the limit every second reply is truncated, the others are dropped, and TCP still answers")
    func rateLimit() async throws {
        try await ServedDirectory.serve("127.81.1.4", rateLimit: .init(answersPerSecond: 20)) { served async throws in
            let query = try LDNSMessage.query(id: 1, name: "n1.r1283.s1.example.net", type: 1)
            let replies = try served.client.burst(Array(repeating: query, count: 120)).map { try LDNSMessage.parse($0) }
            #expect(replies.filter { !$0.isTruncated }.count >= 20)
            let truncated = replies.filter(\.isTruncated)
            #expect(truncated.count >= 10 && truncated.allSatisfy { $0.answers.isEmpty })
            let counters = await served.server.counters
            #expect(counters["udp_rate_dropped", default: 0] >= 10)
            #expect(try served.client.ask("n1.r1283.s1.example.net").answers.count == 1, "by TCP after TC")
        }
    }

    @Test("A sampled query is logged with its name, type and code, whatever its bytes")
    func sample() throws {
        func metadata(_ query: [UInt8], _ reply: [UInt8]) throws -> [String: String] {
            let source = try #require(Endpoint("192.0.2.1:5353"))
            return query.withUnsafeBytes { query in
                reply.withUnsafeBytes { QuerySample(query: query, reply: $0, source: source).metadata }
            }.mapValues(\.description)
        }
        let query = try LDNSMessage.query(id: 1, name: "N1.r1283.example.net", type: 28)
        let told = try metadata(query, [0, 1, 0x86, 3, 0, 1, 0, 0, 0, 0, 0, 0])
        #expect(
            told == [
                "source": "192.0.2.1:5353", "reply_bytes": "12", "name": "N1.r1283.example.net", "type": "AAAA",
                "rcode": "NXDOMAIN", "truncated": "true",
            ])
        #expect(try metadata([1, 2, 3], []) == ["source": "192.0.2.1:5353", "reply_bytes": "0", "rcode": "none"])
        let odd: [UInt8] = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 10, 46, 97, 0, 255, 254, 0, 3]
        let strange = try metadata(odd, [])
        #expect(strange["name"] == #"\010\046a"# && strange["type"] == "TYPE65534" && strange["class"] == "3")
        var random = SeededGenerator(seed: 5)
        for _ in 0..<20_000 {
            let bytes = (0..<Int(random.next() % 40)).map { _ in UInt8(truncatingIfNeeded: random.next() % 70) }
            _ = try metadata(bytes, Array(bytes.reversed()))
        }
    }
}
