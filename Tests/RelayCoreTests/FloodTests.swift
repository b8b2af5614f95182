import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

@Suite("Peers that flood a node with control messages")
struct FloodTests {
    private func floods(_ tree: Tree) -> Int {
        tree.bench.alarms.filter { if case .controlFlood = $0 { true } else { false } }.count
    }

    @Test("NAKs beyond 20,000 a second are dropped, counted and reported once, and others get their stream")
    func naks() throws {
        var tree = try #require(Tree(sets: 1))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        let set = tree.sets[0]
        let child = HostilePeer("hostile", .edge, at: Bench.endpoint(66), of: set, tree.bench, seed: 66)
        #expect(child.open())
        child.subscribe(tree.stream)
        tree.stream(for: .milliseconds(100))
        tree.bench.forgetSent()
        let highest = try #require(set.core.streams.all.first?.incarnation).index.highest
        let first = SequenceNumber(highest > 64 ? highest - 63 : 1)
        for turn in 0..<25_000 {
            let nak = Nak(
                subscription: 1, tryNumber: UInt8(1 + turn % Int(Nak.triesMax)), runs: [.init(first: first, count: 64)])
            child.send(.nak(nak))
        }
        #expect(set.counters[.naksReceived] == 20_000)
        #expect(set.counters[.droppedControlFlood] == 5_000)
        #expect(floods(tree) == 1)
        tree.bench.run(for: .milliseconds(20))
        // Each of the 64 numbers is repaired as often as its tries allow: not 20,000 times.
        #expect(tree.bench.data(to: child.endpoint).count < 4_096)
        let before = tree.numbers.count
        tree.stream(for: .seconds(1))
        #expect(tree.isGapless && tree.numbers.count - before >= 195)
    }

    /// An entrypoint whose only set reflector is hostile.
    private func announcing(streams: Int) throws -> (bench: Bench, entrypoint: RelayNode, parent: HostilePeer) {
        let bench = Bench()
        let set = Bench.endpoint(60)
        bench.answers[.announceTargets(host: "ep")] = .records(
            LookUpAnswer(hosts: [ResolvedHost(name: "set-0", endpoint: set, priority: 0, weight: 1)], ttlSeconds: 20))
        let entrypoint = bench.add("ep", .entrypoint, 61)
        let parent = HostilePeer("set-0", .set, at: set, of: entrypoint, bench, seed: 6)
        for index in 0..<streams {
            let stream = try #require(StreamName("live/\(index)"))
            bench.answers[.candidates(stream)] = .records(
                LookUpAnswer(
                    hosts: [ResolvedHost(name: "ep", endpoint: Bench.endpoint(61), priority: 0, weight: 1)],
                    ttlSeconds: 20, portset: PortsetID(7)))
            #expect(entrypoint.provide(stream, at: bench.now))
        }
        for _ in 0..<100 where !parent.isOpen {
            bench.run(for: .milliseconds(10))
            parent.answer()
        }
        try #require(parent.isOpen)
        return (bench, entrypoint, parent)
    }

    @Test("One more stream among 500 costs one small message, and so does one that ends")
    func oneChange() throws {
        let (bench, entrypoint, parent) = try announcing(streams: 500)
        bench.run(for: .milliseconds(300))
        parent.answer()
        let stream = try #require(StreamName("live/more"))
        bench.answers[.candidates(stream)] = .records(
            LookUpAnswer(
                hosts: [ResolvedHost(name: "ep", endpoint: Bench.endpoint(61), priority: 0, weight: 1)],
                ttlSeconds: 20, portset: PortsetID(7)))
        let heartbeat = 67
        for isProvided in [true, false] {
            bench.forgetSent()
            if isProvided {
                #expect(entrypoint.provide(stream, at: bench.now))
            } else {
                entrypoint.encoderLeft(stream, at: bench.now)
            }
            bench.run(for: .milliseconds(100))
            let sizes = bench.sent.filter { $0.to == parent.endpoint }.map(\.bytes.count).filter { $0 != heartbeat }
            #expect(sizes.count == 1 && sizes.allSatisfy { $0 < 120 }, "\(sizes)")
        }
    }

    @Test("A parent that pulls the announcements all the time gets them as often as an honest one")
    func pulls() throws {
        let (bench, entrypoint, parent) = try announcing(streams: 500)
        bench.run(for: .milliseconds(200))
        parent.answer()
        bench.forgetSent()
        /// The number of pages of the list that are sent in answer to this many pulls.
        func pages(_ pulls: Int) -> Int {
            bench.forgetSent()
            for _ in 0..<pulls { parent.send(.announcePull(versionHeld: 0)) }
            bench.run(for: .milliseconds(1))
            return bench.sent.filter { $0.to == parent.endpoint && $0.bytes.count > 500 }.count
        }
        let first = pages(1_000)
        #expect((10...40).contains(first), "\(first)")
        #expect(pages(1_000) == 0)
        bench.run(for: .milliseconds(150))
        parent.answer()
        #expect(pages(1) == first)
        #expect(entrypoint.counters[.droppedControlFlood] == 0)
    }

    @Test("A parent's messages beyond 20,000 at once are dropped, counted and reported once")
    func parents() throws {
        let (bench, entrypoint, parent) = try announcing(streams: 1)
        for _ in 0..<25_000 { parent.send(.heartbeatReply(HeartbeatReply(echoedTimestamp: .max))) }
        #expect(entrypoint.counters[.droppedControlFlood] >= 4_900)
        #expect(bench.alarms.filter { if case .controlFlood = $0 { true } else { false } }.count == 1)
    }

    @Test("Look-ups beyond what the shell takes in one turn are dropped, counted and made later")
    func requests() throws {
        var tree = try #require(Tree(sets: 1))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        for number in 0..<10_000 {
            tree.edge.want(try #require(StreamName("junk/n\(number)")), at: tree.bench.now)
        }
        #expect(tree.edge.counters[.droppedLookUpTableFull] > 1_000)
        tree.stream(for: .seconds(6))
        #expect(tree.bench.unavailable.count >= 10_000, "each viewer gets a result")
        #expect(tree.isGapless)
    }

    @Test("After a parent has kept changing the source, the source of an honest parent is accepted within seconds")
    func sources() throws {
        var tree = try #require(Tree(sets: 1))
        let bench = tree.bench
        let (stream, region) = (try #require(StreamName("live/flips")), RegionID(7))
        bench.answers[.candidates(stream)] = .records(
            LookUpAnswer(
                hosts: [ResolvedHost(name: "ep", endpoint: Tree.entrypointEndpoint, priority: 0, weight: 1)],
                ttlSeconds: 2, portset: PortsetID(8)))
        func answer(_ name: String, _ endpoint: Endpoint, serial: UInt32) {
            for rank in ParentRank.allCases {
                bench.answers[.parents(rank, region, PortsetID(8))] = .records(
                    LookUpAnswer(
                        hosts: [ResolvedHost(name: name, endpoint: endpoint, priority: 0, weight: 1)],
                        ttlSeconds: 2, serial: serial))
            }
        }
        let place = Bench.endpoint(66)
        answer("hostile", place, serial: 1)
        let edge = bench.add("edge-2", .edge, 101, region: region, sink: Bench.Sink())
        let parent = HostilePeer("hostile", .set, at: place, of: edge, bench, seed: 3)
        edge.want(stream, at: bench.now)
        var changes: UInt64 = 0
        for turn in 0..<400 as Range<UInt64> {
            parent.answer()
            if let request = parent.subscribed {
                var reply = SubscribeReply(subscription: request.subscription, status: .ok)
                (reply.source, reply.incarnation) = (NodeID(9), Incarnation(high: 1, low: turn))
                parent.send(.subscribeReply(reply))
                changes += 1
            }
            tree.stream(for: .milliseconds(10))
        }
        #expect(changes > 200)
        answer("set-0", Tree.setEndpoint(0), serial: 2)
        #expect(tree.entrypoint.provide(stream, at: bench.now))
        for _ in 0..<1_000 {
            tree.entrypoint.ingest(UnsafeRawBufferPointer(start: nil, count: 0), stream: stream, at: bench.now)
            tree.stream(for: .milliseconds(5))
        }
        #expect(edge.counters[.delivered] > 300)
    }
}
