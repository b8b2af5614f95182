import DNSAnswers
import ReflectorModel
import Testing

@Suite("Host states decide which hosts an answer has")
struct HostStateTests {
    /// nyc has nyc-1 and nyc-2, lon and sjc one host each.
    private var content = ExampleZone.content

    private func weights(_ set: Int) -> [String] {
        content.answering(content.setRegions[set]).members.map { "\(content.hosts[$0.host].name) \($0.weight)" }
    }

    private mutating func stand(
        _ set: Int, _ member: Int, _ health: ZoneContent.Health = .alive, _ action: ZoneContent.Override.Action? = nil
    ) {
        content.setRegions[set].members[member].health = health
        content.setRegions[set].members[member].override = action.map {
            .init(action: $0, reason: "test", until: 9, by: "alice")
        }
        content.letDrainedStandAside()
    }

    @Test("A dead host is left out, named in TXT, and back in the answer when all are dead")
    mutating func dead() {
        stand(0, 0, .dead)
        #expect(weights(0) == ["nyc-2 100"])
        content.setRegions[0].cause = "health nyc-1 dead"
        content.setRegions[0].changedSerial = 70
        let text = content.setText(content.setRegions[0], serial: 77)
        #expect(text == ["set=nyc", "serial=70", "cause=health nyc-1 dead", "dead=nyc-1"])
        stand(0, 1, .dead)
        #expect(weights(0) == ["nyc-1 100", "nyc-2 100"], "fail open")
        #expect(content.answering(content.setRegions[0]).basis == .files)
        #expect(!content.setText(content.setRegions[0], serial: 77).contains { $0.hasPrefix("dead=") })
        let state = content.stateText(content.setRegions[0])
        #expect(state.contains("answer=as the files have it: all hosts seem dead"))
    }

    @Test("A lossy host keeps its share of the weight, even if the weight is 1")
    mutating func lossy() {
        stand(0, 1, .lossy(share: 4))
        #expect(weights(0) == ["nyc-1 1600", "nyc-2 400"])
        stand(1, 0, .lossy(share: 8))
        #expect(weights(1) == ["lon-1 8"])
    }

    @Test("An override takes precedence over a probe")
    mutating func pinned() {
        stand(0, 0, .dead, .pin)
        stand(0, 1, .alive, .drain)
        #expect(weights(0) == ["nyc-1 100"])
        stand(0, 1, .alive, .depool)
        #expect(weights(0) == ["nyc-1 100"])
    }

    @Test("A drained set is answered as empty if another parent serves, and with its hosts if none does")
    mutating func drained() {
        // Rule 4 maps nyc itself to lon alone.
        stand(1, 0, .alive, .drain)
        #expect(weights(1) == ["lon-1 1"], "nyc has no other parent")
        stand(1, 0)
        stand(2, 0, .alive, .drain)
        #expect(weights(2) == [], "wherever sjc is a parent, nyc is one too")
        #expect(content.answering(content.setRegions[2]).basis == .aside)
        stand(0, 0, .dead)
        stand(0, 1, .dead)
        #expect(weights(2) == ["sjc-1 65535"], "a drained host is better than dead ones")
    }

    @Test("A depooled host is in no answer: SRV has the target `.`, A is NODATA")
    mutating func depooled() throws {
        stand(2, 0, .alive, .depool)
        let engine = AnswerEngine(
            zones: [try ZoneImage(content, serial: 77)], identity: .init(server: "t", version: "t"), servedSince: 0)
        let exchange = Exchange(engine)
        let name = "n1.r1283.s4096.example.net"
        #expect(try exchange.ask(name, 33).answers.first?.data == [0, 0, 0, 0, 0, 0, 0])
        #expect(try exchange.ask(name, 1).answers.isEmpty)
        let text = try exchange.ask("n1.r1283.s4096.explain.example.net", 16).answers.first?.strings ?? []
        #expect(text.contains("host=sjc-1 left out, health alive, override depool by alice (test)"))
        #expect(text.contains("answer=none: all hosts are depooled"))
    }

    @Test("An image that shares another's rules answers with its own host states")
    mutating func sharedRules() throws {
        let first = try ZoneImage(content, serial: 77)
        stand(0, 0, .dead)
        let second = try ZoneImage(content, serial: 78, sharing: first)
        let exchange = Exchange(
            AnswerEngine(zones: [second], identity: .init(server: "t", version: "t"), servedSince: 0))
        #expect(try exchange.ask("n1.r1283.s1.example.net", 1).answers.map(\.data) == [[127, 0, 0, 2]])
        let text = try exchange.ask("n1.r1283.s4096.explain.example.net", 16).answers.first?.strings ?? []
        #expect(text.first == "rule=example.net.portsets:7")
        #expect(text.contains("serial=78"))
    }
}
