import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

private let start = MonotonicInstant.zero + .seconds(100)

@Suite("Announcer")
struct AnnouncerPartTests {
    private func entries(_ count: Int) throws -> [Announce.Entry] {
        try (0..<count).map { number in
            Announce.Entry(
                stream: try #require(StreamName("live/s\(number)")), portset: PortsetID(1),
                incarnation: Incarnation(high: 1, low: UInt64(number)))
        }
    }

    private let source = NodeID(name: "ep")

    /// An announcer of these streams.
    private func announcer(_ entries: [Announce.Entry]) -> Announcer {
        var announcer = Announcer()
        change(&announcer, entries)
        return announcer
    }

    private func change(_ announcer: inout Announcer, _ entries: [Announce.Entry], withdrawn: [StreamName] = []) {
        for name in entries.map(\.stream) + withdrawn { announcer.noteChange(of: name) }
        announcer.update(source: source) { name in entries.first { $0.stream == name } }
    }

    private func take(_ pages: [Announce], _ list: inout AnnouncementList) -> AnnouncementList.Outcome? {
        pages.map { list.take($0, source: source, room: 1_000, at: start) }.last
    }

    @Test("A change is announced at once; another one soon after is announced with a delay")
    func spacing() throws {
        let stream = try entries(1)[0].stream
        var announcer = Announcer()
        #expect(announcer.due(at: start) == .nothing)
        announcer.noteChange(of: stream)
        #expect(announcer.due(at: start) == .now)
        announcer.update(source: source) { _ in nil }
        #expect(announcer.due(at: start) == .nothing)
        announcer.noteSent(at: start)
        announcer.noteChange(of: stream)
        #expect(announcer.due(at: start + .milliseconds(10)) == .later(start + .milliseconds(50)))
        #expect(announcer.due(at: start + .milliseconds(50)) == .now)
    }

    @Test("Pages hold the whole list in order; an empty list is one empty page")
    func pages() throws {
        let entries = try entries(500).sorted { $0.stream < $1.stream }
        let pages = announcer(entries).pages(since: 0)
        #expect(pages.count > 1)
        #expect(pages.flatMap(\.entries) == entries)
        #expect(pages.map(\.header.page) == (0..<UInt16(pages.count)).map { $0 })
        #expect(pages.allSatisfy { Int($0.header.pages) == pages.count && $0.header.version == 2 })
        #expect(Announcer().pages(since: 0).map(\.entries.count) == [0])
    }

    @Test("The digest changes with the list, and is the receiver's, whether it got the whole list or the changes")
    func digest() throws {
        let entries = try entries(30)
        var announcer = announcer(entries)
        let first = announcer.heartbeat(at: start)
        var list = AnnouncementList()
        #expect(take(announcer.pages(since: 0), &list) == .replaced)
        #expect((list.version, list.digest) == (first.version, first.digest))
        var lapsed = entries[3]
        lapsed.supply = .lapsed
        change(&announcer, [lapsed], withdrawn: [entries[4].stream])
        let second = announcer.heartbeat(at: start)
        #expect(second.version == first.version + 1)
        #expect(second.digest != first.digest)
        let pages = announcer.pages(since: first.version)
        #expect(pages.flatMap(\.entries).count == 2)
        #expect(take(pages, &list) == .changed(pages[0].entries.map(\.stream)))
        #expect((list.version, list.digest) == (second.version, second.digest))
        #expect(list[lapsed.stream]?.supply == .lapsed)
        #expect(list[entries[4].stream] == nil)
        #expect(list.count == 29)
        #expect(announcer.pages(since: second.version).isEmpty)
    }

    @Test("A receiver that missed a change cannot use the next one, and gets both when it says what it holds")
    func missedChange() throws {
        let entries = try entries(30)
        var announcer = announcer(entries)
        var list = AnnouncementList()
        _ = take(announcer.pages(since: 0), &list)
        let held = list.version
        change(&announcer, [], withdrawn: [entries[0].stream])
        change(&announcer, [], withdrawn: [entries[1].stream])
        #expect(take(announcer.pages(since: held + 1), &list) == .unusable)
        #expect(list.version == held)
        let both = announcer.pages(since: held)
        #expect(both.flatMap(\.entries).count == 2)
        #expect(take(both, &list) == .changed(both[0].entries.map(\.stream)))
        #expect(list.digest == announcer.heartbeat(at: start).digest)
        #expect(take(both, &list) == .incomplete, "it comes again")
    }

    @Test("Changes of streams that are held need no room; new streams, or a page repeated without end, do")
    func roomForChanges() throws {
        let entries = try entries(12)
        var list = AnnouncementList()
        _ = take([Announce(PageHeader(version: 1), entries: Array(entries[..<10]))], &list)
        func receive(
            _ version: UInt64, _ changed: [Announce.Entry], page: UInt16 = 0, of pages: UInt16 = 1
        ) -> AnnouncementList.Outcome {
            let header = PageHeader(version: version, base: 1, page: page, pages: pages)
            return list.take(Announce(header, entries: changed), source: source, room: 11 - list.held, at: start)
        }
        #expect(receive(2, [entries[3]]) == .changed([entries[3].stream]))
        #expect(receive(3, [entries[10]]) == .changed([entries[10].stream]))
        #expect(receive(4, [entries[11]]) == .full)
        #expect(list.count == 11)
        var outcomes: [AnnouncementList.Outcome] = []
        for page in 0..<9 { outcomes.append(receive(5, Array(entries[..<4]), page: UInt16(page), of: 1_000)) }
        #expect(outcomes.contains(.full))
        #expect(list.held <= 22)
    }

    @Test("A set reflector is unlisted only if the zone names others")
    func targets() {
        var announcer = Announcer()
        #expect(!announcer.isUnlisted(Bench.endpoint(1)))
        let host = ResolvedHost(name: "set-0", endpoint: Bench.endpoint(2), priority: 0, weight: 1)
        announcer.follow([HostAddresses(host: host, others: [Bench.endpoint(3)])])
        #expect(announcer.isUnlisted(Bench.endpoint(1)))
        #expect(!announcer.isUnlisted(Bench.endpoint(2)))
        #expect(!announcer.isUnlisted(Bench.endpoint(3)))
    }
}
