import DNSTestClient
import Foundation
import LDNSKit
import ReflectorModel
import Testing

@testable import DNSService

@Suite("TCP clients that use too many resources", .serialized)
struct TCPLimitTests {
    private func query(_ id: UInt16 = 9) throws -> [UInt8] {
        try LDNSMessage.query(id: id, name: "ns1.example.net", type: 1)
    }

    @Test("A message sent byte by byte has a time limit, whatever else the client sends")
    func trickle() async throws {
        try await ServedDirectory.serve("127.82.21.1", configure: { $0.tcp.messageMax = .milliseconds(400) }) {
            served async throws in
            let client = try StreamClient("127.82.21.1", port: served.client.port)
            let start = ContinuousClock.now
            try client.send(raw: [0, 40])
            var isOpen = true
            for byte in try query() where isOpen {
                try await Task.sleep(for: .milliseconds(50))
                isOpen = (try? client.send(raw: [byte])) != nil
            }
            #expect((try? client.message()) ?? nil == nil)
            #expect(ContinuousClock.now - start < .seconds(3))
            #expect(await served.server.counters["tcp_connections_idled"] == 1)
            #expect(try served.client.ask("ns1.example.net").answers.count == 1)
        }
    }

    @Test("A connection without queries is closed in time; one with occasional queries is not")
    func idle() async throws {
        try await ServedDirectory.serve("127.82.21.2", configure: { $0.tcp.idleMax = .seconds(1) }) {
            served async throws in
            let silent = try StreamClient("127.82.21.2", port: served.client.port)
            let talking = try StreamClient("127.82.21.2", port: served.client.port)
            // The pauses add up to more than a connection may be idle, but each of them is much shorter, in case this
            // process is delayed.
            for _ in 0..<12 {
                try await Task.sleep(for: .milliseconds(100))
                try talking.send(query())
                #expect(try talking.message() != nil)
            }
            #expect(try silent.message() == nil)
            #expect(await served.server.counters["tcp_connections_open"] == 1)
        }
    }

    @Test("When all connections are in use, the one that has been idle longest is closed")
    func eviction() async throws {
        try await ServedDirectory.serve("127.82.21.3", configure: { $0.tcp.connectionsMax = 4 }) {
            served async throws in
            var clients: [StreamClient] = []
            for _ in 0..<4 {
                let client = try StreamClient("127.82.21.3", port: served.client.port)
                try client.send(query())
                _ = try client.message()
                clients.append(client)
            }
            // The first sends a query: now the second has been idle longest.
            try clients[0].send(query())
            _ = try clients[0].message()
            let late = try StreamClient("127.82.21.3", port: served.client.port)
            try late.send(query())
            #expect(try late.message() != nil)
            #expect(try clients[1].message() == nil)
            for number in [0, 2, 3] {
                try clients[number].send(query())
                #expect(try clients[number].message() != nil)
            }
            #expect(await served.server.counters["tcp_connections_evicted"] == 1)
        }
    }

    @Test("Connections per address are limited; other addresses can still connect")
    func perClient() async throws {
        try await ServedDirectory.serve("127.82.21.4", configure: { $0.tcp.perClientMax = 3 }) { served async throws in
            var clients: [StreamClient] = []
            for _ in 0..<3 {
                clients.append(try StreamClient("127.82.21.4", port: served.client.port, from: "127.82.21.5"))
            }
            let fourth = try StreamClient("127.82.21.4", port: served.client.port, from: "127.82.21.5")
            #expect(try fourth.message() == nil)
            let other = try StreamClient("127.82.21.4", port: served.client.port, from: "127.82.21.6")
            try other.send(query())
            #expect(try other.message() != nil)
            for client in clients {
                try client.send(query())
                #expect(try client.message() != nil)
            }
        }
    }

    @Test("A client that never reads its answers is disconnected, and the server still answers others")
    func neverReads() async throws {
        try await ServedDirectory.serve("127.82.21.7", configure: { $0.tcp.stallMax = .milliseconds(500) }) {
            served async throws in
            let client = try StreamClient("127.82.21.7", port: served.client.port, seconds: 1)
            let one = try query()
            let many = (0..<500).flatMap { _ in [UInt8(one.count >> 8), UInt8(one.count & 255)] + one }
            for _ in 0..<4_000 where (try? client.send(raw: many)) == nil { break }
            let took = try await served.wait { await served.server.counters["tcp_connections_stalled"] == 1 }
            #expect(took != nil)
            #expect(try served.client.ask("ns1.example.net").answers.count == 1)
        }
    }

    @Test("A thousand silent connections do not affect answers over UDP or TCP")
    func crowd() async throws {
        try await ServedDirectory.serve(
            "127.82.21.8",
            configure: {
                $0.tcp.connectionsMax = 300
                $0.tcp.perClientMax = 10_000
            }
        ) { served async throws in
            var clients: [StreamClient] = []
            for number in 0..<1_000 {
                let client = try StreamClient("127.82.21.8", port: served.client.port)
                // Half of them send the beginning of a message.
                if number % 2 == 0 { try? client.send(raw: [0, 60, 1]) }
                clients.append(client)
            }
            for _ in 0..<50 {
                #expect(try served.client.ask("ns1.example.net").answers.count == 1)
                let client = try StreamClient("127.82.21.8", port: served.client.port)
                try client.send(query())
                #expect(try client.message() != nil)
            }
            let counters = await served.server.counters
            #expect(try #require(counters["tcp_connections_open"]) <= 300)
            #expect(try #require(counters["tcp_connections_evicted"]) >= 700)
            _ = clients
        }
    }
}
