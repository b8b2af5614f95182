import DNSAnswers
import Testing

@Suite("Names of the zone file")
struct StoredNamesTests {
    let exchange: Exchange
    init() throws { exchange = Exchange(try ExampleZone.engine()) }

    @Test("The apex has SOA, with the generation's serial, and NS")
    func apex() throws {
        let soa = try exchange.ask("example.net", 6)
        #expect(soa.answers.first?.data.suffix(20).prefix(4) == [0, 0, 0, 77])
        #expect(try exchange.ask("example.net", 2).answers.count == 1)
        #expect(try exchange.ask("example.net", 15).authorities.map(\.type) == [6])
    }

    @Test("A wildcard matches names below its parent that do not exist (RFC 4592)")
    func wildcards() throws {
        #expect(try exchange.ask("x.wild.example.net").addresses == [[127, 0, 9, 9]])
        #expect(try exchange.ask("x.y.wild.example.net").answers.first?.owner == "x.y.wild.example.net")
        #expect(try exchange.ask("x.wild.example.net", 28).rcode == 0)
        #expect(try exchange.ask("taken.wild.example.net").answers.isEmpty)
        #expect(try exchange.ask("x.taken.wild.example.net").rcode == 3)
        #expect(try exchange.ask("*.wild.example.net").addresses == [[127, 0, 9, 9]])
    }

    @Test("A wildcard at the apex does not match synthesised names or names below them")
    func wildcardAtApex() throws {
        var content = ExampleZone.content
        content.records.append(
            .init(
                owner: ExampleZone.name("*.example.net"), type: 1, ttl: 60, data: [127, 9, 9, 9],
                source: .init(file: "z", line: 1)))
        let image = try ZoneImage(content, serial: 1)
        let exchange = Exchange(AnswerEngine(zones: [image], identity: .init(server: "", version: ""), servedSince: 0))
        #expect(try exchange.ask("n9.r1283.s4096.example.net").rcode == 3)
        #expect(try exchange.ask("r1283.s4096.example.net").answers.isEmpty)
        #expect(try exchange.ask("x.s4096.example.net").rcode == 3)
        #expect(try exchange.ask("x.streams.example.net").rcode == 3)
        #expect(try exchange.ask("n1.r1283.s10000.example.net").addresses == [[127, 9, 9, 9]])
        #expect(try exchange.ask("other.example.net").addresses == [[127, 9, 9, 9]])
        // These two names exist in the aliased form of a zone, where there are names below them.
        for name in ["maps", "parents"] {
            #expect(try exchange.ask("\(name).example.net").rcode == 0)
            #expect(try exchange.ask("\(name).example.net").answers.isEmpty)
            #expect(try exchange.ask("x.\(name).example.net").rcode == 3)
        }
    }

    @Test("An RRset that fits into no message is refused; none of its records is silently dropped")
    func tooLarge() {
        var content = ExampleZone.content
        for number in 0..<300 {
            content.records.append(
                .init(
                    owner: ExampleZone.name("big.example.net"), type: 16, ttl: 60,
                    data: [250] + Array(repeating: UInt8(number % 256), count: 249) + [UInt8(number / 256)],
                    source: .init(file: "z", line: 1)))
        }
        #expect(throws: ZoneImage.Invalid.tooLarge) { try ZoneImage(content, serial: 1) }
    }

    @Test("CNAMEs are followed within the zone, including to synthesised names")
    func aliases() throws {
        let reply = try exchange.ask("www.example.net")
        #expect(reply.answers.map(\.type) == [5, 1])
        #expect(reply.answers.map(\.owner) == ["www.example.net", "nyc-1.example.net"])
        let first = try exchange.ask("first.example.net")
        #expect(first.answers.map(\.owner) == ["first.example.net", "N1.R1283.S4096.example.net"])
        #expect(first.answers.last?.data == [127, 0, 0, 4])
        let services = try exchange.ask("first.example.net", 33)
        #expect(services.additionals.map(\.owner) == ["sjc-1.example.net"])
        #expect(try exchange.ask("away.example.net").answers.map(\.type) == [5])
        let gone = try exchange.ask("gone.example.net")
        #expect(gone.rcode == 3 && gone.answers.map(\.type) == [5] && gone.authorities.map(\.owner) == ["example.net"])
        #expect(try exchange.ask("www.example.net", 5).answers.map(\.type) == [5])
    }

    @Test("A loop of CNAMEs is followed once, without duplicate records")
    func rings() throws {
        #expect(try exchange.ask("ring.example.net").answers.map(\.owner) == ["ring.example.net"])
        let owners = try exchange.ask("left.example.net").answers.map(\.owner)
        #expect(owners == ["left.example.net", "right.example.net"])
    }

    @Test("A CNAME into a delegation is answered with AA set, the CNAME and the referral (RFC 1034 §4.3.2)")
    func aliasIntoDelegation() throws {
        let reply = try exchange.ask("inward.example.net")
        #expect(reply.isAuthoritative && reply.answers.map(\.type) == [5])
        #expect(reply.authorities.map(\.owner) == ["sub.example.net"])
        #expect(reply.additionals.map(\.owner) == ["ns.sub.example.net"])
    }

    @Test("Additional addresses of SRV records have the host's TTL, not the map line's")
    func additionalTTL() throws {
        let reply = try exchange.ask("n1.r1283.s1.example.net", 33)
        #expect(reply.answers.map(\.ttl) == [20, 20])
        #expect(reply.additionals.first { $0.owner == "nyc-1.example.net" }?.ttl == 60)
    }

    @Test("A delegation is a referral with glue, without the AA bit")
    func delegations() throws {
        for name in ["sub.example.net", "x.y.sub.example.net", "ns.sub.example.net"] {
            let reply = try exchange.ask(name)
            #expect(!reply.isAuthoritative && reply.answers.isEmpty)
            #expect(reply.authorities.map(\.owner) == ["sub.example.net"])
            #expect(reply.additionals.map(\.owner) == ["ns.sub.example.net"])
        }
        #expect(try exchange.ask("sub.example.net", 43).isAuthoritative)
    }

    @Test("ANY gets one RRset (RFC 8482)")
    func any() throws {
        #expect(try exchange.ask("example.net", 255).answers.map(\.type) == [6])
        #expect(try exchange.ask("n1.r1283.s4096.example.net", 255).answers.map(\.type) == [1])
    }

    @Test("The zone with the longest matching name answers")
    func zones() throws {
        let soa = ExampleZone.content.records[0]
        var inner = ZoneContent(zone: "deep.example.net")
        inner.records = [
            .init(owner: ExampleZone.name("deep.example.net"), type: 6, ttl: 60, data: soa.data, source: soa.source)
        ]
        let images = [try ZoneImage(ExampleZone.content, serial: 1), try ZoneImage(inner, serial: 2)]
        let exchange = Exchange(AnswerEngine(zones: images, identity: .init(server: "", version: ""), servedSince: 0))
        #expect(try exchange.ask("a.deep.example.net").authorities.map(\.owner) == ["deep.example.net"])
        // A DS query is answered from the parent zone (RFC 4035 §3.1.4.1).
        #expect(try exchange.ask("deep.example.net", 43).authorities.map(\.owner) == ["example.net"])
        #expect(try exchange.ask("nyc-1.example.net").addresses == [[127, 0, 0, 1]])
    }
}
