import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

@Suite("What one witness tells an entrypoint")
struct WitnessViewTests {
    private static func entries(_ count: Int) -> [WitnessReport.Entry] {
        (0..<count).compactMap { number in
            StreamName("live/n\(number)").map {
                WitnessReport.Entry(stream: $0, leader: NodeID(UInt64(number) + 1), hasSubscribers: false)
            }
        }
    }

    @Test("The pages of a report may arrive in any order and again; the report counts when all are there")
    func anyOrder() throws {
        let entries = Self.entries(200)
        let pages = WitnessReport.pages(version: 3, of: entries)
        #expect(pages.count > 2)
        var view = WitnessView()
        for page in pages.reversed().dropLast() {
            #expect(did(&view) { $0.take(page, countMax: 1_000) } == .incomplete)
            #expect(did(&view) { $0.take(page, countMax: 1_000) } == .incomplete)
        }
        #expect(view.version == 0)
        #expect(did(&view) { $0.take(pages[0], countMax: 1_000) } == .changed)
        #expect(view.version == 3)
        #expect(entries.allSatisfy { view[$0.stream] == $0 })
    }

    @Test("An old report, and pages of an older one, change nothing")
    func old() throws {
        var view = WitnessView()
        let new = WitnessReport.pages(version: 5, of: Self.entries(2))
        #expect(did(&view) { $0.take(new[0], countMax: 100) } == .changed)
        for version in [UInt64(5), 4] {
            let page = WitnessReport.pages(version: version, of: Self.entries(1))[0]
            #expect(did(&view) { $0.take(page, countMax: 100) } == .incomplete)
        }
        #expect(view[try #require(StreamName("live/n1"))] != nil)
    }

    @Test("A report of more entries than allowed, or of more pages, is dropped whole")
    func tooLarge() {
        var view = WitnessView()
        let pages = WitnessReport.pages(version: 1, of: Self.entries(300))
        let outcomes = pages.map { page in did(&view) { $0.take(page, countMax: 100) } }
        #expect(outcomes.contains(.tooLarge))
        #expect(!outcomes.contains(.changed))
        let endless = WitnessReport(version: 2, page: 0, pages: .max, entries: [])
        #expect(did(&view) { $0.take(endless, countMax: 100) } == .tooLarge)
    }

    @Test("A witness votes only while it answers heartbeats and says so")
    func voting() {
        var view = WitnessView()
        #expect(!view.isVoting(.milliseconds(750), at: instant(0)))
        view.noteReply(isVoting: true, at: instant(100))
        #expect(view.isVoting(.milliseconds(750), at: instant(850)))
        #expect(!view.isVoting(.milliseconds(750), at: instant(851)))
        view.noteReply(isVoting: false, at: instant(900))
        #expect(!view.isVoting(.milliseconds(750), at: instant(900)))
    }

    @Test("A witness reports again when its view changes, and repeats a report that did not arrive, but not too often")
    func reporting() {
        var reporting = WitnessReporting()
        let (one, two) = (Self.entries(1), Self.entries(2))
        #expect(did(&reporting) { $0.due(one, at: instant(0)) }.pages.first?.version == 1)
        #expect(did(&reporting) { $0.due(one, at: instant(10)) }.pages.isEmpty)
        let soon = did(&reporting) { $0.due(two, at: instant(20)) }
        #expect(soon.pages.isEmpty && soon.isOwed)
        #expect(did(&reporting) { $0.due(two, at: instant(50)) }.pages.first?.version == 2)
        reporting.noteHeld(1)
        #expect(did(&reporting) { $0.due(two, at: instant(100)) }.isOwed)
        #expect(did(&reporting) { $0.due(two, at: instant(250)) }.pages.first?.version == 2)
        reporting.noteHeld(2)
        #expect(did(&reporting) { $0.due(two, at: instant(600)) }.pages.isEmpty)
    }

    @Test("Leads that do not fit into one probe report are reported in turn, for each name server by itself")
    func turns() {
        let leads = (0..<300).compactMap { StreamName("live/n\($0)") }.map { ProbeReport.Lead(stream: $0, source: nil) }
        var (one, other) = (WitnessReporting(), WitnessReporting())
        var seen = Set<StreamName>()
        for _ in 0..<10 {
            let turn = did(&one) { $0.takeTurn(of: leads) }
            #expect((1...ProbeReport.leadsMax).contains(turn.count))
            seen.formUnion(turn.map(\.stream))
        }
        #expect(seen.count == 300)
        #expect(did(&other) { $0.takeTurn(of: leads) }.first == leads.first)
        #expect(did(&other) { $0.takeTurn(of: []) }.isEmpty)
    }
}
