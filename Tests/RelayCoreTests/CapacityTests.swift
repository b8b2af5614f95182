import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

/// Two set reflectors, of which `set-1` may send slightly more than ten copies of the stream. It is the second parent
/// of the edges of r1283, which want two paths, and the only parent of the edges of r1284.
@Suite("A parent that is nearly full")
struct CapacityTests {
    private struct Edges {
        var tree: Tree
        var extra: [(node: RelayNode, sink: Bench.Sink)] = []
        var main: [(node: RelayNode, sink: Bench.Sink)] = []
        private var number: UInt32 = 200

        init?() {
            // 8 bytes and the headers, 200 times a second.
            let copy = UInt64(200 * 8 * (8 + WireLimits.dataOverhead + 28))
            let made = Tree(sets: 2) { if $0.name == "set-1" { $0.capacity = copy * 106 / 10 } }
            guard let made else { return nil }
            tree = made
            let set = ResolvedHost(name: "set-1", endpoint: Tree.setEndpoint(1), priority: 0, weight: 1)
            tree.bench.answers[.parents(.first, RegionID(1284), PortsetID(7))] = .records(
                LookUpAnswer(hosts: [set], ttlSeconds: 2, serial: 1))
            tree.stream(for: .milliseconds(300))
        }

        mutating func add(isMain: Bool, then span: TimeSpan = .milliseconds(1_500)) {
            number += 1
            let sink = Bench.Sink()
            let node = tree.bench.add(
                "edge-\(number)", .edge, number, region: RegionID(isMain ? 1_284 : 1_283), sink: sink
            ) { $0.pathsMin = isMain ? 1 : 2 }
            node.want(tree.stream, at: tree.bench.now)
            if isMain { main.append((node, sink)) } else { extra.append((node, sink)) }
            tree.stream(for: span)
        }

        /// Adds four edges that want an extra path, and waits long enough for it: an edge adds its extra path only
        /// after it has caught up.
        mutating func addExtraPaths() {
            for _ in 0..<4 { add(isMain: false) }
            tree.stream(for: .seconds(6))
        }

        static func paths(_ node: RelayNode) -> [Endpoint] { node.snapshot.paths.map(\.parent) }
        static func isGapless(_ sink: Bench.Sink) -> Bool {
            let numbers = sink.payloads.map { $0.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } }
            guard let first = numbers.first else { return false }
            return numbers == Array(first..<first + UInt64(numbers.count))
        }
    }

    @Test("refuses extra paths, and accepts children that lack the stream")
    func refusal() throws {
        var edges = try #require(Edges())
        for _ in 0..<8 { edges.add(isMain: true) }
        edges.add(isMain: false)
        #expect(Edges.paths(edges.extra[0].node) == [Tree.setEndpoint(0)])
        #expect(edges.tree.sets[1].counters[.subscribesRefusedBusy] > 0)
        let before = edges.tree.sets[1].counters[.subscribesRefusedBusy]
        edges.add(isMain: true)
        #expect(Edges.paths(edges.main[8].node) == [Tree.setEndpoint(1)])
        #expect(edges.tree.sets[1].counters[.subscribesRefusedBusy] == before)
        #expect((edges.main + edges.extra).allSatisfy { Edges.isGapless($0.sink) })
    }

    @Test("asks children to end extra paths, and none of them loses anything")
    func shedding() throws {
        var edges = try #require(Edges())
        edges.addExtraPaths()
        #expect(edges.extra.allSatisfy { Edges.paths($0.node).count == 2 })
        for _ in 0..<6 { edges.add(isMain: true) }
        #expect(edges.main.allSatisfy { Edges.paths($0.node) == [Tree.setEndpoint(1)] })
        #expect(edges.tree.sets[1].counters[.extraPathsCrowded] == 2)
        #expect(edges.extra.filter { Edges.paths($0.node) == [Tree.setEndpoint(0)] }.count == 2)
        #expect((edges.main + edges.extra).allSatisfy { Edges.isGapless($0.sink) && $0.sink.lost == 0 })
    }

    @Test("keeps an extra path that has become the only one")
    func onlyOne() throws {
        var edges = try #require(Edges())
        edges.addExtraPaths()
        edges.tree.bench.remove(edges.tree.sets[0])
        edges.tree.stream(for: .seconds(2))
        for _ in 0..<7 { edges.add(isMain: true) }
        #expect(edges.tree.sets[1].counters[.extraPathsCrowded] > 0)
        #expect(edges.extra.allSatisfy { Edges.paths($0.node).contains(Tree.setEndpoint(1)) })
        #expect(edges.extra.allSatisfy { Edges.isGapless($0.sink) && $0.sink.lost == 0 })
        // The last edge does not fit.
        #expect(edges.main.filter { $0.sink.payloads.isEmpty }.count == 1)
    }

    @Test("serves many new children equally: all live packets, and as much of the backlog as fits")
    func crowd() throws {
        var edges = try #require(Edges())
        edges.add(isMain: true)
        edges.tree.stream(for: .seconds(8))
        for _ in 0..<9 { edges.add(isMain: true, then: .zero) }
        edges.tree.stream(for: .seconds(20))
        #expect(edges.tree.sets[1].counters[.subscribesRefusedBusy] == 0)
        for (_, sink) in edges.main.dropFirst() {
            // The oldest packet of a backlog may leave the ring before its turn comes.
            #expect(Edges.isGapless(sink) && sink.lost <= 1)
            // 20 s of live packets are 4,000.
            #expect(sink.payloads.count > 4_000 && sink.payloads.count < 5_000)
        }
    }
}
