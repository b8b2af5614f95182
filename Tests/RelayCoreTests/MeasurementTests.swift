import ReflectorModel
import Testing

@testable import RelayCore

@Suite("Which links are measured, and which streams are reported")
struct MeasurementTests {
    private final class Count: LinkMeasurements {
        var counts: [LinkMeasure: UInt64] = [:]
        func record(_ measure: LinkMeasure, _ span: TimeSpan, count: Int, at now: MonotonicInstant) {
            counts[measure, default: 0] += UInt64(count)
        }
        func summary(of measure: LinkMeasure, at now: MonotonicInstant) -> DelaySummary? {
            counts[measure].map {
                DelaySummary(
                    count: $0, sumMilliseconds: 0, p50Milliseconds: 0, p99Milliseconds: 0, maxMilliseconds: 0)
            }
        }
    }

    private func links(of node: RelayNode, at now: MonotonicInstant) -> [LinkStatus] {
        node.status(zone: "", endpoint: Tree.entrypointEndpoint, at: now).links
    }

    private func running(measuredMax: Int = 1_024) throws -> Tree {
        var tree = try #require(
            Tree(sets: 2, { $0.measuredLinksMax = measuredMax }, makeMeasurements: { Count() }))
        tree.stream(for: .milliseconds(300))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(3))
        #expect(tree.parent == Tree.setEndpoint(0))
        return tree
    }

    @Test("links that carry subscriptions are measured; warm links and links for announcing are not")
    func onlyWithSubscriptions() throws {
        let tree = try running()
        let now = tree.bench.now
        let parents = links(of: tree.edge, at: now)
        let used = try #require(parents.first { $0.subscriptions == 1 })
        #expect(used.delayVariation?.count ?? 0 > 10)
        #expect(used.roundTrip?.count ?? 0 > 10)
        let warm = try #require(parents.first { $0.subscriptions == 0 })
        #expect(warm.delayVariation == nil && warm.roundTrip == nil)
        let child = try #require(links(of: tree.sets[0], at: now).first { $0.part == "child" && $0.subscriptions == 1 })
        #expect(child.residence?.count ?? 0 > 500)
        #expect(child.delayVariation?.count ?? 0 > 0)
        #expect(links(of: tree.sets[1], at: now).allSatisfy { $0.delayVariation == nil })
        #expect(tree.edge.core.meter.count == 1)
    }

    @Test("A node that slept takes its sleep for no round trip, and its parent does not either")
    func sleep() throws {
        var tree = try running()
        tree.bench.pause(tree.edge, for: .seconds(2))
        tree.stream(for: .seconds(2) + .milliseconds(50))
        for _ in 0..<4 {
            for node in [tree.edge, tree.sets[0]] {
                for link in links(of: node, at: tree.bench.now) where link.subscriptions == 1 {
                    #expect(try #require(link.roundTripMilliseconds) < 20, "\(link.part) \(link.peer)")
                }
            }
            tree.stream(for: .seconds(1))
        }
        #expect(tree.isGapless)
    }

    @Test("no more links than the maximum are measured, the others are counted, and a link that ends makes room")
    func bounded() throws {
        var tree = try running(measuredMax: 1)
        // The set reflector has a link to a parent and one to a child; the link to the parent came second.
        #expect(tree.sets[0].core.meter.count == 1)
        #expect(tree.sets[0].counters[.droppedMeasurementsFull] == 1)
        tree.edge.release(tree.stream, at: tree.bench.now)
        tree.edge.close(at: tree.bench.now)
        tree.bench.remove(tree.edge)
        tree.stream(for: .seconds(20))
        #expect(tree.sets[0].core.meter.count == 0)
    }

    @Test("pages of streams contain each stream once, even if streams end between two pages")
    func pages() throws {
        let bench = Bench()
        let node = bench.add("ep", .entrypoint, 1)
        let names = try (0..<700).map { try #require(StreamName("live/n\($0)")) }
        for name in names { #expect(node.provide(name, at: bench.now)) }
        func page(_ from: Int, _ count: Int) throws -> NodeStatus {
            let page = try #require(StreamPage(from: from, count: count))
            return node.status(zone: "", endpoint: Tree.entrypointEndpoint, streams: page, at: bench.now)
        }
        let first = node.status(zone: "", endpoint: Tree.entrypointEndpoint, at: bench.now)
        #expect(first.streams.count == StreamPage.countDefault)
        #expect(first.streamsTotal == 700)
        // Two streams end: one that was already reported, and one that was not.
        for name in [names[3], names[300]] { node.encoderLeft(name, at: bench.now) }
        bench.run(for: .seconds(11))
        var told = first.streams.map(\.name)
        var next = first.nextStreams
        while let from = next {
            let page = try page(from, 100)
            #expect(page.links.isEmpty && page.streamsTotal == 698)
            told += page.streams.map(\.name)
            next = page.nextStreams
        }
        #expect(told == names.map(\.text).filter { $0 != "live/n300" })
        let none = try page(0, 0)
        #expect(none.streams.isEmpty && none.streamsTotal == 698)
        let beyond = try page(.max, 10)
        #expect(beyond.streams.isEmpty && beyond.nextStreams == nil)
    }
}
