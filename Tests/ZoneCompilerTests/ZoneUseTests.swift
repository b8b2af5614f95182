import DNSAnswers
import ReflectorModel
import Testing

@testable import ZoneCompiler

@Suite("zone list")
struct ZoneUseTests {
    private let content = ExampleZone.content()

    private func cells(_ use: ZoneUse) -> [String] {
        use.cells.map { "\($0.ranks.joined(separator: ",")) \($0.portsets) \($0.regions) :\($0.line.line)" }
    }

    @Test("A host is listed in the lines that name its set region, where they win, and in the streams they carry")
    func host() {
        let use = ZoneUse(of: .host("sjc-1"), in: content)
        #expect(use.facts == ["127.0.2.5", "2001:db8::5"])
        #expect(use.lines.map(\.text) == ["setregion sjc"])
        #expect(
            cells(use) == [
                "n3 s0-s4095 r1283-r1299 :7", "n1 s4096 r1283 :9", "n3 s4096 r1284-r1299 :8",
                "n3 s4097-s8191 r1283-r1299 :8", "n3 s8192-s65535 r1283-r1299 :7",
            ])
        #expect(use.streams.map(\.part) == ["carried", "carried", "carried"])
        #expect(!use.isCutShort)
        for name in ["sjc-1.reflector.net", "SJC-1.reflector.net."] {
            #expect(ZoneUse(of: .host(name), in: content).cells == use.cells)
        }
    }

    @Test(
        "A parent of a set region is listed there; a candidate entrypoint in its streams; an unknown host nowhere")
    func otherHosts() {
        #expect(cells(ZoneUse(of: .host("nyc-1"), in: content)).contains("n1 s1-s99 sjc :10"))
        let entrypoint = ZoneUse(of: .host("EP-NYC"), in: content)
        #expect(entrypoint.cells.isEmpty)
        #expect(entrypoint.streams.map(\.part) == ["candidate 2 of 2", "candidate 1 of 1", "candidate 1 of 1"])
        #expect(ZoneUse(of: .host("edge-bos"), in: content).lines.map(\.text) == ["region r1283"])
        #expect(ZoneUse(of: .host("nobody"), in: content).isUnused)
    }

    @Test("A portset lists all regions; a region lists all portsets")
    func rowsAndColumns() {
        let portset = ZoneUse(of: .portset(PortsetID(4_096)), in: content)
        #expect(cells(portset) == [" s4096 r1283 :9", " s4096 r1284-r1299 :8"])
        #expect(portset.facts == ["root set regions: nyc, lon, sjc"])
        #expect(portset.streams.map(\.part) == ["in it"])
        let region = ZoneUse(of: .region(RegionID(1_283)), in: content)
        #expect(
            cells(region) == [
                " s0-s4095 r1283 :7", " s4096 r1283 :9", " s4097-s8191 r1283 :8", " s8192-s65535 r1283 :7",
            ])
        #expect(region.lines.map(\.text) == ["region r1283 name=boston hosts=edge-bos"])
        #expect(cells(ZoneUse(of: .region(RegionID(9_003)), in: content)) == [" s1-s99 sjc :10"])
        #expect(ZoneUse(of: .region(RegionID(7)), in: content).isUnused)
    }

    @Test("Every cell is in exactly one rectangle, of the line that wins there")
    func covers() {
        var random = SeededGenerator(state: 77)
        var map = ""
        for _ in 0..<30 {
            let low = Int.random(in: 0...200, using: &random)
            let regions = Int.random(in: 1_283...1_299, using: &random)
            map += "map s\(low)-s\(low + Int.random(in: 0...60, using: &random)) r\(regions)-r1299 nyc lon\n"
        }
        let content = ExampleZone.content(portsets: ExampleZone.portsets + map)
        let all = Array(repeating: true, count: content.rules.count)
        let found = MapRectangles(content, portsets: 0...300, rules: all, limit: 10_000)
        for portset in UInt16(0)...300 {
            for region in UInt32(1_283)...1_299 {
                let covering = found.all.filter { rectangle in
                    guard case .edge(let ids) = rectangle.columns else { return false }
                    return rectangle.portsets.contains(portset) && ids.contains(region)
                }
                let winner = content.rulesMatching(portset: PortsetID(portset), region: RegionID(region)).last
                #expect(covering.map(\.rule) == [winner], "s\(portset) r\(region)")
            }
        }
        #expect(MapRectangles(content, rules: all, limit: 3).isCutShort)
    }
}
