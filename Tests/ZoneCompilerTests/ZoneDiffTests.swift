import DNSAnswers
import Testing

@testable import ZoneCompiler

@Suite("zone diff")
struct ZoneDiffTests {
    private func diff(_ old: String, _ new: String) -> ZoneDiff {
        ZoneDiff(from: [ExampleZone.content(portsets: old)], to: [ExampleZone.content(portsets: new)])
    }

    @Test("Equal files, other lines with the same answers, and a raised serial change nothing")
    func movesNothing() {
        #expect(diff(ExampleZone.portsets, ExampleZone.portsets).isEmpty)
        let split = ExampleZone.portsets.replacing(
            "map  s*           r*       nyc lon sjc", with: "map s0-s9 r* nyc lon sjc\nmap s10-s65535 r* nyc lon sjc")
        #expect(diff(ExampleZone.portsets, split).isEmpty)
        let serial = ExampleZone.content(zone: ExampleZone.zone.replacing("( 7", with: "( 8"))
        #expect(ZoneDiff(from: [ExampleZone.content()], to: [serial]).isEmpty)
    }

    @Test("One portset of one region is one rectangle, with the stream in it")
    func oneCell() {
        let edited = ExampleZone.portsets.replacing("r1283    sjc nyc lon", with: "r1283    lon sjc")
        #expect(
            diff(ExampleZone.portsets, edited).moves.map(\.description) == [
                "s4096 × r1283: sjc nyc lon → lon sjc, 1 stream"
            ])
    }

    @Test("A wide edit is a few rectangles, merged across regions and portsets")
    func wideEdit() {
        let edited = ExampleZone.portsets.replacing("s4096-s8191  r*       lon nyc sjc", with: "s4096-s8191 r* sjc lon")
        #expect(
            diff(ExampleZone.portsets, edited).moves.map(\.description) == [
                "s4096 × r1284-r1299: lon nyc sjc → sjc lon, 1 stream",
                "s4097-s8191 × r*: lon nyc sjc → sjc lon, 0 streams",
            ])
        let all = ExampleZone.portsets.replacing("r*       nyc lon sjc", with: "r*       nyc lon")
        #expect(
            diff(ExampleZone.portsets, all).moves.map(\.description) == [
                "s0-s4095 × r*: nyc lon sjc → nyc lon, 1 stream and those of live/*",
                "s8192-s65535 × r*: nyc lon sjc → nyc lon, 0 streams",
            ])
    }

    @Test("Changes of TTLs, regions, set regions, hosts and streams are listed by kind")
    func otherChanges() {
        let ttl = ExampleZone.portsets.replacing("ttl=5", with: "ttl=6")
        #expect(
            diff(ExampleZone.portsets, ttl).moves.map(\.description) == [
                "s4096 × r1283: sjc nyc lon stays, TTL 5 → 6, 1 stream"
            ])
        let region = ExampleZone.portsets + "region r2\n"
        #expect(
            diff(ExampleZone.portsets, region).moves.map(\.description) == [
                "s0-s4095 × r2: none → nyc lon sjc, 1 stream and those of live/*",
                "s4096-s8191 × r2: none → lon nyc sjc, 1 stream", "s8192-s65535 × r2: none → nyc lon sjc, 0 streams",
            ])
        let transit = ExampleZone.portsets.replacing("map  s1-s99       sjc", with: "map  s1-s98       sjc")
        #expect(
            diff(ExampleZone.portsets, transit).moves.map(\.description) == [
                "s99 × sjc: nyc lon → none, 0 streams and those of live/*"
            ])
        let host = ExampleZone.portsets.replacing("hosts=nyc-1,nyc-2:4901", with: "hosts=nyc-1")
        #expect(diff(ExampleZone.portsets, host).changes.map(\.kind) == ["setregion"])
        let moved = ZoneDiff(
            from: [ExampleZone.content()],
            to: [
                ExampleZone.content(
                    streams: ExampleZone.streams.replacing("live/sport  s17", with: "live/sport s18"),
                    zone: ExampleZone.zone.replacing("127.0.2.3", with: "127.0.2.9"))
            ])
        #expect(moved.changes.map(\.kind) == ["record", "stream"])
        #expect(ZoneDiff(from: [ExampleZone.content()], to: []).changes.map(\.text) == ["zone removed"])
    }
}
