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

    @Test("CHAOS queries return the version and the server")
    func chaos() throws {
        #expect(try exchange.ask("version.bind", 16, recordClass: 3).answers.first?.strings == ["reflector test"])
        #expect(try exchange.ask("id.server", 16, recordClass: 3).answers.first?.strings == ["test-1"])
        #expect(try exchange.ask("HOSTNAME.bind", 16, recordClass: 3).answers.first?.strings == ["test-1"])
        for (name, type) in [("id.bind", UInt16(16)), ("version.bind", 1), ("id.server", 1), ("nyc-1.example.net", 16)]
        {
            #expect(try exchange.ask(name, type, recordClass: 3).rcode == 5)
        }
        #expect(try exchange.ask("version.bind", 255, recordClass: 3).answers.count == 1)
        #expect(try !exchange.ask("id.server", 16, recordClass: 3).isAuthoritative)
    }

    @Test("Of the flags only RD is copied, and we set AA (RFC 1035 §4.1.1, RFC 4035 §3.1.6)")
    func flags() throws {
        for bit in 0..<11 where bit != 8 {
            var query = Exchange.query("nyc-1.example.net")
            query[2] |= UInt8((1 << bit) >> 8)
            query[3] |= UInt8(truncatingIfNeeded: 1 << bit)
            #expect(try Exchange.read(exchange.send(query)).flags == 0x8400, "bit \(bit)")
        }
        var query = Exchange.query("nyc-1.example.net")
        query[2] |= 1
        #expect(try Exchange.read(exchange.send(query)).flags == 0x8500)
    }

    @Test("Class ANY is answered from IN, with AA clear; other classes are refused")
    func classes() throws {
        let any = try exchange.ask("nyc-1.example.net", 1, recordClass: 255)
        #expect(any.rcode == 0 && !any.isAuthoritative && any.addresses == [[127, 0, 0, 1]])
        let missing = try exchange.ask("nothing.example.net", 1, recordClass: 255)
        #expect(missing.rcode == 3 && !missing.isAuthoritative)
        for other in [UInt16(0), 2, 3, 4, 254, 65_535] {
            #expect(try exchange.ask("nyc-1.example.net", 1, recordClass: other).rcode == 5, "class \(other)")
        }
    }

    @Test("Types without records, even invalid ones, are NODATA; AXFR over UDP is NOTIMP, IXFR is refused")
    func types() throws {
        for type in [UInt16(0), 3, 4, 10, 41, 128, 200, 249, 250, 253, 254, 256, 65_535] {
            for name in ["example.net", "n1.r1283.s4096.example.net", "x.wild.example.net"] {
                let reply = try exchange.ask(name, type)
                #expect(reply.rcode == 0 && reply.answers.isEmpty && reply.authorities.map(\.type) == [6])
            }
        }
        #expect(try exchange.ask("example.net", 252).rcode == 4)
        #expect(try exchange.ask("example.net", 252, over: .tcp).rcode == 5)
        #expect(try exchange.ask("example.net", 251).rcode == 5)
    }

    @Test("Every opcode except QUERY is NOTIMP and is echoed")
    func operations() throws {
        for operation in UInt8(1)...15 {
            var query = Exchange.query("example.net", 6)
            query[2] = operation << 3
            let reply = try Exchange.read(exchange.send(query))
            #expect(reply.rcode == 4 && reply.flags & 0x7800 == UInt16(operation) << 11)
        }
    }

    @Test("Errors carry a reason for clients with EDNS (RFC 8914)")
    func extendedErrors() throws {
        func code(
            _ name: String, _ type: UInt16 = 1, recordClass: UInt16 = 1, privileged: Bool = true
        ) throws -> UInt8? {
            let reply = try exchange.ask(name, type, recordClass: recordClass, edns: 1_232, privileged: privileged)
            guard let data = reply.opt?.data, data.starts(with: [0, 15]) else { return nil }
            #expect(Int(data[3]) == data.count - 4 && data[4] == 0 && data.count > 10)
            return data[5]
        }
        #expect(try code("example.org") == 20)
        #expect(try code("n1.r1283.s1.explain.example.net", 16, privileged: false) == 18)
        #expect(try code("_status.example.net", 16, privileged: false) == 18)
        #expect(try code("example.net", 252) == 18)
        #expect(try code("example.net", recordClass: 4) == 21)
        #expect(try code("id.bind", 16, recordClass: 3) == 20)
        #expect(try code("version.bind", 16, recordClass: 3) == nil)
        #expect(try code("nothing.example.net") == nil)
        #expect(try exchange.ask("example.org").additionals.isEmpty)
    }

    @Test("The largest OPT record still fits into the smallest reply")
    func largestError() throws {
        let label = String(repeating: "a", count: 63)
        let name = [label, label, label, String(repeating: "b", count: 61)].joined(separator: ".")
        exchange.cookies = ServerCookies([try #require(ServerCookies.Secret([UInt8](repeating: 7, count: 16)))])
        let subnet: [UInt8] = [0, 8, 0, 20, 0, 2, 128, 0] + [UInt8](repeating: 1, count: 16)
        let cookie: [UInt8] = [0, 10, 0, 40] + [UInt8](repeating: 9, count: 40)
        let reply = try exchange.ask(name, edns: 512, options: [0, 3, 0, 0] + subnet + cookie)
        #expect(reply.rcode == 5 && reply.bytes.count <= 512 && reply.opt?.data.count ?? 0 > 80)
    }

    @Test("Queries are counted by type, replies by code")
    func statistics() throws {
        _ = try exchange.ask("nyc-1.example.net", 1)
        _ = try exchange.ask("nyc-1.example.net", 28)
        _ = try exchange.ask("nyc-1.example.net", 28)
        _ = try exchange.ask("nothing.example.net", 40_000)
        #expect(exchange.statistics.types.map(\.type) == [1, 28, nil])
        #expect(exchange.statistics.types.map(\.count) == [1, 2, 1])
        #expect(exchange.statistics.codes.map(\.code) == [0, 3] && exchange.statistics.codes.map(\.count) == [3, 1])
        var twice = exchange.statistics
        twice += exchange.statistics
        #expect(twice[.received] == 8)
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

    @Test("A message that is not a query gets an error or no reply, and is counted")
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
            (Exchange.query("example.net", 252), 4, .transferRefused),
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
