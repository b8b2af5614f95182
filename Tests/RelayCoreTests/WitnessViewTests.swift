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
        let endless = WitnessReport(PageHeader(version: 2, pages: .max), entries: [])
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
        let entries = Self.entries(2)
        reporting.set(entries[0], of: entries[0].stream)
        #expect(did(&reporting) { $0.takeDue(at: instant(0)) }.first?.header.version == 2)
        reporting.set(entries[0], of: entries[0].stream)
        #expect(did(&reporting) { $0.takeDue(at: instant(10)) }.isEmpty)
        reporting.set(entries[1], of: entries[1].stream)
        #expect(did(&reporting) { $0.takeDue(at: instant(20)) }.isEmpty)
        #expect(reporting.due == instant(50))
        #expect(did(&reporting) { $0.takeDue(at: instant(50)) }.first?.header.version == 3)
        reporting.noteHeld(2)
        #expect(did(&reporting) { $0.takeDue(at: instant(100)) }.isEmpty)
        #expect(did(&reporting) { $0.takeDue(at: instant(250)) }.first?.header.version == 3)
        reporting.noteHeld(3)
        #expect(did(&reporting) { $0.takeDue(at: instant(600)) }.isEmpty)
    }

    @Test("A witness reports only what has changed since the version that the entrypoint holds")
    func changes() throws {
        var reporting = WitnessReporting()
        var view = WitnessView()
        let entries = Self.entries(100)
        for entry in entries { reporting.set(entry, of: entry.stream) }
        for page in did(&reporting, { $0.takeDue(at: instant(0)) }) { _ = view.take(page, countMax: 1_000) }
        #expect(view.version == 2)
        reporting.noteHeld(view.version)
        // The first change is lost. The second report repeats it.
        let orphaned = WitnessReport.Entry(stream: entries[7].stream, leader: nil, hasSubscribers: true)
        reporting.set(orphaned, of: orphaned.stream)
        #expect(did(&reporting) { $0.takeDue(at: instant(100)) }.flatMap(\.entries) == [orphaned])
        reporting.set(nil, of: entries[8].stream)
        let pages = did(&reporting) { $0.takeDue(at: instant(200)) }
        #expect(pages.count == 1)
        #expect(pages[0].header == PageHeader(version: 4, base: 2))
        #expect(Set(pages[0].entries.map(\.stream)) == [entries[7].stream, entries[8].stream])
        #expect(did(&view) { $0.take(pages[0], countMax: 1_000) } == .changed)
        #expect(view.version == 4)
        #expect(view[entries[7].stream] == orphaned)
        #expect(view[entries[8].stream] == nil)
        #expect(view[entries[9].stream] == entries[9])
    }

    @Test("Changes since a version that the entrypoint does not hold are of no use, and it gets the whole report")
    func otherBase() {
        var view = WitnessView()
        let entry = Self.entries(1)[0]
        let later = WitnessReport(PageHeader(version: 9, base: 8), entries: [entry])
        #expect(did(&view) { $0.take(later, countMax: 9) } == .incomplete)
        #expect(view.version == 0)
        var reporting = WitnessReporting()
        for number in 0..<2_000 {
            let leader = NodeID(UInt64(number) + 1)
            reporting.set(.init(stream: entry.stream, leader: leader, hasSubscribers: false), of: entry.stream)
            _ = reporting.takeDue(at: instant(Int64(number) * 100))
        }
        // The changes since version 5 are forgotten.
        reporting.noteHeld(5)
        let pages = did(&reporting) { $0.takeDue(at: instant(300_000)) }
        #expect(pages.map(\.header) == [PageHeader(version: 2_001)])
        #expect(did(&view) { $0.take(pages[0], countMax: 9) } == .changed)
    }

    @Test("Reports of changes never make a view larger than allowed")
    func growing() {
        var view = WitnessView()
        let entries = Self.entries(10)
        let whole = WitnessReport(PageHeader(version: 1), entries: Array(entries[..<5]))
        #expect(did(&view) { $0.take(whole, countMax: 8) } == .changed)
        let more = WitnessReport(PageHeader(version: 2, base: 1), entries: Array(entries[5...]))
        #expect(did(&view) { $0.take(more, countMax: 8) } == .tooLarge)
        #expect(view.version == 0)
        #expect(view[entries[0].stream] == nil)
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
