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

    @Test("A change is announced at once; another one soon after is announced with a delay")
    func spacing() {
        var announcer = Announcer()
        #expect(announcer.takeDue(at: start) == .nothing)
        announcer.noteChange()
        #expect(announcer.takeDue(at: start) == .now)
        #expect(announcer.takeDue(at: start) == .nothing)
        announcer.noteSent(at: start)
        announcer.noteChange()
        #expect(announcer.takeDue(at: start + .milliseconds(10)) == .later(start + .milliseconds(50)))
        #expect(announcer.takeDue(at: start + .milliseconds(50)) == .now)
    }

    @Test("Pages hold the whole list in order; an empty list is one empty page")
    func pages() throws {
        let announcer = Announcer()
        let entries = try entries(500)
        let pages = announcer.pages(of: entries)
        #expect(pages.count > 1)
        #expect(pages.flatMap(\.entries).map(\.stream) == entries.map(\.stream))
        #expect(pages.map(\.page) == (0..<UInt16(pages.count)).map { $0 })
        #expect(pages.allSatisfy { Int($0.pages) == pages.count && $0.version == 1 })
        #expect(announcer.pages(of: []).map(\.entries.count) == [0])
    }

    @Test("The digest is computed once per version of the list, and changes with the list")
    func digest() throws {
        var announcer = Announcer()
        let entries = try entries(3)
        var asked = 0
        func heartbeat(_ list: [Announce.Entry]) -> Heartbeat {
            announcer.heartbeat(
                source: NodeID(name: "ep"),
                entries: {
                    asked += 1
                    return list
                }, at: start)
        }
        let first = heartbeat(entries)
        #expect(heartbeat(entries).digest == first.digest)
        #expect(asked == 1)
        announcer.noteChange()
        let second = heartbeat(Array(entries.dropLast()))
        #expect(second.digest != first.digest)
        #expect(second.version == first.version + 1)
        var list = AnnouncementList()
        for page in announcer.pages(of: Array(entries.dropLast())) {
            _ = list.take(page, source: NodeID(name: "ep"), room: 10, at: start)
        }
        #expect(list.digest == second.digest)
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
