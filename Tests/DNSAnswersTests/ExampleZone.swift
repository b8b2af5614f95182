import DNSAnswers
import ReflectorModel

/// A small zone with one of everything, as the zone compiler would produce it.
enum ExampleZone {
    static let serial: UInt32 = 77

    static var content: ZoneContent {
        func source(_ line: Int) -> ZoneContent.SourceLine { .init(file: "example.net.portsets", line: line) }
        var content = ZoneContent(zone: "example.net")
        content.records = records
        content.hosts = [
            .init(name: "nyc-1", addresses: [v4(1)]),
            .init(name: "nyc-2", addresses: [v4(2), IPAddress("2001:db8::2")].compactMap { $0 }),
            .init(name: "lon-1", addresses: [v4(3)]),
            .init(name: "sjc-1", addresses: [v4(4)]),
            .init(name: "ep-a", addresses: [v4(5)]),
            .init(name: "ep-b", addresses: [v4(6)]),
        ]
        content.setRegions = [
            .init(
                name: "nyc", id: RegionID(9_001), members: [.init(host: 0, port: 4_900), .init(host: 1, port: 4_901)],
                capacity: 10_000_000_000, site: "east", source: source(1)),
            .init(
                name: "lon", id: RegionID(9_002), members: [.init(host: 2, port: 4_900)], capacity: 0, site: "west",
                source: source(2)),
            .init(
                name: "sjc", id: RegionID(9_003), members: [.init(host: 3, port: 4_900)],
                capacity: 9_000_000_000_000_000, site: "west", source: source(3)),
        ]
        content.edgeRegions = [
            .init(ids: 1_283...1_283, name: "boston", source: source(4)),
            .init(ids: 2_000...2_009, name: "many", source: source(5)),
        ]
        content.rules = [
            .init(portsets: 0...9_999, regions: .allEdge, parents: [0, 1, 2], ttl: 20, source: source(6)),
            .init(portsets: 4_096...4_096, regions: .edge(1_283...1_283), parents: [2, 0], ttl: 5, source: source(7)),
            .init(portsets: 50...50, regions: .edge(2_000...2_004), parents: [], ttl: 20, source: source(8)),
            .init(portsets: 1...99, regions: .setRegion(0), parents: [1], ttl: 30, source: source(9)),
            .init(portsets: 98...98, regions: .setRegion(0), parents: [], ttl: 30, source: source(10)),
            .init(portsets: 20_000...20_000, regions: .allEdge, parents: [], ttl: 7, source: source(11)),
        ]
        content.streams = [
            .init(
                segments: ["live", "news"], isPattern: false, portset: .fixed(PortsetID(4_096)), entrypoints: [4, 5],
                ingest: .push, source: .init(file: "example.net.streams", line: 1)),
            .init(
                segments: ["live"], isPattern: true, portset: .hashed(0...4_095), entrypoints: [5],
                ingest: .pull(url: "http://encoder.example/x.ts"),
                source: .init(file: "example.net.streams", line: 2)),
        ]
        return content
    }

    static func engine(problems: [String] = []) throws -> AnswerEngine {
        AnswerEngine(
            zones: [try ZoneImage(content, serial: serial)],
            identity: .init(server: "test-1", version: "reflector test"),
            problems: problems, servedSince: 0)
    }

    private static var records: [ZoneContent.Record] {
        let soa =
            name("ns1.example.net") + name("hostmaster.example.net")
            + [0, 0, 0, 1, 0, 0, 14, 16, 0, 0, 2, 88, 0, 9, 58, 128, 0, 0, 0, 5]
        return [
            record("example.net", 6, soa),
            record("example.net", 2, name("ns1.example.net")),
            record("ns1.example.net", 1, [127, 0, 0, 1]),
            record("nyc-1.example.net", 1, [127, 0, 0, 1]),
            record("*.wild.example.net", 1, [127, 0, 9, 9]),
            record("taken.wild.example.net", 16, [2, 104, 105]),
            record("www.example.net", 5, name("nyc-1.example.net")),
            record("away.example.net", 5, name("host.elsewhere.org")),
            record("first.example.net", 5, name("N1.R1283.S4096.example.net")),
            record("gone.example.net", 5, name("n3.r1283.s4096.example.net")),
            record("ring.example.net", 5, name("ring.example.net")),
            record("left.example.net", 5, name("right.example.net")),
            record("right.example.net", 5, name("left.example.net")),
            record("inward.example.net", 5, name("x.sub.example.net")),
            record("sub.example.net", 2, name("ns.sub.example.net")),
            record("ns.sub.example.net", 1, [127, 0, 8, 8]),
            record("a.deep.example.net", 1, [127, 0, 7, 7]),
        ]
    }

    private static func record(_ owner: String, _ type: UInt16, _ data: [UInt8]) -> ZoneContent.Record {
        .init(owner: name(owner), type: type, ttl: 60, data: data, source: .init(file: "example.net.zone", line: 1))
    }

    private static func v4(_ last: UInt32) -> IPAddress { IPAddress(v4: 0x7f00_0000 | last) }

    static func name(_ text: String) -> [UInt8] {
        text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + $0.utf8 } + [0]
    }
}
