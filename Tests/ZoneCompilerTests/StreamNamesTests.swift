import DNSAnswers
import LDNSKit
import ReflectorModel
import Testing

@testable import ZoneCompiler

/// Answers queries from the aliased form of a zone, as a standard secondary does: wildcards by RFC 4592.
private struct Secondary {
    private var records: [[UInt8]: [ZoneRecord]] = [:]
    private var names: Set<[UInt8]> = []

    init(_ zone: AliasedZone) {
        for record in IteratorSequence(zone.records) {
            records[record.owner, default: []].append(record)
            var name = record.owner
            while names.insert(name).inserted, let first = name.first, first > 0 {
                name = Array(name[(1 + Int(first))...])
            }
        }
    }

    /// `TTL DATA` of the records of one type, sorted. Nil for NXDOMAIN.
    func answer(_ name: String, _ type: UInt16) -> [String]? {
        let owner = WireName.joined(name, below: [0])
        var found = names.contains(owner) ? owner : nil
        var rest = owner
        while found == nil, let first = rest.first, first > 0 {
            rest = Array(rest[(1 + Int(first))...])
            guard names.contains(rest) else { continue }
            let wildcard = [1, UInt8(ascii: "*")] + rest
            guard names.contains(wildcard) else { return nil }
            found = wildcard
        }
        guard let found else { return nil }
        return (records[found] ?? []).filter { $0.type == type }.map { "\($0.ttl) \($0.data)" }.sorted()
    }
}

@Suite("Names of streams in both forms of a zone")
struct StreamNamesTests {
    private static let streams = """
        stream  live/news   s4096         entrypoints=ep-bos,ep-nyc  push standby=hot
        stream  live/sport  s17           entrypoints=ep-nyc,ep-bos  pull=http://encoder.example/sport.ts
        stream  live/*      hash(0-4095)  entrypoints=ep-nyc,ep-bos  push takeover
        stream  film/*      s5            entrypoints=ep-nyc,ep-bos  pull=http://encoder.example/f.ts

        """

    private func content() -> ZoneContent {
        var content = ExampleZone.content(
            streams: Self.streams,
            zone: ExampleZone.zone.replacing("ep-nyc A", with: "ep-nyc AAAA 2001:db8::7\nep-nyc A"))
        content.election.leads = ["live/a/b", "live/news", "live/x"].map {
            .init(stream: $0, host: host("ep-bos", content), changedSerial: 6)
        }
        content.election.overrides = [
            ("live/news", "ep-nyc", .pin), ("live/q", "ep-nyc", .bar), ("film/f", "ep-nyc", .bar),
        ]
        .map { (stream: String, name: String, action: ZoneContent.Election.Choice.Action) in
            .init(
                stream: stream, host: host(name, content) ?? 0, action: action, reason: "r", until: 1_800_000_000,
                by: "alice")
        }
        return content
    }

    private func host(_ name: String, _ content: ZoneContent) -> Int? {
        content.hosts.firstIndex { $0.name == name }
    }

    @Test("A secondary's answers equal ours for every name of a stream, whatever was chosen for it")
    func bothForms() throws {
        let content = content()
        let secondary = Secondary(try AliasedZone(content))
        let image = try ZoneImage(content, serial: content.serial)
        var responder = Responder(
            AnswerEngine(zones: [image], identity: .init(server: "", version: ""), servedSince: 0))
        let reply = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_535, alignment: 8)
        defer { reply.deallocate() }
        let streams = [
            "news.live", "sport.live", "x.live", "b.a.live", "a.live", "q.live", "f.film", "z.film", "z.live",
            "z.z.live",
            "z.x.live", "z.b.a.live", "z.a.live", "z.news.live", "live", "film", "other",
        ]
        for stream in streams {
            for name in ["\(stream).streams.reflector.net", "ingest.\(stream).streams.reflector.net"] {
                for type: UInt16 in [LDNSType.a, LDNSType.aaaa, LDNSType.txt, LDNSType.srv] {
                    let query = try LDNSMessage.query(id: 1, name: name, type: type)
                    let length = query.withUnsafeBytes {
                        responder.answer($0, from: IPAddress(v4: 1), over: .tcp, isPrivileged: true, into: reply)
                    }
                    let message = try LDNSMessage.parse(UnsafeRawBufferPointer(rebasing: reply[..<length]))
                    let ours =
                        message.rcode == 3
                        ? nil : message.answers.map { "\($0.ttl) \($0.data)" }.sorted()
                    // The exception: see `StreamAnswer.Kind.ingestOfPattern`.
                    let isException = type == LDNSType.srv && name.hasPrefix("ingest.z")
                    if isException, ours?.isEmpty == false, ours != secondary.answer(name, type) { continue }
                    #expect(ours == secondary.answer(name, type), "\(name) \(type)")
                }
            }
        }
        let records = Array(IteratorSequence(try AliasedZone(content).records))
        #expect(zip(records, records.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test("explain takes a stream's name, and says who leads and what operators chose")
    func explanations() {
        let found = ZoneExplanation.explain("live/news", in: [content()])
        #expect(found.name == "news.live.streams.reflector.net" && found.outcome == .answer)
        #expect(found.lines.map(\.line) == [3, 1] && found.lines.map(\.wins) == [false, true])
        let reasons = [
            "SRV 0 1 4900 ep-nyc", "SRV 1 1 4900 ep-bos",
            "candidate=1 ep-nyc, pinned by alice until 2027-01-15T08:00:00Z (r)", "candidate=2 ep-bos",
            "leader=ep-bos since serial 6",
        ]
        #expect(reasons.allSatisfy(found.reasons.contains), "\(found.reasons)")
        #expect(ZoneExplanation.explain("news.live.explain", in: [content()]) == found)
        let barred = ZoneExplanation.explain("live/q", in: [content()])
        #expect(barred.reasons.contains("barred=ep-nyc by alice until 2027-01-15T08:00:00Z (r)"))
        let ingest = ZoneExplanation.explain("ingest.news.live.streams", in: [content()])
        #expect(ingest.reasons.prefix(2) == ["A 127.0.1.1", "A 127.0.1.2"], "\(ingest.reasons)")
        #expect(ingest.reasons.contains("SRV 0 1 8000 ep-bos"))
        #expect(ZoneExplanation.explain("ingest.sport.live.streams", in: [content()]).outcome == .noSuchName)
        // From files alone.
        let files = ZoneExplanation.explain("live/news", in: [ExampleZone.content()])
        let hint = "the running name server knows who leads (TXT news.live.streams.explain.reflector.net)"
        #expect(files.reasons.contains { $0.hasSuffix(hint) }, "\(files.reasons)")
    }

    @Test("An export says which ingest names get the relay's port from other name servers")
    func caution() {
        let caution = ZoneExport.caution(content())
        #expect(caution?.contains("port 4900, not 8000") == true && caution?.contains(" live/*;") == true)
        #expect(caution?.contains("film") == false)
        let exact = ExampleZone.content(streams: "stream live/news s4096 entrypoints=ep-bos,ep-nyc push\n")
        #expect(ZoneExport.caution(exact) == nil)
    }
}
