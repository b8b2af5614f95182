import DNSAnswers
import ReflectorModel
import TestSupport
import Testing

@testable import DNSService

@Suite("Overrides of streams' entrypoints")
struct EntrypointOverrideTests {
    private let files: ZoneContent
    private var table = OverrideTable()

    init() throws { files = try ElectionZone.content() }

    private mutating func put(
        _ action: EntrypointOverride.Action, _ host: String, of stream: String, for seconds: Int64 = 60,
        isForced: Bool = false, at now: Int64 = 1_000
    ) throws(OverrideTable.Refusal) {
        _ = try table.put(
            action, host, of: stream, zone: files, seconds: seconds, reason: "test", by: "alice", isForced: isForced,
            at: now)
    }

    /// What is in force, in order of arrival.
    private var decisions: [String] { table.entries.entrypoints.map(\.decision) }

    @Test("A stream has one pinned entrypoint, and an entrypoint one override")
    mutating func replacement() throws {
        try put(.pin, "ep-nyc", of: "live/news")
        try put(.pin, "EP-LON", of: "Live/News")
        try put(.bar, "ep-bos", of: "live/news")
        try put(.pin, "ep-nyc", of: "live/jazz")
        #expect(
            decisions == [
                "pin-entrypoint ep-lon of live/news", "bar-entrypoint ep-bos of live/news",
                "pin-entrypoint ep-nyc of live/jazz",
            ])
        try put(.bar, "ep-lon", of: "live/news")
        #expect(decisions.last == "bar-entrypoint ep-lon of live/news" && decisions.count == 3)
    }

    @Test("An unknown stream, a host that is not its candidate, and the last candidate are refused with a reason")
    mutating func refusals() throws {
        #expect(throws: OverrideTable.Refusal.unknownStream("radio", zone: "example.net")) {
            try put(.pin, "ep-nyc", of: "radio")
        }
        #expect(throws: OverrideTable.Refusal.unknownStream("live/sport/*", zone: "example.net")) {
            try put(.pin, "ep-nyc", of: "live/sport/*")
        }
        let stranger = #expect(throws: OverrideTable.Refusal.self) { try put(.pin, "a-1", of: "live/jazz") }
        #expect(stranger?.description == "a-1 is not a candidate of live/jazz; these are: ep-nyc, ep-lon")
        #expect(throws: OverrideTable.Refusal.span) { try put(.pin, "ep-nyc", of: "live/jazz", for: 0) }
        try put(.bar, "ep-nyc", of: "live/jazz")
        let last = #expect(throws: OverrideTable.Refusal.self) { try put(.bar, "ep-lon", of: "live/jazz") }
        #expect(last?.description.contains("live/jazz would have no candidate left; use --force") == true)
        #expect(decisions == ["bar-entrypoint ep-nyc of live/jazz"])
        try put(.bar, "ep-lon", of: "live/jazz", isForced: true)
        #expect(decisions.count == 2)
    }

    @Test("A bar of a pattern counts for the streams that its line answers, also for the last candidate")
    mutating func patterns() throws {
        try put(.bar, "ep-nyc", of: "live/*")
        #expect(throws: OverrideTable.Refusal.lastCandidate("ep-lon", stream: "live/*")) {
            try put(.bar, "ep-lon", of: "live/*")
        }
        #expect(throws: OverrideTable.Refusal.lastCandidate("ep-lon", stream: "live/jazz")) {
            try put(.bar, "ep-lon", of: "live/jazz")
        }
        try put(.bar, "ep-nyc", of: "live/news")
        try put(.bar, "ep-lon", of: "test/one")
        #expect(throws: OverrideTable.Refusal.lastCandidate("ep-nyc", stream: "test/one")) {
            try put(.bar, "ep-nyc", of: "test/*")
        }
    }

    @Test("They end by themselves, one by one, or all of a stream")
    mutating func end() throws {
        try put(.pin, "ep-nyc", of: "live/news", for: 10)
        try put(.bar, "ep-bos", of: "live/news", for: 20)
        let (early, late) = (table.expire(at: 1_009), table.expire(at: 1_010))
        #expect(!early && late)
        #expect(decisions == ["bar-entrypoint ep-bos of live/news"])
        #expect(throws: OverrideTable.Refusal.noSuchOverride("ep-nyc for live/news")) {
            try table.clear(stream: "live/news", host: "ep-nyc", zone: "example.net")
        }
        try put(.pin, "ep-nyc", of: "live/news")
        let one = try table.clear(stream: "live/news", host: "ep-nyc", zone: "example.net")
        #expect(one.map(\.host) == ["ep-nyc"])
        try put(.pin, "ep-nyc", of: "live/news")
        try put(.pin, "ep-nyc", of: "live/jazz")
        let all = try table.clear(stream: "LIVE/news", host: nil, zone: "example.net")
        #expect(all.count == 2 && decisions == ["pin-entrypoint ep-nyc of live/jazz"])
    }

    @Test("Hosts, sites and entrypoints share one bound")
    mutating func bound() throws {
        _ = try table.put(
            .drain, "a-1", zone: files, seconds: 60, reason: "", by: "alice", isForced: true, hostStates: HostStates(),
            at: 1_000)
        for number in 1..<OverrideTable.countMax { try put(.pin, "ep-nyc", of: "live/s\(number)") }
        #expect(throws: OverrideTable.Refusal.tableFull) { try put(.pin, "ep-nyc", of: "live/more") }
        try put(.pin, "ep-lon", of: "live/s1")
        #expect(table.entries.count == OverrideTable.countMax)
        let files = files
        #expect(throws: OverrideTable.Refusal.tableFull) {
            try table.put(
                .drain, "b-1", zone: files, seconds: 60, reason: "", by: "alice", isForced: true,
                hostStates: HostStates(), at: 1_000)
        }
        _ = try table.put(
            .pin, "a-1", zone: files, seconds: 60, reason: "", by: "alice", isForced: true, hostStates: HostStates(),
            at: 1_000)
        let twice = table.entries.entrypoints + table.entries.entrypoints
        let read = OverrideTable(entries: Overrides(hosts: table.entries.hosts, entrypoints: twice))
        #expect(read.entries.count == OverrideTable.countMax)
    }

    @Test("The file keeps both kinds; lines of earlier versions are still read, others are left out")
    mutating func file() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let old = "example.net\thost\ta-1\tdrain\t2000\talice\told line\n"
        try old.write(toFile: folder.path + "/overrides", atomically: false, encoding: .utf8)
        let store = OverrideStore(directory: folder.path)
        var entries = store.load()
        #expect(entries.hosts.map(\.override.reason) == ["old line"] && entries.entrypoints.isEmpty)
        try put(.pin, "ep-nyc", of: "live/*")
        entries.entrypoints = table.entries.entrypoints
        try store.save(entries)
        #expect(store.load() == entries)
        for wrong in [
            "example.net\tstream\tlive/*\tep-nyc\tdrain\t2000\talice\twhy",
            "example.net\tstream\tLIVE\tep-nyc\tpin\t2000\talice\twhy",
            "example.net\tstream\tlive/*\tep nyc\tpin\t2000\talice\twhy",
            "example.net\tstream\tlive/*\tep-nyc\tpin\tsoon\talice\twhy",
            "example.net\tstream\tlive/*\tep-nyc\tpin\t2000\talice\tw\thy", "example.net\tstream\tlive/*", "",
        ] {
            #expect(EntrypointOverride(line: wrong[...]) == nil)
            #expect(HostOverride(line: wrong[...]) == nil)
        }
    }
}
