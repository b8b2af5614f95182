import DNSAnswers
import ReflectorModel
import Testing

@Suite("Rule index")
struct RuleIndexTests {
    @Test("The index agrees with a linear search of all lines", arguments: 0..<40)
    func bruteForce(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let content = Self.randomContent(&random, rules: Int.random(in: 0...120, using: &random))
        let image = try ZoneImage(content, serial: 1)
        for _ in 0..<3_000 {
            let portset = UInt16.random(in: 0...(seed % 2 == 0 ? 300 : .max), using: &random)
            let region = random.next() % 16 == 0 ? UInt32.max : UInt32.random(in: 0...420, using: &random)
            let found = image.winningRule(portset: PortsetID(portset), region: RegionID(region))
            #expect(found == Self.winner(content, portset, region), "seed \(seed): s\(portset) r\(region)")
        }
    }

    @Test("Memory is proportional to the number of lines (20,000), even if they form a grid")
    func size() throws {
        var content = ExampleZone.content
        content.edgeRegions = [.init(ids: 0...99_999, name: "", source: .init(file: "", line: 1))]
        content.rules = (0..<20_000).map { number in
            let start = UInt32(number % 10_000)
            let isRow = number < 10_000
            return .init(
                portsets: isRow ? UInt16(start * 6)...UInt16(start * 6 + 2) : 0...65_535,
                regions: .edge(isRow ? 0...99_999 : start * 10...start * 10 + 4), parents: [number % 3], ttl: 20,
                source: .init(file: "", line: number))
        }
        let image = try ZoneImage(content, serial: 1)
        #expect(image.ruleIndexNodeCount < 20_000 * 40)
        #expect(image.winningRule(portset: PortsetID(6), region: RegionID(7)) == 1)
        #expect(image.winningRule(portset: PortsetID(6), region: RegionID(12)) == 10_001)
    }

    static func winner(_ content: ZoneContent, _ portset: UInt16, _ region: UInt32) -> Int? {
        let isEdge = content.edgeRegions.contains { $0.ids.contains(region) }
        return content.rules.lastIndex { rule in
            guard rule.portsets.contains(portset) else { return false }
            switch rule.regions {
            case .allEdge: return isEdge
            case .edge(let ids): return isEdge && ids.contains(region)
            case .setRegion(let set): return !isEdge && content.setRegions[set].id?.rawValue == region
            }
        }
    }

    /// Rules with random ranges within few regions and portsets, so that ranges touch and overlap in every way.
    private static func randomContent(_ random: inout SeededGenerator, rules: Int) -> ZoneContent {
        func range(_ most: UInt32) -> ClosedRange<UInt32> {
            let a = UInt32.random(in: 0...most, using: &random)
            let b = UInt32.random(in: 0...most, using: &random)
            return min(a, b)...max(a, b)
        }
        var content = ExampleZone.content
        let line = ZoneContent.SourceLine(file: "", line: 1)
        content.edgeRegions = (0..<Int.random(in: 0...6, using: &random)).map { _ in
            .init(ids: range(400), name: "", source: line)
        }
        if random.next() % 2 == 0 {
            content.edgeRegions.append(.init(ids: 4_294_967_290...4_294_967_295, name: "", source: line))
        }
        content.setRegions[0].id = RegionID(405)
        content.setRegions[1].id = RegionID(410)
        content.rules = (0..<rules).map { number in
            let portsets = range(random.next() % 2 == 0 ? 300 : 65_535)
            let regions: ZoneContent.RegionSelector =
                switch random.next() % 8 {
                case 0: .allEdge
                case 1: .setRegion(Int(random.next() % 2))
                case 2: .edge(range(400).lowerBound...UInt32.max)
                default: .edge(range(420))
                }
            return .init(
                portsets: UInt16(portsets.lowerBound)...UInt16(portsets.upperBound), regions: regions,
                parents: [2], ttl: UInt32(number), source: line)
        }
        return content
    }
}
