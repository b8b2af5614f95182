import ReflectorModel
import Testing

@testable import DNSAnswers

/// Host 4 is ep-a (127.0.0.5), host 5 is ep-b (127.0.0.6). In these tests both are candidates of every stream, and the
/// pattern's streams are pushed.
@Suite("Names of streams and their encoders")
struct StreamNamesTests {
    private func content(_ change: (inout ZoneContent) -> Void = { _ in }) -> ZoneContent {
        var content = ExampleZone.content
        content.streams[1].ingest = .push
        content.streams[1].entrypoints = [4, 5]
        content.hosts[4].addresses += [IPAddress("2001:db8::5")].compactMap { $0 }
        change(&content)
        return content
    }

    private func exchange(_ change: (inout ZoneContent) -> Void = { _ in }) throws -> Exchange {
        let image = try ZoneImage(content(change), serial: 77)
        return Exchange(AnswerEngine(zones: [image], identity: .init(server: "", version: ""), servedSince: 0))
    }

    private func lead(_ stream: String, _ host: Int?) -> ZoneContent.Election.Lead { .init(stream: stream, host: host) }

    private func choice(
        _ action: ZoneContent.Election.Choice.Action, _ host: Int, _ stream: String
    ) -> ZoneContent.Election.Choice {
        .init(stream: stream, host: host, action: action, reason: "new kernel", until: 1_800_000_000, by: "alice")
    }

    private func ports(_ reply: Exchange.Reply) -> [UInt16] {
        reply.answers.map { UInt16($0.data[4]) << 8 | UInt16($0.data[5]) }
    }

    private func priorities(_ reply: Exchange.Reply) -> [UInt8] { reply.answers.map { $0.data[1] } }

    /// The targets' first labels, in the order of the answer.
    private func targets(_ reply: Exchange.Reply) -> [String] {
        reply.answers.map { String(decoding: $0.data[7..<(7 + Int($0.data[6]))], as: UTF8.self) }
    }

    @Test("An encoder finds the entrypoints of its stream at the ingest name, in order, for five seconds")
    func ingest() throws {
        let exchange = try exchange()
        let name = "ingest.news.live.streams.example.net"
        let v4 = try exchange.ask(name)
        #expect(v4.addresses == [[127, 0, 0, 5], [127, 0, 0, 6]] && v4.answers.allSatisfy { $0.ttl == 5 })
        #expect(try exchange.ask(name, 28).answers.map { $0.data.last } == [5])
        let services = try exchange.ask(name, 33)
        #expect(ports(services) == [8_000, 8_000] && priorities(services) == [0, 1])
        #expect(targets(services) == ["ep-a", "ep-b"] && services.answers.allSatisfy { $0.ttl == 5 })
        #expect(try exchange.ask(name, 16).rcode == 0)
        #expect(try exchange.ask(name, 16).answers.isEmpty)
        // The stream's own name has no addresses.
        #expect(try exchange.ask("news.live.streams.example.net").answers.isEmpty)
    }

    @Test("The leader comes first at the ingest name; the candidates keep their order")
    func leaderFirst() throws {
        let exchange = try exchange { $0.election.leads = [lead("live/news", 5)] }
        #expect(
            try exchange.ask("ingest.news.live.streams.example.net").addresses == [[127, 0, 0, 6], [127, 0, 0, 5]])
        let services = try exchange.ask("ingest.news.live.streams.example.net", 33)
        #expect(targets(services) == ["ep-b", "ep-a"] && priorities(services) == [0, 1])
        #expect(targets(try exchange.ask("news.live.streams.example.net", 33)) == ["ep-a", "ep-b"])
        // Nobody leads: the candidates' order is the best guess.
        let orphaned = try self.exchange { $0.election.leads = [lead("live/news", nil)] }
        #expect(targets(try orphaned.ask("ingest.news.live.streams.example.net", 33)) == ["ep-a", "ep-b"])
    }

    @Test("A pinned candidate comes first, a barred one is left out, and the TXT says so")
    func choices() throws {
        let pinned = try exchange { $0.election.overrides = [choice(.pin, 5, "live/news")] }
        #expect(targets(try pinned.ask("news.live.streams.example.net", 33)) == ["ep-b", "ep-a"])
        #expect(targets(try pinned.ask("ingest.news.live.streams.example.net", 33)) == ["ep-b", "ep-a"])
        let text = try pinned.ask("news.live.streams.example.net", 16).answers.first?.strings
        #expect(text == ["portset=s4096", "ingest=push", "pin=ep-b"])
        let barred = try exchange { $0.election.overrides = [choice(.bar, 4, "live/news")] }
        #expect(targets(try barred.ask("news.live.streams.example.net", 33)) == ["ep-b"])
        #expect(targets(try barred.ask("ingest.news.live.streams.example.net", 33)) == ["ep-b"])
        let reason = try barred.ask("news.live.streams.example.net", 16).answers.first?.strings
        #expect(reason == ["portset=s4096", "ingest=push", "barred=ep-a"])
        // A host that is no candidate has no effect.
        let other = try exchange { $0.election.overrides = [choice(.pin, 0, "live/news")] }
        #expect(targets(try other.ask("news.live.streams.example.net", 33)) == ["ep-a", "ep-b"])
    }

    @Test("If all candidates are barred, the order of the file stands, and explain says so")
    func allBarred() throws {
        let exchange = try exchange {
            $0.election.overrides = [choice(.bar, 4, "live/news"), choice(.bar, 5, "live/news")]
        }
        #expect(targets(try exchange.ask("news.live.streams.example.net", 33)) == ["ep-a", "ep-b"])
        let text = try exchange.ask("news.live.streams.example.net", 16).answers.first?.strings
        #expect(text == ["portset=s4096", "ingest=push"])
        let why = try exchange.ask("news.live.explain.example.net", 16).answers.first?.strings ?? []
        #expect(why.contains("answer=as the files have it: all candidates are barred"))
    }

    @Test("A long list of barred hosts is continued in further strings, and no name is cut")
    func manyBarred() throws {
        var zone = content()
        let names = (0..<15).map { "ep-" + String(repeating: "x", count: 50) + "\($0)" }
        let first = zone.hosts.count
        zone.hosts += names.map { .init(name: $0, addresses: [IPAddress(v4: 1)]) }
        zone.streams[0].entrypoints = [4] + Array(first..<zone.hosts.count)
        zone.election.overrides = names.indices.map { choice(.bar, first + $0, "live/news") }
        let candidates = zone.candidates(of: zone.streams[0], stream: "live/news")
        let text = zone.streamText(zone.streams[0], candidates)
        #expect(text.allSatisfy { $0.utf8.count <= 255 })
        #expect(LookUpAnswer(hosts: [], ttlSeconds: 1, text: text).barred.map(String.init) == names)
    }

    @Test("The policy of a stream is in its TXT, which nodes read back")
    func policy() throws {
        let zone = content {
            $0.streams[0].standby = .hot
            $0.streams[0].secondEncoder = .takeover
            $0.defaults.ingestPort = 9_000
        }
        let text = zone.streamText(zone.streams[0], zone.candidates(of: zone.streams[0], stream: "live/news"))
        #expect(text == ["portset=s4096", "ingest=push", "standby=hot", "second=takeover"])
        #expect(StreamPolicy(text: text) == zone.streams[0].policy)
        let exchange = try exchange { $0.defaults.ingestPort = 9_000 }
        #expect(ports(try exchange.ask("ingest.news.live.streams.example.net", 33)) == [9_000, 9_000])
    }

    @Test("A pulled stream has no ingest name")
    func pulled() throws {
        let exchange = try exchange { $0.streams[0].ingest = .pull(url: "http://e/") }
        #expect(try exchange.ask("ingest.news.live.streams.example.net").rcode == 3)
        #expect(targets(try exchange.ask("news.live.streams.example.net", 33)) == ["ep-a", "ep-b"])
    }

    @Test("The ingest name of a stream that only a pattern covers has the same records as that of an exact line")
    func pattern() throws {
        let exchange = try exchange()
        for stream in ["x.live", "b.a.live"] {
            let name = "ingest.\(stream).streams.example.net"
            #expect(try exchange.ask(name).addresses == [[127, 0, 0, 5], [127, 0, 0, 6]])
            let services = try exchange.ask(name, 33)
            #expect(ports(services) == [8_000, 8_000] && services.answers.first?.owner == name)
            // A secondary answers the wildcard: same addresses, same TXT.
            #expect(try exchange.ask("\(stream).streams.example.net").answers.map(\.ttl) == [5, 5])
            #expect(ports(try exchange.ask("\(stream).streams.example.net", 33)) == [4_900, 4_900])
        }
        // In the place of a stream's name the label is nothing special, and no exact line has one.
        #expect(ports(try exchange.ask("ingest.live.streams.example.net", 33)) == [4_900, 4_900])
        #expect(try exchange.ask("ingest.other.streams.example.net", 33).rcode == 3)
    }

    @Test("A lead or an override of a pattern's stream changes its own answers and no other name's")
    func ownNames() throws {
        let plain = try exchange()
        let changed = try exchange {
            $0.election.leads = [lead("live/a/b/c", 5), lead("live/x", 5), lead("live/x/ingest", 5)]
            $0.election.overrides = [choice(.pin, 5, "live/a/q")]
        }
        let ingest = "ingest.c.b.a.live.streams.example.net"
        #expect(targets(try changed.ask(ingest, 33)) == ["ep-b", "ep-a"])
        #expect(ports(try changed.ask(ingest, 33)) == [8_000, 8_000])
        #expect(try changed.ask(ingest).addresses == [[127, 0, 0, 6], [127, 0, 0, 5]])
        #expect(targets(try changed.ask("q.a.live.streams.example.net", 33)) == ["ep-b", "ep-a"])
        #expect(targets(try changed.ask("ingest.x.live.streams.example.net", 33)) == ["ep-b", "ep-a"])
        let untouched = [
            "c.b.a.live", "b.a.live", "a.live", "z.c.b.a.live", "z.b.a.live", "z.a.live", "z.z.a.live", "z.live",
            "x.live", "z.x.live", "z.q.a.live", "ingest.b.a.live", "ingest.a.live", "ingest.z.a.live",
            "ingest.z.z.c.b.a.live", "ingest.z.x.live", "news.live", "ingest.news.live", "z.news.live", "live",
            "other", "ingest.live", "ingest.streams",
        ]
        for name in untouched {
            for type: UInt16 in [1, 28, 33, 16] {
                let owner = "\(name).streams.example.net"
                let (before, after) = (try plain.ask(owner, type), try changed.ask(owner, type))
                #expect(before.answers == after.answers && before.rcode == after.rcode, "\(owner) \(type)")
            }
        }
    }

    @Test("A choice for a pattern holds for all streams that it answers")
    func patternChoice() throws {
        let exchange = try exchange {
            $0.election.overrides = [choice(.bar, 4, "live/*")]
            $0.election.leads = [lead("live/y", 5)]
        }
        for name in ["x.live", "y.live", "z.y.live", "ingest.x.live", "ingest.y.live"] {
            #expect(targets(try exchange.ask("\(name).streams.example.net", 33)) == ["ep-b"], "\(name)")
        }
        #expect(targets(try exchange.ask("news.live.streams.example.net", 33)) == ["ep-a", "ep-b"])
    }

    @Test("Leads of endless streams add a bounded number of names")
    func bound() {
        let zone = content {
            $0.election.leads = (0..<10_000).map { lead("live/\($0)/a/a/a/a/a/a", 5) }
        }
        var names = 0
        zone.forEachStreamAnswer { _ in names += 1 }
        #expect(names > ZoneContent.ownNamesMax && names <= 4 + 4 * ZoneContent.ownNamesMax)
    }

    @Test("explain shows the candidates in effective order, operators' choices with their reasons, and who leads")
    func explanations() throws {
        let exchange = try exchange {
            $0.election.leads = [.init(stream: "live/news", host: 4, changedSerial: 71), lead("live/x", nil)]
            $0.election.overrides = [choice(.pin, 5, "live/news")]
        }
        let text = try exchange.ask("news.live.explain.example.net", 16).answers.first?.strings ?? []
        #expect(
            text == [
                "rule=example.net.streams:1", "portset=s4096",
                "candidate=1 ep-b, pinned by alice until 2027-01-15T08:00:00Z (new kernel)", "candidate=2 ep-a",
                "leader=ep-a since serial 71", "serial=77",
            ])
        #expect(try exchange.ask("news.live.streams.explain.example.net", 16).answers.first?.strings == text)
        #expect(try exchange.ask("ingest.news.live.explain.example.net", 16).answers.first?.strings == text)
        let orphaned = try exchange.ask("x.live.explain.example.net", 16).answers.first?.strings
        #expect(orphaned?.contains("leader=nobody since serial 77") == true)
        let other = try exchange.ask("y.live.explain.example.net", 16).answers.first?.strings
        #expect(other?.contains("leader=ep-a, the first candidate: no witness reports another") == true)
        #expect(try exchange.ask("nothing.explain.example.net", 16).rcode == 3)
    }
}
