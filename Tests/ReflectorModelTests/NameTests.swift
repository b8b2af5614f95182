import Testing

@testable import ReflectorModel

@Suite("Names and numbers as text")
struct NameTests {
    @Test("Region and portset labels are parsed in upper or lower case and printed in lower case")
    func labels() {
        #expect(RegionID(label: "r0") == RegionID(0))
        #expect(RegionID(label: "R1283")?.description == "r1283")
        #expect(RegionID(label: "r4294967295") == RegionID(.max))
        #expect(PortsetID(label: "S65535") == PortsetID(65_535))
        #expect(PortsetID(label: "s0")?.description == "s0")
    }

    @Test(
        "Text that is not a label is refused",
        arguments: [
            "", "r", "1283", "r01", "r00", "r-1", "r+1", "r 1", "r1 ", "x1", "r4294967296", "r99999999999", "r1a",
            "r١", "rr1", "r1.5",
        ])
    func notARegion(text: String) {
        #expect(RegionID(label: text) == nil)
        #expect(PortsetID(label: text.replacingR()) == nil)
    }

    @Test("A portset above 65535 is refused")
    func portsetBound() {
        #expect(PortsetID(label: "s65536") == nil)
    }

    @Test("Stream names are parsed, and reversed for the DNS")
    func streams() throws {
        let stream = try #require(StreamName("live/news"))
        #expect(stream.segments == ["live", "news"])
        #expect(stream.reversedLabels == "news.live")
        #expect(ReflectorName.candidates(stream).description == "news.live.streams")
        #expect(StreamName("a") != nil)
        #expect(StreamName("-/0/-a-") != nil)
        let segment = String(repeating: "a", count: 63)
        #expect(StreamName(segment + "/" + segment) != nil)
        #expect(StreamName(String(repeating: "ab/", count: 53) + "c")?.text.utf8.count == StreamName.lengthMax)
    }

    @Test(
        "Text that is not a stream name is refused",
        arguments: [
            "", "/", "/a", "a/", "a//b", "A", "live/News", "live.news", "live news", "a_b", "é", "live/\n", "a\0",
            String(repeating: "a", count: 64), String(repeating: "ab/", count: 53) + "cd", "*", "live/*",
        ])
    func notAStream(text: String) {
        #expect(StreamName(text) == nil)
    }

    @Test("Reflector names are printed as in the DNS, without the zone")
    func reflectorNames() {
        #expect(ReflectorName.parents(.first, RegionID(1283), PortsetID(4096)).description == "n1.r1283.s4096")
        #expect(ReflectorName.parents(.third, RegionID(1283), nil).description == "n3.r1283")
        #expect(ReflectorName.rootSets(PortsetID(4096)).description == "sets.s4096")
        #expect(ReflectorName.announceTargets(host: "ep-bos").description == "ep-bos.sets")
    }
}

extension String {
    /// The label with `s` in place of `r`, as that of a portset.
    fileprivate func replacingR() -> String { hasPrefix("r") ? "s" + dropFirst() : self }
}
