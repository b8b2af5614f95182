import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

@Suite("Keys of streams that parents give")
struct StreamKeyTests {
    private static let region = RegionID(1283)
    private static let incarnation = Incarnation(high: 1, low: 1)
    private let stream = StreamName("live/news")!
    private let source = NodeID(name: "ep")

    /// An edge whose only parent is hostile and has opened a link.
    private func fetching() throws -> (bench: Bench, edge: RelayNode, parent: HostilePeer, sink: Bench.Sink) {
        let bench = Bench()
        let sink = Bench.Sink()
        let place = Bench.endpoint(66)
        let answer = LookUpResult.records(
            LookUpAnswer(
                hosts: [ResolvedHost(name: "hostile", endpoint: place, priority: 0, weight: 1)], ttlSeconds: 20,
                serial: 1, portset: PortsetID(7)))
        bench.answers[.candidates(stream)] = answer
        for rank in ParentRank.allCases { bench.answers[.parents(rank, Self.region, PortsetID(7))] = answer }
        let edge = bench.add("edge", .edge, 100, region: Self.region, sink: sink)
        let parent = HostilePeer("hostile", .set, at: place, of: edge, bench, seed: 4)
        edge.want(stream, at: bench.now)
        for _ in 0..<40 where parent.subscribed == nil {
            bench.run(for: .milliseconds(10))
            parent.answer()
        }
        try #require(parent.subscribed != nil)
        return (bench, edge, parent, sink)
    }

    private func reply(to peer: HostilePeer) throws -> SubscribeReply {
        SubscribeReply(
            subscription: try #require(peer.subscribed).subscription, status: .ok, source: source,
            incarnation: Self.incarnation)
    }

    private func sendData(_ peer: HostilePeer, _ numbers: ClosedRange<UInt64>) {
        for number in numbers {
            peer.sendData(
                stream, source: source, incarnation: Self.incarnation, sequence: number,
                linkNumber: UInt32(number))
        }
    }

    @Test("Another key for the incarnation in use is counted, and not used while packets arrive under the first one")
    func contradicted() throws {
        let (bench, edge, parent, sink) = try fetching()
        let tag = IncarnationTag(stream: stream, source: source, incarnation: Self.incarnation)
        parent.send(.subscribeReply(try reply(to: parent)))
        sendData(parent, 1...10)
        #expect(sink.payloads.count == 10)
        // The same key again is no contradiction.
        parent.send(.subscribeReply(try reply(to: parent)))
        #expect(edge.counters[.streamKeysContradicted] == 0)
        let keys = edge.keyCount
        parent.forgetKey(of: tag)
        parent.send(.subscribeReply(try reply(to: parent)))
        #expect(edge.counters[.streamKeysContradicted] == 1)
        #expect(edge.keyCount == keys, "the key must be released")
        sendData(parent, 11...20)
        #expect(edge.counters[.rejectedBadSeal] == 10 && sink.payloads.count == 10)
        // After a second without a packet, the parent is believed that the first key was a lie.
        for _ in 0..<11 {
            bench.run(for: .milliseconds(100))
            parent.send(
                .linkHeartbeat(
                    LinkHeartbeat(
                        nextLinkNumber: 21, leaseNonce: 1, timestamp: 0, echoedTimestamp: 0, echoDelayMicroseconds: 0,
                        digestMismatch: false, entries: [])))
        }
        parent.answer()
        parent.send(.subscribeReply(try reply(to: parent)))
        #expect(edge.counters[.streamKeysContradicted] == 2)
        sendData(parent, 21...40)
        #expect(edge.counters[.rejectedBadSeal] == 10)
        #expect(edge.keyCount == keys)
        bench.run(for: .seconds(1))
        #expect(sink.payloads.count >= 20)
    }

    @Test("A key that was wrapped for another link, or changed on the way, begins nothing and is counted")
    func replayed() throws {
        let (_, edge, parent, sink) = try fetching()
        // A genuine key, wrapped for the hostile node as a child of a set reflector of another network.
        var tree = try #require(Tree(sets: 1))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        let child = HostilePeer("hostile", .edge, at: Bench.endpoint(67), of: tree.sets[0], tree.bench)
        try #require(child.open())
        child.subscribe(tree.stream)
        tree.stream(for: .milliseconds(100))
        child.answer()
        let genuine = try #require(child.reply)
        let key = try #require(genuine.key)

        var replayed = try reply(to: parent)
        (replayed.source, replayed.incarnation, replayed.key) = (genuine.source, genuine.incarnation, key)
        let keys = edge.keyCount
        parent.send(.subscribeReply(replayed))
        #expect(edge.counters[.streamKeysRejected] == 1)
        replayed.key = WrappedKey(nonce: key.nonce)
        parent.send(.subscribeReply(replayed))
        #expect(edge.counters[.streamKeysRejected] == 2)
        #expect(edge.stream(stream)?.incarnation == nil)
        #expect(edge.keyCount == keys && sink.payloads.isEmpty)
        // A right key does.
        parent.send(.subscribeReply(try reply(to: parent)))
        #expect(edge.stream(stream)?.incarnation != nil)
    }

    @Test("A key that was wrapped for one incarnation does not begin another one")
    func otherIncarnation() throws {
        let (_, edge, parent, _) = try fetching()
        parent.send(.subscribeReply(try reply(to: parent)))
        let tag = try #require(edge.stream(stream)?.incarnation?.tag)
        let link = try #require(edge.core.links.parents.all.first)
        // What the parent would have to say, with the first incarnation's key.
        var other = try reply(to: parent)
        other.incarnation = Incarnation(high: 2, low: 2)
        other.key = parent.lastWrapped
        parent.send(.subscribeReply(other))
        #expect(edge.counters[.streamKeysRejected] == 1)
        #expect(edge.stream(stream)?.incarnation?.tag == tag)
        #expect(link.isAlive)
    }

    @Test("No two keys are wrapped with one nonce, and each child gets its own wrapping")
    func nonces() throws {
        var tree = try #require(Tree(sets: 1))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        let set = tree.sets[0]
        var seen = Set<[UInt8]>()
        var replies = 0
        for number in 0..<3 as Range<UInt32> {
            let peer = HostilePeer(
                "edge-\(number)", .edge, at: Bench.endpoint(66 + number), of: set, tree.bench, seed: UInt64(number) + 9)
            try #require(peer.open())
            var nonces = Set<UInt64>()
            for subscription in 1...5 as ClosedRange<UInt32> {
                peer.subscribe(tree.stream, subscription)
                tree.stream(for: .milliseconds(50))
                peer.answer()
                let key = try #require(peer.reply?.key)
                nonces.insert(key.nonce)
                seen.insert(key.withBytes { Array($0) })
                replies += 1
            }
            #expect(nonces.count == 5)
        }
        #expect(seen.count == replies)
    }
}
