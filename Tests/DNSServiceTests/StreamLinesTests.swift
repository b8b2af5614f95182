import DNSAnswers
import ReflectorModel
import Testing

@testable import DNSService

@Suite("Which line answers a stream, and who witnesses it")
struct StreamLinesTests {
    private func name(_ stream: String, in lines: StreamLines) throws -> String? {
        lines.line(of: try ElectionZone.stream(stream)).map { lines.lines[$0].name }
    }

    @Test("An exact line beats a pattern, and the longest pattern wins, up to the closest name that exists")
    func longest() throws {
        let lines = StreamLines(
            try ElectionZone.content(
                streams: ElectionZone.streams + "stream live/sport/* s1 entrypoints=ep-bos push\n"
                    + "stream old/hd/one s1 entrypoints=ep-bos push\nstream old/* s1 entrypoints=ep-bos push\n"))
        #expect(try name("live/news", in: lines) == "live/news")
        #expect(try name("live/jazz", in: lines) == "live/*")
        #expect(try name("live/sport/one", in: lines) == "live/sport/*")
        #expect(try name("live/jazz/one", in: lines) == "live/*")
        #expect(try name("old/two", in: lines) == "old/*")
        // As the DNS answers wildcards: `old/hd` exists, so no pattern above it matches below it, or `old/hd` itself.
        #expect(try name("old/hd/two", in: lines) == nil)
        #expect(try name("old/hd", in: lines) == nil)
        #expect(try name("live", in: lines) == nil)
        #expect(try name("radio", in: lines) == nil)
        #expect(lines.line(named: "live/*").map { lines.lines[$0].name } == "live/*")
        #expect(lines.line(named: "live/jazz").map { lines.lines[$0].name } == "live/*")
        #expect(lines.line(named: "radio/*") == nil && lines.line(named: "LIVE") == nil && lines.line(named: "") == nil)
    }

    @Test("A pattern of all streams answers what no other line does")
    func all() throws {
        let lines = StreamLines(
            try ElectionZone.content(streams: ElectionZone.streams + "stream * s1 entrypoints=ep-bos push\n"))
        #expect(try name("radio", in: lines) == "*")
        #expect(try name("radio/one", in: lines) == "*")
        #expect(try name("live/jazz", in: lines) == "live/*")
        #expect(lines.line(named: "*").map { lines.lines[$0].name } == "*")
    }

    @Test("Only the root set reflectors of a stream's portset witness it, and only its candidates may lead it")
    func witnesses() throws {
        let files = StreamWitnesses(try ElectionZone.content())
        let (news, test) = (try ElectionZone.stream("live/news"), try ElectionZone.stream("test/one"))
        let ids = { (names: [String]) in Set(names.map { NodeID(name: $0) }) }
        #expect(files.witnesses(in: files.roots(of: news)) == ids(["a-1", "a-2", "b-1"]))
        #expect(files.witnesses(in: files.roots(of: test)) == ids(["c-1"]))
        #expect(files.accepts(NodeID(name: "ep-bos"), of: news, from: NodeID(name: "b-1")))
        #expect(files.accepts(nil, of: news, from: NodeID(name: "b-1")))
        #expect(!files.accepts(nil, of: news, from: NodeID(name: "c-1")))
        #expect(!files.accepts(NodeID(name: "ep-bos"), of: test, from: NodeID(name: "c-1")))
        #expect(!files.accepts(nil, of: try ElectionZone.stream("radio"), from: NodeID(name: "a-1")))
    }
}
