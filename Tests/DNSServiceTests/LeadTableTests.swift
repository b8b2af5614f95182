import DNSAnswers
import ReflectorModel
import RelayWire
import Testing

@testable import DNSService

@Suite("Leads that set reflectors report, merged")
struct LeadTableTests {
    /// A table and its clock.
    private struct Bench {
        var table = LeadTable()
        var now = MonotonicInstant.zero

        init() throws { table.replace(StreamWitnesses(try ElectionZone.content())) }

        /// A set reflector reports these leads: `live/news=ep-nyc`, or `live/news=` if nobody leads.
        mutating func report(_ witness: String, _ leads: String...) throws {
            table.take(try leads.map(Bench.lead), from: NodeID(name: witness), at: now)
        }

        mutating func run(for span: TimeSpan, isFrozen: Bool = false) {
            now = now + span
            table.update(isFrozen: isFrozen, at: now)
        }

        /// The result in the same form.
        var leads: [String] { table.leads.map { "\($0.stream)=\($0.host ?? "")" } }

        static func lead(_ text: String) throws -> ProbeReport.Lead {
            let parts = text.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            return ProbeReport.Lead(
                stream: try ElectionZone.stream(parts[0]),
                source: parts[1].isEmpty ? nil : NodeID(name: parts[1]))
        }
    }

    @Test("A lead counts if more than half of the stream's witnesses that are alive name the same entrypoint")
    func majority() throws {
        var bench = try Bench()
        try bench.report("a-1", "live/news=ep-nyc")
        try bench.report("a-2")
        try bench.report("b-1", "live/news=ep-lon")
        bench.run(for: .milliseconds(200))
        #expect(bench.leads.isEmpty)
        try bench.report("a-2", "live/news=ep-nyc")
        bench.run(for: .milliseconds(200))
        #expect(bench.leads == ["live/news=ep-nyc"])
        try bench.report("a-1", "live/news=")
        try bench.report("a-2", "live/news=")
        bench.run(for: .milliseconds(200))
        #expect(bench.leads == ["live/news="])
        #expect(bench.table.report.zone == "example.net" && bench.table.report.orphaned == 1)
        #expect(bench.table.revision == 2)
    }

    @Test("Half of the witnesses are not enough, and one that serves other portsets does not count")
    func half() throws {
        var bench = try Bench()
        try bench.report("a-1", "live/news=ep-nyc")
        try bench.report("b-1")
        try bench.report("c-1", "live/news=ep-nyc", "test/one=ep-lon")
        bench.run(for: .milliseconds(200))
        #expect(bench.leads == ["test/one=ep-lon"])
        #expect(bench.table.counters.refused == 1)
    }

    @Test("A witness that has been silent for 5 s is not counted, neither for nor against")
    func silence() throws {
        var bench = try Bench()
        for _ in 0..<2 {
            try bench.report("a-1")
            try bench.report("a-2")
            try bench.report("b-1", "live/news=ep-nyc")
        }
        bench.run(for: .milliseconds(200))
        #expect(bench.leads.isEmpty)
        for _ in 0..<6 {
            bench.run(for: .milliseconds(900))
            try bench.report("b-1", "live/news=ep-nyc")
        }
        bench.run(for: .milliseconds(200))
        #expect(bench.leads == ["live/news=ep-nyc"])
        bench.run(for: .milliseconds(5_001))
        #expect(bench.leads.isEmpty)
    }

    @Test("A lead that is not repeated is forgotten after 5 s, sooner only if a witness names another entrypoint")
    func expiry() throws {
        var bench = try Bench()
        try bench.report("c-1", "test/one=ep-lon", "test/two=ep-lon")
        bench.run(for: .milliseconds(800))
        #expect(bench.leads.count == 2)
        for _ in 0..<5 {
            try bench.report("c-1", "test/two=ep-lon")
            bench.run(for: .milliseconds(800))
        }
        #expect(bench.leads == ["test/one=ep-lon", "test/two=ep-lon"])
        try bench.report("c-1", "test/two=ep-lon")
        bench.run(for: .milliseconds(800))
        #expect(bench.leads == ["test/two=ep-lon"])
        for _ in 0..<5 {
            try bench.report("c-1")
            bench.run(for: .milliseconds(800))
        }
        #expect(bench.leads == ["test/two=ep-lon"], "it may only have restarted")
        try bench.report("c-1")
        bench.run(for: .milliseconds(1_100))
        #expect(bench.leads.isEmpty)
    }

    @Test("A witness that needs more than 5 s to name all its streams in turn loses none of them")
    func turns() throws {
        var bench = try Bench()
        let streams = (0..<200).map { "test/\($0)=ep-lon" }
        for round in 0..<100 {
            // Ten streams every 800 ms: a turn takes 16 s.
            let first = round * 10 % 200
            // Every seventh report is lost.
            if !round.isMultiple(of: 7) {
                let leads = try streams[first..<first + 10].map(Bench.lead)
                bench.table.take(leads, from: NodeID(name: "c-1"), at: bench.now)
            }
            bench.run(for: .milliseconds(800))
            if round >= 39 { #expect(bench.leads.count == 200, "round \(round)") }
        }
        // Nine of ten streams are well again.
        for _ in 0..<12 {
            bench.table.take(try streams[..<20].map(Bench.lead), from: NodeID(name: "c-1"), at: bench.now)
            bench.run(for: .milliseconds(800))
        }
        #expect(bench.leads.count == 20)
    }

    @Test("A stolen set reflector can't name others than the candidates, nor streams that do not exist")
    func refusals() throws {
        var bench = try Bench()
        try bench.report(
            "c-1", "test/one=a-1", "test/one=ep-bos", "test/one=c-1", "radio=ep-nyc", "live/news=ep-nyc", "test/two=")
        bench.run(for: .milliseconds(200))
        #expect(bench.leads == ["test/two="])
        #expect(bench.table.counters.refused == 5)
        #expect(bench.table.counters.samples.contains { $0.name == "reflector_leads_refused_total" && $0.value == 5 })
    }

    @Test("A witness may name 4,096 streams, and can't take room from another")
    func full() throws {
        var bench = try Bench()
        for start in stride(from: 0, to: 4_200, by: 100) {
            let leads = try (start..<start + 100).map { try Bench.lead("live/flood-\($0)=ep-lon") }
            bench.table.take(leads, from: NodeID(name: "a-1"), at: bench.now)
        }
        #expect(bench.table.counters.dropped == 104)
        try bench.report("a-2", "live/news=ep-nyc")
        try bench.report("b-1", "live/news=ep-nyc")
        bench.run(for: .milliseconds(200))
        #expect(bench.leads == ["live/news=ep-nyc"])
    }

    @Test("The result has 4,096 leads at most, and what is left out is counted")
    func room() throws {
        var bench = try Bench()
        for start in stride(from: 0, to: 4_096, by: 128) {
            for (witness, prefix) in [("a-1", "live"), ("c-1", "test")] {
                let leads = try (start..<start + 128).map { try Bench.lead("\(prefix)/s\($0)=ep-lon") }
                bench.table.take(leads, from: NodeID(name: witness), at: bench.now)
            }
        }
        bench.run(for: .milliseconds(200))
        #expect(bench.table.leads.count == LeadTable.leadsMax && bench.table.counters.leftOut == 4_096)
        #expect(bench.table.leads.allSatisfy { $0.stream.text.hasPrefix("live/") })
        #expect(bench.table.counters.dropped == 0)
    }

    @Test("In panic mode the leads stay, and afterwards they stay if the witnesses repeat them")
    func panic() throws {
        var bench = try Bench()
        try bench.report("c-1", "test/one=ep-lon")
        bench.run(for: .milliseconds(200))
        bench.run(for: .seconds(600), isFrozen: true)
        #expect(bench.leads == ["test/one=ep-lon"])
        try bench.report("c-1", "test/two=ep-lon")
        bench.run(for: .milliseconds(200), isFrozen: true)
        #expect(bench.leads == ["test/one=ep-lon"])
        bench.run(for: .milliseconds(200))
        #expect(bench.leads == ["test/one=ep-lon", "test/two=ep-lon"])
    }

    @Test("An edit forgets what the files no longer allow")
    func edit() throws {
        var bench = try Bench()
        for witness in ["a-1", "a-2", "b-1"] { try bench.report(witness, "live/news=ep-nyc", "live/jazz=ep-lon") }
        bench.run(for: .milliseconds(200))
        #expect(bench.leads == ["live/jazz=ep-lon", "live/news=ep-nyc"])
        bench.table.replace(
            StreamWitnesses(
                try ElectionZone.content(streams: "stream live/* s1 entrypoints=ep-bos,ep-lon push\n")))
        bench.run(for: .milliseconds(200))
        #expect(bench.leads == ["live/jazz=ep-lon"])
        bench.table.replace(nil)
        bench.run(for: .milliseconds(200))
        #expect(bench.leads.isEmpty)
    }
}
