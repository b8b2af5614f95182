import CAllocations
import DNSAnswers
import ReflectorModel
import Testing

@Suite("Messages")
struct MessageTests {
    let exchange: Exchange
    init() throws { exchange = Exchange(try ExampleZone.engine()) }

    @Test("EDNS: our size, DO echoed, NSID and client subnet answered, other versions BADVERS")
    func edns() throws {
        let plain = try exchange.ask("example.net", 6, edns: 4_096)
        #expect(plain.opt?.recordClass == 1_232)
        let subnet: [UInt8] = [0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2]
        let reply = try exchange.ask("example.net", 6, edns: 1_232, options: [0, 3, 0, 0] + subnet)
        #expect(reply.opt?.data == [0, 3, 0, 6] + Array("test-1".utf8) + subnet)
        var wants = Exchange.query("example.net", 6, edns: 1_232)
        wants[wants.count - 4] = 0x80
        #expect(try Exchange.read(exchange.send(wants)).opt?.ttl == 0x8000)
        wants[wants.count - 5] = 1
        let newer = try Exchange.read(exchange.send(wants))
        #expect(newer.rcode == 0 && newer.opt.map { $0.ttl >> 24 } == 1 && newer.answers.isEmpty)
        #expect(try exchange.ask("example.net", 6).opt == nil)
    }

    @Test("CHAOS names the version and the server")
    func chaos() throws {
        #expect(try exchange.ask("version.bind", 16, recordClass: 3).answers.first?.strings == ["reflector test"])
        #expect(try exchange.ask("id.server", 16, recordClass: 3).answers.first?.strings == ["test-1"])
        #expect(try exchange.ask("HOSTNAME.bind", 16, recordClass: 3).answers.first?.strings == ["test-1"])
        #expect(try exchange.ask("id.bind", 16, recordClass: 3).rcode == 5)
        #expect(try exchange.ask("id.server", 1, recordClass: 3).rcode == 5)
        #expect(try !exchange.ask("id.server", 16, recordClass: 3).isAuthoritative)
    }

    @Test("RD comes back as it was, CD does not (RFC 4035 §3.1.6)")
    func flags() throws {
        var query = Exchange.query("nyc-1.example.net")
        (query[2], query[3]) = (0x01, 0x30)
        let reply = [UInt8](exchange.send(query))
        #expect(reply[2] == 0x85 && reply[3] == 0)
    }

    @Test("Additional records are left out before anything is truncated")
    func truncation() throws {
        var content = ExampleZone.content
        for number in 0..<12 {
            content.hosts.append(
                .init(name: "more-\(number)", addresses: [IPAddress(v4: 0x7f01_0000 + UInt32(number))]))
            content.setRegions[0].members.append(.init(host: content.hosts.count - 1, port: 4_900))
        }
        let image = try ZoneImage(content, serial: 1)
        let exchange = Exchange(AnswerEngine(zones: [image], identity: .init(server: "", version: ""), servedSince: 0))
        let name = "n1.r2000.s7.example.net"
        let small = try exchange.ask(name, 33)
        #expect(small.isTruncated && small.answers.isEmpty && small.bytes.count <= 512)
        let middle = try exchange.ask(name, 33, edns: 700)
        #expect(!middle.isTruncated && middle.answers.count == 14 && middle.additionals.map(\.type) == [41])
        #expect(try exchange.ask(name, 33, edns: 1_232).additionals.count == 16)
        #expect(try exchange.ask(name, 33, over: .tcp).additionals.count == 15)
        #expect(exchange.count(.truncated) == 1)
    }

    @Test("What is no query gets an error, or silence, and a count")
    func rejects() throws {
        let good = Exchange.query("example.net", 6)
        func altered(_ position: Int, _ value: UInt8) -> [UInt8] {
            var message = good
            message[position] = value
            return message
        }
        let cases: [([UInt8], Int?, AnswerCounter)] = [
            (Array(good.prefix(11)), nil, .tooShort),
            (altered(2, 0x80), nil, .isResponse),
            (altered(2, 0x28), 4, .badOperation),
            (altered(5, 2), 1, .badCounts),
            (altered(5, 0), 1, .badCounts),
            (altered(7, 1), 1, .badCounts),
            (altered(12, 0xc0), 1, .badQuestion),
            (altered(12, 0x41), 1, .badQuestion),
            (Array(good.dropLast()), 1, .badQuestion),
            (good + [0], 1, .badTail),
            (altered(11, 1), 1, .badTail),
            (Exchange.query("example.org"), 5, .outOfZone),
            (Exchange.query("net"), 5, .outOfZone),
            (Exchange.query("example.net", 252), 5, .transferRefused),
            (Exchange.query("example.net", 6, edns: 512, options: [0, 3, 0, 9]), 1, .badEDNS),
            (Exchange.query("example.net", 6, edns: 512, options: [0, 8, 0, 4, 0, 1, 33, 0]), 1, .badEDNS),
        ]
        for (message, rcode, counter) in cases {
            let before = exchange.count(counter)
            let reply = exchange.send(message)
            if let rcode { #expect(try Exchange.read(reply).rcode == rcode) } else { #expect(reply.isEmpty) }
            #expect(exchange.count(counter) == before + 1, "\(counter)")
        }
    }

    @Test("A million mutated queries: no trap, every reply well formed, nothing allocated, every query counted once")
    func mutations() throws {
        var random = SeededGenerator(seed: 20_041)
        let names = [
            "n1.r1283.s4096.example.net", "sets.s5.example.net", "news.live.streams.example.net", "first.example.net",
            "x.y.sub.example.net", "a.b.wild.example.net", "n1.r1283.s4096.explain.example.net", "_status.example.net",
        ]
        let seeds = names.flatMap { name in
            [UInt16(1), 33, 16].map { Exchange.query(name, $0, edns: 1_232, options: [0, 3, 0, 0]) }
        }
        let rounds = 1_000_000
        var unreadable = 0
        for round in 0..<rounds {
            var message = seeds[Int(random.next() % UInt64(seeds.count))]
            for _ in 0..<random.next() % 6 {
                let position = Int(random.next() % UInt64(message.count))
                message[position] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.next() % 8 == 0 { message.removeLast(Int(random.next() % UInt64(message.count))) }
            let reply = exchange.send(message)
            if round % 64 == 0, !reply.isEmpty, (try? Exchange.read(reply)) == nil { unreadable += 1 }
        }
        #expect(unreadable == 0)
        let outcomes: [AnswerCounter] = AnswerCounter.allCases.filter {
            ![.received, .truncated, .explained].contains($0)
        }
        #expect(exchange.count(.received) == UInt64(rounds))
        #expect(outcomes.reduce(0) { $0 + exchange.count($1) } == UInt64(rounds))
    }

    @Test("An answer allocates nothing")
    func allocations() throws {
        let names = ["n1.r1283.s4096", "sets.s5", "news.live.streams", "first", "x.sub", "nothing", "a.wild"]
        let queries = names.flatMap { name in
            [UInt16(1), 33, 16].map { Exchange.query(name + ".example.net", $0, edns: 1_232, options: [0, 3, 0, 0]) }
        }
        for query in queries { _ = exchange.send(query) }
        let before = allocations_of_this_thread()
        for query in queries { _ = exchange.send(query) }
        #expect(allocations_of_this_thread() - before == 0)
    }
}
