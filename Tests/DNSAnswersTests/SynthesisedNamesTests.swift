import DNSAnswers
import Testing

@Suite("Synthesised names")
struct SynthesisedNamesTests {
    let exchange: Exchange
    init() throws { exchange = Exchange(try ExampleZone.engine()) }

    @Test("The winning line determines the set region and the TTL")
    func parents() throws {
        let reply = try exchange.ask("n1.r1283.s4096.example.net")
        #expect(reply.isAuthoritative && reply.rcode == 0)
        #expect(reply.addresses == [[127, 0, 0, 4]])
        #expect(reply.answers.map(\.ttl) == [5])
        #expect(try exchange.ask("n1.r2000.s4096.example.net").addresses == [[127, 0, 0, 1], [127, 0, 0, 2]])
        #expect(try exchange.ask("n2.r1283.example.net").addresses == [[127, 0, 0, 3]])
    }

    @Test("SRV has the weight from the capacity, and the port; the addresses of its hosts are additional records")
    func services() throws {
        let reply = try exchange.ask("n1.r2000.s7.example.net", 33)
        #expect(
            reply.answers.map(\.data) == [
                [0, 0, 0, 100, 0x13, 0x24] + ExampleZone.name("nyc-1.example.net"),
                [0, 0, 0, 100, 0x13, 0x25] + ExampleZone.name("nyc-2.example.net"),
            ])
        #expect(reply.additionals.map(\.owner) == ["nyc-1.example.net", "nyc-2.example.net", "nyc-2.example.net"])
        #expect(reply.additionals.map(\.type) == [1, 1, 28])
        // The TTL of an address record; nyc-2 has no address record, so its addresses have the TTL of the line.
        #expect(reply.additionals.map(\.ttl) == [60, 20, 20])
        #expect(try exchange.ask("n2.r2000.s7.example.net", 33).answers[0].data[2...3] == [0, 1])
        #expect(try exchange.ask("n3.r2000.s7.example.net", 33).answers[0].data[2...3] == [255, 255])
    }

    @Test("TXT names set region, serial and cause")
    func text() throws {
        let reply = try exchange.ask("n1.r1283.s4096.example.net", 16)
        #expect(reply.answers.first?.strings == ["set=sjc", "serial=77", "cause=zone"])
    }

    @Test("Case is ignored and echoed unchanged")
    func mixedCase() throws {
        let reply = try exchange.ask("N1.r1283.S4096.eXaMpLe.NeT")
        #expect(reply.addresses == [[127, 0, 0, 4]])
        #expect(reply.question == ExampleZone.name("N1.r1283.S4096.eXaMpLe.NeT") + [0, 1, 0, 1])
    }

    @Test(
        "A name that no line covers is NXDOMAIN",
        arguments: [
            "n3.r1283.s4096", "n4.r1283.s1", "n9.r1283.s4096", "n0.r1283.s1", "n01.r1283.s1", "n1.r01283.s4096",
            "n1.r1284.s1", "n1.r1283.s04096", "n1.r1283.s65536", "n1.r1283.s10000", "s10000", "r1.s1", "n1.r1284",
            "x.n1.r1283.s1", "n1.x.r1283.s1", "sets.s10000", "x.sets.s1", "n1.r9001.s0",
            "n2.r9001.s5", "n1.r9002.s5", "n4.r2000.s50", "n1.r9001.s98", "sets.s20000", "n1.r4294967296.s1",
            "nobody.sets", "s", "r", "n1", "x.maps", "x.r1283",
        ])
    func nameErrors(name: String) throws {
        let reply = try exchange.ask(name + ".example.net")
        #expect(reply.rcode == 3 && reply.answers.isEmpty)
        #expect(reply.authorities.map(\.owner) == ["example.net"])
        #expect(reply.authorities.map(\.ttl) == [5])
    }

    @Test(
        "A name above an existing one is NODATA, never NXDOMAIN (RFC 8020)",
        arguments: [
            "r1283.s4096", "s4096", "r1283", "sets", "streams", "deep", "r9001.s5", "s5", "wild", "r2000.s50", "s20000",
        ])
    func emptyNonTerminals(name: String) throws {
        for type in [UInt16(1), 16, 33, 255] {
            let reply = try exchange.ask(name + ".example.net", type)
            #expect(reply.rcode == 0 && reply.answers.isEmpty && reply.authorities.map(\.type) == [6])
        }
    }

    @Test("For parents that a line removes, SRV has the target `.` and is not NODATA (RFC 2782)")
    func takenAway() throws {
        for name in ["n1.r2000.s50", "n2.r2004.s50", "n3.r2000.s50", "n1.r2000.s20000"] {
            let reply = try exchange.ask(name + ".example.net", 33)
            #expect(reply.rcode == 0 && reply.answers.map(\.data) == [[0, 0, 0, 0, 0, 0, 0]], "\(name)")
            #expect(reply.answers.map(\.ttl) == [name.hasSuffix("s50") ? 20 : 7] && reply.additionals.isEmpty)
            let text = try exchange.ask(name + ".example.net", 16).answers.first?.strings
            #expect(text == ["set=none", "cause=zone"])
            for type in [UInt16(1), 28] {
                let empty = try exchange.ask(name + ".example.net", type)
                #expect(empty.rcode == 0 && empty.answers.isEmpty && empty.authorities.map(\.type) == [6])
            }
        }
        let strings = try exchange.ask("n1.r2000.s50.explain.example.net", 16).answers.first?.strings
        #expect(strings?.prefix(2) == ["rule=example.net.portsets:8", "set=none"])
        #expect(try exchange.ask("n1.r2005.s50.example.net").addresses.count == 2, "the line applies to r2000-r2004")
    }

    @Test("A set region with parents answers like an edge region")
    func setRegions() throws {
        #expect(try exchange.ask("n1.r9001.s5.example.net").addresses == [[127, 0, 0, 3]])
        #expect(try exchange.ask("n1.r9001.s5.example.net").answers.map(\.ttl) == [30])
    }

    @Test("Root sets leave out set regions that have parents themselves")
    func rootSets() throws {
        let all = [[127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3], [127, 0, 0, 4]] as [[UInt8]]
        #expect(try exchange.ask("sets.s0.example.net").addresses == all)
        #expect(try exchange.ask("sets.s5.example.net").addresses == Array(all[2...]))
        #expect(try exchange.ask("sets.s4096.example.net", 33).answers.count == 4)
        #expect(try exchange.ask("sets.s4096.example.net", 16).answers.isEmpty)
        #expect(try exchange.ask("ep-a.sets.example.net", 33).answers.count == 4)
    }

    @Test("A stream's candidates are answered in order, with its portset")
    func streams() throws {
        let reply = try exchange.ask("news.live.streams.example.net", 33)
        #expect(reply.answers.map { $0.data[1] } == [0, 1])
        #expect(reply.additionals.map(\.data) == [[127, 0, 0, 5], [127, 0, 0, 6]])
        let text = try exchange.ask("news.live.streams.example.net", 16).answers.first?.strings
        #expect(text == ["portset=s4096", "ingest=push"])
        let other = try exchange.ask("a.b.live.streams.example.net", 16)
        #expect(other.answers.first?.strings == ["hash=0-4095", "ingest=pull"])
        #expect(other.answers.first?.owner == "a.b.live.streams.example.net")
        #expect(try exchange.ask("x.news.live.streams.example.net", 16).rcode == 3, "an exact name blocks the pattern")
    }

    @Test("explain names the line, and refuses clients that are not allowed")
    func explanations() throws {
        let reply = try exchange.ask("n1.r1283.s4096.explain.example.net", 16)
        #expect(reply.answers.first?.ttl == 0)
        #expect(
            reply.answers.first?.strings == [
                "rule=example.net.portsets:7", "set=sjc", "serial=77", "shadowed=1", "health=unprobed", "cause=zone",
                "host=sjc-1 weight 65535, health unprobed, override none",
            ])
        let roots = try exchange.ask("sets.s5.explain.example.net", 16).answers.first?.strings
        #expect(roots?.prefix(3) == ["portset=s5", "serial=77", "set=lon"])
        #expect(roots?.contains("set=sjc") == true)
        let stream = try exchange.ask("x.live.streams.explain.example.net", 16).answers.first?.strings
        #expect(
            stream == [
                "rule=example.net.streams:2", "hash=0-4095", "candidate=1 ep-b",
                "leader=ep-b, the first candidate: no witness reports another", "serial=77",
            ])
        #expect(try exchange.ask("n3.r1283.s4096.explain.example.net", 16).rcode == 3)
        #expect(try exchange.ask("r1283.s4096.explain.example.net", 16).rcode == 0)
        #expect(try exchange.ask("n1.r1283.s4096.explain.example.net", 16, privileged: false).rcode == 5)
        #expect(try exchange.ask("_status.example.net", 16, privileged: false).rcode == 5)
        #expect(exchange.count(.explainRefused) == 2)
    }

    @Test("_status reports what is served and why newer files are not")
    func status() throws {
        let refused = Exchange(try ExampleZone.engine(problems: ["a.zone:1:2: wrong"]))
        let strings = try refused.ask("_status.example.net", 16).answers.first?.strings
        #expect(strings == ["serial=77", "age=0", "rules=6", "state=refused", "problems=1", "a.zone:1:2: wrong"])
        #expect(try exchange.ask("_status.example.net", 16).answers.first?.strings.last == "state=serving")
    }
}
