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
    @Test("20,000 mutated generations never trap, and what compiles also diffs, explains and has sound indices")
    func mutations() throws {
        let seed: UInt64 = 20_240_611
        var random = SeededGenerator(state: seed)
        let originals = [ExampleZone.zone, ExampleZone.portsets, ExampleZone.streams].map { Array($0.utf8) }
        let names = ["reflector.net.zone", "reflector.net.portsets", "reflector.net.streams"]
        var accepted = 0
        for round in 0..<20_000 {
            var files = originals
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let file = Int.random(in: 0..<3, using: &random)
                Self.mutate(&files[file], &random)
            }
            let compiled = ZoneCompiler.compile(files: zip(names, files).map { ($0, $1) })
            guard let content = compiled.contents.first else {
                #expect(compiled.hasErrors)
                continue
            }
            accepted += 1
            #expect(Self.isSound(content), "seed \(seed) round \(round)")
            if accepted % 500 == 0 {
                _ = ZoneDiff(from: [ExampleZone.content()], to: [content])
                _ = ZoneExplanation.explain("n1.r1283.s4096", in: [content])
            }
        }
        #expect(accepted > 500 && accepted < 19_500)
    }

    private static func mutate(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        guard !bytes.isEmpty else { return }
        let at = Int.random(in: 0..<bytes.count, using: &random)
        let end = min(bytes.count, at + Int.random(in: 1...30, using: &random))
        let likely = Array("()\";\\#$*-=,:/.@0129rsnmap \n\t\r\u{0}".utf8)
        switch Int.random(in: 0..<7, using: &random) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes[at] = likely.randomElement(using: &random) ?? 0
        case 2: bytes.insert(likely.randomElement(using: &random) ?? 0, at: at)
        case 3: bytes.removeSubrange(at..<end)
        case 4: bytes.insert(contentsOf: bytes[at..<end], at: Int.random(in: 0...bytes.count, using: &random))
        case 5: bytes.removeSubrange(at...)
        default: bytes.insert(contentsOf: Array("99999999999999999999".utf8), at: at)
        }
    }

    /// Every index in a content points at something.
    private static func isSound(_ content: ZoneContent) -> Bool {
        content.setRegions.allSatisfy { $0.members.allSatisfy { content.hosts.indices.contains($0.host) } }
            && content.rules.allSatisfy { rule in
                rule.parents.count <= 3 && rule.parents.allSatisfy { content.setRegions.indices.contains($0) }
            }
            && content.streams.allSatisfy { $0.entrypoints.allSatisfy { content.hosts.indices.contains($0) } }
            && content.edgeRegions.allSatisfy { $0.hosts.allSatisfy { content.hosts.indices.contains($0) } }
    }

    @Test("100,000 map lines over 3,000 regions compile without looking at each pair of them", .timeLimit(.minutes(1)))
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

    @Test("1,000 overlapping rectangles over 3,000 regions agree with a plain search, cell by cell")
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
        var painter = RowPainter(content, axis)
        var winning = Set<Int>()
        for row in rows.starts.indices {
            let portset = rows.portsets(row).lowerBound
            let winners = painter.winners(portset: portset)
            winning.formUnion(winners.map(Int.init))
            guard row % 97 == 0 else { continue }
            for column in stride(from: 0, to: axis.segments.count, by: 53) {
                let region = RegionID(axis.segments[column].lowerBound)
                let expected = Mapping.winner(content, portset: PortsetID(portset), region: region)
                #expect(expected.map { Int32($0) } ?? -1 == winners[column])
            }
        }
        let dead = Set(compiled.problems.filter { $0.message.hasPrefix("this line never") }.map(\.line))
        #expect(
            dead == Set(content.rules.indices.filter { !winning.contains($0) }.map { content.rules[$0].source.line }))
    }
}
