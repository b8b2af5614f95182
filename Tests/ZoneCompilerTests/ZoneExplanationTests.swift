import DNSAnswers
import Testing

@testable import ZoneCompiler

@Suite("zone explain")
struct ZoneExplanationTests {
    private func explain(_ name: String) -> ZoneExplanation {
        ZoneExplanation.explain(name, in: [ExampleZone.content()])
    }

    @Test("The winning line is the last one that matches, and its set region answers")
    func winnerAndShadowed() {
        let found = explain("n1.R1283.s4096.reflector.net.")
        #expect(found.outcome == .answer)
        #expect(found.lines.map(\.line) == [7, 8, 9, 4])
        #expect(found.lines.map(\.wins) == [false, false, true, true])
        #expect(found.reasons.first == "n1 of r1283 for s4096 is set region sjc, TTL 5")
        #expect(found.reasons.contains("AAAA 2001:db8::5"))
        #expect(found.reasons.contains("SRV 0 40 4900 sjc-1"))
    }

    @Test(
        "Every kind of name has its outcome",
        arguments: [
            ("n1.r1283", ZoneExplanation.Outcome.answer), ("n4.r1283", .noSuchName), ("n1.r01283.s1", .noSuchName),
            ("n1.r7.s1", .noSuchName), ("r1283.s4096", .noData), ("r1283", .noData), ("s4096", .noData),
            ("n1.r9003.s5", .answer), ("n3.r9003.s5", .noSuchName), ("n1.r9003.s100", .noSuchName),
            ("n1.r9001.s5", .noSuchName),
            ("sets.s5", .answer), ("n1.r1283.s4096.explain", .answer), ("_status", .answer),
            ("news.live.streams", .answer),
            ("other.live.streams", .answer), ("x.news.live.streams", .noSuchName), ("live.streams", .noData),
            ("streams", .noData), ("x.dead.streams", .noSuchName), ("ep-bos.sets", .answer),
            ("nyc-1.sets", .noSuchName), ("nyc-1.nodes", .answer), ("nodes", .noData), ("ns1.nodes", .noSuchName),
            ("nyc-1", .answer), ("nope", .noSuchName), ("n1.r1283.s70000", .noSuchName), ("", .answer),
        ])
    func outcomes(_ name: String, _ outcome: ZoneExplanation.Outcome) {
        #expect(explain(name).outcome == outcome, "\(explain(name))")
    }

    @Test("Root set reflectors leave out set regions that have parents themselves")
    func roots() {
        #expect(explain("sets.s5").reasons.first == "root set regions of s5: nyc, lon")
        #expect(explain("sets.s100").reasons.first == "root set regions of s100: nyc, lon, sjc")
    }

    @Test("If a line removes an edge region's parents, their names have an answer; those of a set region do not exist")
    func none() {
        let map = ExampleZone.portsets + "map s5 r1283 none ttl=9\nmap s7 sjc none\n"
        let content = ExampleZone.content(portsets: map)
        let found = ZoneExplanation.explain("n2.r1283.s5", in: [content])
        #expect(found.outcome == .answer && found.lines.last?.text == "map s5 r1283 none ttl=9")
        #expect(found.reasons.first == "the line that wins takes the parents of r1283 for s5 away, TTL 9")
        #expect(found.reasons.contains("SRV 0 0 0 ."))
        #expect(ZoneExplanation.explain("r1283.s5", in: [content]).outcome == .noData)
        #expect(ZoneExplanation.explain("n4.r1283.s5", in: [content]).outcome == .noSuchName)
        #expect(ZoneExplanation.explain("n1.r9003.s7", in: [content]).outcome == .noSuchName)
    }
}
