import DNSTestClient
import LDNSKit
import ReflectorModel
import Testing

@testable import DNSService

@Suite("TCP connections and small parts")
struct ConnectionTests {
    @Test("Connections above the limit are closed at once, and counted")
    func connectionLimit() async throws {
        try await ServedDirectory.serve("127.44.2.1", connectionsMax: 0) { served async throws in
            let query = try LDNSMessage.query(id: 1, name: "ns1.example.net", type: 1)
            #expect(throws: (any Error).self) { try served.client.askStream([query]) }
            #expect(await served.server.counters["tcp_connections_refused"] == 1)
        }
    }

    @Test("A partial or malformed message does not affect other clients")
    func brokenStream() async throws {
        try await ServedDirectory.serve("127.44.2.2") { served async throws in
            #expect(try served.client.exchange([0, 200, 1, 2, 3], datagram: false).isEmpty)
            #expect(try served.client.exchange([0, 3, 1, 2, 3], datagram: false).isEmpty)
            #expect(try served.client.ask("ns1.example.net").answers.count == 1)
        }
    }

    @Test("Serials never go backwards (RFC 1982)")
    func serials() {
        #expect(ZoneSerial.next(after: nil, file: 1, unixTime: 1_000) == 1_000)
        #expect(ZoneSerial.next(after: nil, file: 2_026_112_101, unixTime: 1_795_000_000) == 2_026_112_101)
        #expect(ZoneSerial.next(after: 2_000, file: 1, unixTime: 1_000) == 2_001)
        #expect(ZoneSerial.next(after: 500, file: 700, unixTime: 600) == 700)
        #expect(ZoneSerial.next(after: .max, file: 0, unixTime: 0) == 0)
        #expect(ZoneSerial.isAfter(0, .max) && !ZoneSerial.isAfter(5, 5))
    }

    @Test("Address blocks")
    func blocks() throws {
        let four = try #require(CIDRBlock("10.1.0.0/16"))
        #expect(four.contains(try #require(.init("10.1.255.255"))))
        #expect(!four.contains(try #require(.init("10.2.0.0"))))
        let six = try #require(CIDRBlock("2001:db8::/32"))
        #expect(six.contains(try #require(.init("2001:db8:1::1"))))
        #expect(!six.contains(try #require(.init("10.1.0.0"))))
        #expect(try #require(CIDRBlock("0.0.0.0/0")).contains(try #require(.init("203.0.113.9"))))
        for text in ["10.1.0.1/16", "10.0.0.0/33", "x", "::/129", "10.0.0.0/", ""] {
            #expect(CIDRBlock(text) == nil)
        }
        #expect(four.description == "10.1.0.0/16")
    }
}
