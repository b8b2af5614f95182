import ReflectorModel
import Testing

@testable import StreamHandover

@Suite("Requests in force")
struct RequestTableTests {
    private let news = StreamName("live/news")!
    private let place = Endpoint("239.1.0.1:5000")!
    private let start = MonotonicInstant.zero

    private func requester(_ server: UInt32 = 1, _ id: String = "") -> Requester {
        Requester(server: IPAddress(v4: server), id: id)!
    }

    private func table(_ requests: Int = 8, perServer: Int = 8) -> RequestTable {
        RequestTable(requestsMax: requests, requestsPerServerMax: perServer)
    }

    @Test("A repeated request is one request, and the destination ends with its last one")
    func idempotent() throws {
        var table = table()
        let end = start + .seconds(60)
        #expect(try table.ask(news, at: place, by: requester(1, "a"), until: end) == .begun)
        #expect(try table.ask(news, at: place, by: requester(1, "a"), until: end) == .renewed)
        #expect(try table.ask(news, at: place, by: requester(2, "a"), until: end) == .joined)
        #expect(table.requestCount == 2)
        #expect(table.requests(for: place).servers == [IPAddress(v4: 1), IPAddress(v4: 2)])
        #expect(table.withdraw(news, at: nil, by: requester(1, "a")) == (1, []))
        #expect(table.withdraw(news, at: nil, by: requester(1, "a")) == (0, []))
        #expect(table.withdraw(news, at: place, by: requester(2, "a")) == (1, [place]))
        #expect(table.count == 0 && table.requestCount == 0)
    }

    @Test("A request expires unless it is renewed, and a server's heartbeat renews those of its viewers")
    func expiry() throws {
        var table = table()
        _ = try table.ask(news, at: place, by: requester(1, "srs:7"), until: start + .seconds(60))
        _ = try table.ask(news, at: place, by: requester(1, "nginx:7"), until: start + .seconds(60))
        #expect(table.renewAll(of: IPAddress(v4: 1), prefix: "srs:", until: start + .seconds(90)) == 1)
        #expect(table.renewAll(of: IPAddress(v4: 2), prefix: "srs:", until: start + .seconds(90)) == 0)
        #expect(table.expire(at: start + .seconds(59)) == (0, []))
        #expect(table.expire(at: start + .seconds(60)) == (1, []))
        #expect(table.expire(at: start + .seconds(90)) == (1, [place]))
    }

    @Test("The table is bounded, in total and for each server; what is in it can still be renewed")
    func bounds() throws {
        var table = table(4, perServer: 3)
        let end = start + .seconds(60)
        for id in ["a", "b", "c"] { _ = try table.ask(news, at: place, by: requester(1, id), until: end) }
        #expect(throws: HandoverRefusal.tooManyRequests) {
            try table.ask(news, at: place, by: requester(1, "d"), until: end)
        }
        _ = try table.ask(news, at: place, by: requester(2), until: end)
        #expect(throws: HandoverRefusal.tooManyRequests) {
            try table.ask(news, at: place, by: requester(3), until: end)
        }
        #expect(try table.ask(news, at: place, by: requester(1, "a"), until: end) == .renewed)
        table.end(place)
        #expect(table.requestCount == 0)
        #expect(try table.ask(news, at: place, by: requester(3), until: end) == .begun)
    }

    @Test("A viewer that leaves its server ends all its requests")
    func leaves() throws {
        var table = table()
        let (other, second) = (StreamName("live/other")!, Endpoint("239.1.0.2:5000")!)
        _ = try table.ask(news, at: place, by: requester(1, "a"), until: start + .seconds(60))
        _ = try table.ask(other, at: second, by: requester(1, "a"), until: start + .seconds(60))
        #expect(table.destinations(of: other) == [second])
        #expect(table.withdrawAll(of: requester(1, "a")) == (2, [place, second]))
    }

    @Test("Ids of viewers are short printable text")
    func ids() {
        let server = IPAddress(v4: 1)
        #expect(Requester(server: server, id: String(repeating: "a", count: 129)) == nil)
        for id in ["a b", "a\r\nb", "ä", "\u{0}"] { #expect(Requester(server: server, id: id) == nil) }
    }
}
