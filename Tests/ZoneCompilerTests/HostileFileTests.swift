import DNSAnswers
import LDNSKit
import ReflectorModel
import Testing

@testable import ZoneCompiler

/// SplitMix64: the same numbers in every process.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return FixedHash.mix(state)
    }
}

@Suite("Hostile and large files")
struct HostileFileTests {
    @Test("100,000 map lines over 3,000 regions compile without comparing all pairs", .timeLimit(.minutes(1)))
    func manyLines() {
        var random = SeededGenerator(state: 1)
        var text = ExampleZone.portsets + "region r10000-r12999\n"
        for _ in 0..<100_000 {
            let low = Int.random(in: 0...65_000, using: &random)
            let region = Int.random(in: 10_000...12_900, using: &random)
            text += "map s\(low)-s\(low + Int.random(in: 0...500, using: &random)) "
            text += "r\(region)-r\(region + Int.random(in: 0...90, using: &random)) nyc lon\n"
        }
        let clock = ContinuousClock()
        var compiled = CompiledZones(contents: [], problems: [])
        let time = clock.measure { compiled = ExampleZone.compile(portsets: text) }
        #expect(!compiled.hasErrors)
        #expect(compiled.contents.first?.rules.count == 100_004)
        print("100,000 map lines: \(time)")
    }

    @Test("An error is kept even if the list is full of warnings, and only what is not shown counts as dropped")
    func fullOfWarnings() {
        var list = ProblemList(file: "f")
        for line in 1...ProblemList.countMax { list.warning(line, 1, "odd") }
        list.error(2_000, 1, "wrong")
        #expect(list.dropped == 0)
        #expect(list.finished().last?.message == "wrong")
        list.error(2_001, 1, "wrong again")
        #expect(list.dropped == 1)
        #expect(list.finished().last?.message.hasPrefix("1 more problems in this file are not shown") == true)
    }

    @Test("1,000 overlapping rectangles over 3,000 regions agree with a linear search, cell by cell")
    func coverageAgrees() throws {
        var random = SeededGenerator(state: 2)
        var text = ExampleZone.portsets + "region r10000-r12999\n"
        for _ in 0..<1_000 {
            let (a, b) = (Int.random(in: 0...65_535, using: &random), Int.random(in: 0...65_535, using: &random))
            let (c, d) = (
                Int.random(in: 10_000...12_999, using: &random), Int.random(in: 10_000...12_999, using: &random)
            )
            text += "map s\(min(a, b))-s\(max(a, b)) r\(min(c, d))-r\(max(c, d)) nyc lon\n"
        }
        let clock = ContinuousClock()
        var compiled = CompiledZones(contents: [], problems: [])
        let time = clock.measure { compiled = ExampleZone.compile(portsets: text) }
        print("1,000 random rectangles: \(time)")
        let content = try #require(compiled.contents.first)
        let axis = RegionAxis([content])
        let rows = PortsetAxis([content])
        var map = RuleRows(content, axis)
        var winning = Set<Int>()
        for row in rows.starts.indices {
            let portset = rows.portsets(row).lowerBound
            let winners = map.winners(portset: portset)
            winning.formUnion(winners.map(Int.init))
            guard row % 97 == 0 else { continue }
            for column in stride(from: 0, to: axis.segments.count, by: 53) {
                let region = RegionID(axis.segments[column].lowerBound)
                let expected = content.rulesMatching(portset: PortsetID(portset), region: region).last
                #expect(expected.map { Int32($0) } ?? -1 == winners[column])
            }
        }
        let dead = Set(compiled.problems.filter { $0.message.hasPrefix("this line never") }.map(\.line))
        #expect(
            dead == Set(content.rules.indices.filter { !winning.contains($0) }.map { content.rules[$0].source.line }))
    }
}
