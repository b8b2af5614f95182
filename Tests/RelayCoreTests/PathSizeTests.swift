import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

@Suite("Paths with a small MTU")
struct PathSizeTests {
    /// The largest UDP payload that fits an MTU of 1280 over IPv4.
    private static let datagramMax = 1_280 - 28

    private func payload(_ number: UInt64, packets: Int = 7) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 188 * packets)
        withUnsafeBytes(of: number) { bytes.replaceSubrange(0..<8, with: $0) }
        return bytes
    }

    private func stream(_ tree: inout Tree, for span: TimeSpan, from number: inout UInt64) {
        for _ in 0..<span.milliseconds / 5 {
            number += 1
            payload(number).withUnsafeBytes { tree.entrypoint.ingest($0, stream: tree.stream, at: tree.bench.now) }
            tree.bench.run(for: .milliseconds(5))
        }
    }

    private func bytes(_ tree: Tree) -> Int { tree.sink.payloads.reduce(0) { $0 + $1.count } }

    @Test("An edge behind an MTU of 1280 gets its stream after two seconds, in smaller packets, and the log says why")
    func heals() throws {
        var tree = try #require(Tree(sets: 1))
        var number: UInt64 = 0
        tree.bench.loses = { $0.to == Tree.edgeEndpoint && $0.bytes.count > Self.datagramMax }
        tree.edge.want(tree.stream, at: tree.bench.now)
        stream(&tree, for: .seconds(3), from: &number)
        #expect(tree.bench.limits == [WireLimits.payloadOfSmallPath])
        #expect(
            tree.bench.alarms.contains(
                .pathTooSmall(peer: "edge", Tree.edgeEndpoint, payload: WireLimits.payloadOfSmallPath)))
        #expect(tree.bench.alarms.contains(.payloadLowered(tree.stream, bytes: WireLimits.payloadOfSmallPath)))
        let before = bytes(tree)
        stream(&tree, for: .seconds(2), from: &number)
        // All data of 2 s except packets in flight: 400 payloads of 1,316 bytes, each in two parts.
        #expect(bytes(tree) - before > 380 * 1_316)
        #expect(tree.sink.payloads.suffix(100).allSatisfy { [752, 564].contains($0.count) })
        let status = tree.sets[0].status(zone: "z", endpoint: Tree.setEndpoint(0), at: tree.bench.now)
        #expect(status.links.first { $0.peer == "edge" }?.payloadMax == WireLimits.payloadOfSmallPath)
    }

    @Test("A path that carries full packets is probed once a minute, and nothing changes")
    func wide() throws {
        var tree = try #require(Tree(sets: 1))
        var number: UInt64 = 0
        tree.edge.want(tree.stream, at: tree.bench.now)
        stream(&tree, for: .seconds(3), from: &number)
        #expect(tree.sets[0].counters[.sizeProbesSent] == 1)
        stream(&tree, for: .seconds(60), from: &number)
        #expect(tree.sets[0].counters[.sizeProbesSent] == 2)
        #expect(tree.bench.limits.isEmpty)
        #expect(tree.sink.payloads.allSatisfy { $0.count == 1_316 })
    }

    @Test("If the MTU of a path in use shrinks, the node detects it by the losses")
    func shrinks() throws {
        var tree = try #require(Tree(sets: 1))
        var number: UInt64 = 0
        tree.edge.want(tree.stream, at: tree.bench.now)
        stream(&tree, for: .seconds(10), from: &number)
        tree.bench.loses = { $0.to == Tree.edgeEndpoint && $0.bytes.count > Self.datagramMax }
        stream(&tree, for: .seconds(6), from: &number)
        #expect(tree.bench.limits == [WireLimits.payloadOfSmallPath])
    }

    @Test("A loss of a third of all packets is not taken for a small MTU")
    func loss() {
        var generator = SeededGenerator(seed: 5)
        var small = 0
        for _ in 0..<200 {
            var size = PathSize()
            var now = MonotonicInstant.zero
            while size.nextStep < .zero + .seconds(30) {
                now = max(now, size.nextStep)
                for probe in size.step(at: now).probes where generator.next(upperBound: 3) > 0 {
                    size.received(length: probe + WireLimits.dataOverhead, at: now)
                }
            }
            if size.payload == WireLimits.payloadOfSmallPath { small += 1 }
        }
        #expect(small == 0)
    }

    @Test("A child that claims a tiny limit does not make packets smaller than an MTU of 1280 requires")
    func lies() throws {
        var tree = try #require(Tree(sets: 1))
        var number: UInt64 = 0
        tree.edge.want(tree.stream, at: tree.bench.now)
        stream(&tree, for: .seconds(1), from: &number)
        let link = try #require(tree.edge.core.links.parents.all.first)
        let subscription = try #require(link.subscriptions.keys.first)
        for bytes in [1, 187, 188, 1_400] as [UInt16] {
            tree.edge.core.send(.payloadLimit(subscription: subscription, bytes: bytes), on: link, at: tree.bench.now)
        }
        tree.edge.core.send(.payloadLimit(subscription: .max, bytes: 200), on: link, at: tree.bench.now)
        tree.edge.core.send(.sizeReport(length: .max), on: link, at: tree.bench.now)
        stream(&tree, for: .seconds(1), from: &number)
        #expect(tree.bench.limits.allSatisfy { $0 == WireLimits.payloadOfSmallPath })
        #expect(tree.sink.payloads.allSatisfy { $0.count >= 564 })
    }

    @Test("Announcements pass a path with an MTU of 1280")
    func announcements() {
        #expect(WireLimits.announceLengthMax + 48 <= 1_280)
        #expect(WireLimits.payloadOfSmallPath + WireLimits.dataOverhead + 48 <= 1_280)
        #expect(WireLimits.handshakeLengthMax + 48 <= 1_280)
    }
}
