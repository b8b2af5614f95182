import ReflectorModel
import Testing

@testable import DNSAnswers

@Suite("Response rate limiting")
struct ResponseLimiterTests {
    private static let source = IPAddress(v4: 0xc000_0201)
    private static let second: Int64 = 1_000_000_000

    private func exchange(_ rate: Int = 10, slip: Int = 2) throws -> Exchange {
        Exchange(try ExampleZone.engine(), limiter: .init(answersPerSecond: rate, slip: slip))
    }

    /// Sends a question `times` times. Returns the numbers of whole, truncated and missing replies.
    private func ask(
        _ exchange: Exchange, _ name: String, type: UInt16 = 1, times: Int, from source: IPAddress = source,
        over transport: Responder.Transport = .udp, exempt: Bool = false, options: [UInt8] = []
    ) throws -> [Int] {
        let query = Exchange.query(name + ".example.net", type, edns: 1_232, options: options)
        var result = [0, 0, 0]
        for _ in 0..<times {
            let reply = exchange.send(query, from: source, over: transport, exempt: exempt)
            if reply.isEmpty {
                result[2] += 1
            } else {
                let read = try Exchange.read(reply)
                result[read.isTruncated ? 1 : 0] += 1
                if read.isTruncated { #expect(read.answers.isEmpty && read.authorities.isEmpty && read.rcode == 0) }
            }
        }
        return result
    }

    @Test("One second's answers are sent, then half of the rest truncated, half dropped; the budget refills over time")
    func rate() throws {
        let exchange = try exchange()
        #expect(try ask(exchange, "n1.r1283.s4096", times: 30) == [10, 10, 10])
        exchange.instant = MonotonicInstant(nanoseconds: Self.second / 2)
        #expect(try ask(exchange, "n1.r1283.s4096", times: 9) == [5, 2, 2])
        exchange.instant = MonotonicInstant(nanoseconds: 10 * Self.second)
        #expect(try ask(exchange, "n1.r1283.s4096", times: 11)[0] == 10, "never more than a second's worth at once")
        #expect(exchange.count(.rateDropped) + exchange.count(.rateTruncated) == 25)
        #expect(exchange.count(.answered) == 50)
    }

    @Test("Over the limit, slip 0 drops all replies, slip 1 truncates all", arguments: [0, 1])
    func slip(slip: Int) throws {
        #expect(try ask(try exchange(slip: slip), "nyc-1", times: 30) == [10, slip * 20, (1 - slip) * 20])
    }

    @Test("A network is a /24 or /56; names of one set region share a bucket, and so do nonexistent names")
    func kinds() throws {
        let exchange = try exchange(slip: 0)
        #expect(try ask(exchange, "n1.r1283.s4096", times: 10)[0] == 10)
        #expect(try ask(exchange, "n1.r1283.s4096", times: 10, from: IPAddress(v4: 0xc000_02ff))[0] == 0)
        #expect(try ask(exchange, "n1.r1283.s4096", times: 10, from: IPAddress(v4: 0xc000_0301))[0] == 10)
        #expect(try ask(exchange, "n3.r2000.s7", times: 10)[0] == 0, "sjc again, by another name")
        #expect(try ask(exchange, "n1.r2000.s7", times: 10)[0] == 10)
        #expect(try ask(exchange, "nothing", times: 6)[0] == 6)
        #expect(try ask(exchange, "nowhere", times: 6)[0] == 4)
        let v6 = try #require(IPAddress("2001:db8:0:ab01::1"))
        #expect(try ask(exchange, "nyc-1", times: 10, from: v6)[0] == 10)
        #expect(try ask(exchange, "nyc-1", times: 10, from: try #require(IPAddress("2001:db8:0:abff::2")))[0] == 0)
        #expect(try ask(exchange, "nyc-1", times: 10, from: try #require(IPAddress("2001:db8:0:ac00::2")))[0] == 10)
    }

    @Test("Errors are dropped, never truncated")
    func errors() throws {
        let exchange = try exchange(slip: 1)
        let query = Exchange.query("elsewhere.org")
        var sent = 0
        for _ in 0..<30 where !exchange.send(query, from: Self.source).isEmpty { sent += 1 }
        #expect(sent == 10)
        #expect(exchange.count(.rateDropped) == 20 && exchange.count(.rateTruncated) == 0)
    }

    @Test("TCP, exempt sources and clients with a valid server cookie are not limited")
    func bypass() throws {
        let exchange = try exchange()
        #expect(try ask(exchange, "nyc-1", times: 50, over: .tcp)[0] == 50)
        #expect(try ask(exchange, "nyc-1", times: 50, exempt: true)[0] == 50)
        exchange.cookies = ServerCookies([try #require(ServerCookies.Secret([UInt8](repeating: 7, count: 16)))])
        let client: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
        let first = try Exchange.read(
            exchange.send(
                Exchange.query("example.net", 6, edns: 1_232, options: [0, 10, 0, 8] + client), from: Self.source))
        let option = try #require(first.opt).data
        #expect(try ask(exchange, "nyc-1", times: 50, options: option)[0] == 50)
        #expect(try ask(exchange, "nyc-1", times: 50, options: [0, 10, 0, 8] + client)[0] == 10)
    }

    @Test(
        "A full table evicts the least used bucket: a network far over its limit stays limited among a million others"
    )
    func bounded() {
        var limiter = ResponseLimiter(.init(answersPerSecond: 10, slip: 0, buckets: 1_024), seed: 1)
        let heavy = IPAddress(v4: 0x0a00_0001)
        func isSent(_ source: IPAddress) -> Bool {
            limiter.take(source, kind: 1, at: MonotonicInstant(nanoseconds: 0)) == .send
        }
        for _ in 0..<10 { #expect(isSent(heavy)) }
        for number in 0..<1_000_000 { _ = isSent(IPAddress(v4: 0x0b00_0000 &+ UInt32(number) << 8)) }
        #expect(!isSent(heavy))
        #expect(limiter.evictions > 900_000)
    }

    @Test("Without a limiter all replies are sent")
    func off() throws {
        #expect(try ask(Exchange(try ExampleZone.engine()), "nyc-1", times: 500)[0] == 500)
    }
}
