import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

@Suite("A hostile child with a valid certificate")
struct HostileChildTests {
    private func running(_ change: (inout RelayConfiguration) -> Void = { _ in }) throws -> Tree {
        let built = Tree(sets: 1, change)
        var tree = try #require(built)
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        #expect(tree.isGapless)
        return tree
    }

    private func hostile(_ tree: Tree, _ number: UInt32 = 66, _ name: String = "hostile") -> HostilePeer {
        HostilePeer(name, .edge, at: Bench.endpoint(number), of: tree.sets[0], tree.bench, seed: UInt64(number))
    }

    private func expectHealthy(_ tree: inout Tree) {
        let before = tree.numbers.count
        tree.stream(for: .seconds(1))
        #expect(tree.isGapless)
        #expect(tree.numbers.count - before >= 195)
        #expect(tree.edge.counters[.linksDied] == 0)
    }

    // MARK: Subscriptions

    @Test("A child gets one copy of a stream on a link, even if it subscribes many times")
    func oneCopy() throws {
        var tree = try running()
        let child = hostile(tree)
        #expect(child.open())
        for id in 1...200 as ClosedRange<UInt32> { child.subscribe(tree.stream, id) }
        tree.bench.run(for: .milliseconds(50))
        #expect(tree.sets[0].snapshot.subscriptions == 2, "the edge's and one of the child's")
        #expect(tree.sets[0].counters[.subscriptionsReplaced] == 199)
        tree.bench.forgetSent()
        tree.stream(for: .seconds(1))
        let copies = tree.bench.data(to: child.endpoint).count
        #expect((190...210).contains(copies))
        expectHealthy(&tree)
    }

    @Test(
        "A repeated Subscribe keeps its subscription, and an id reused for another stream ends the old subscription"
    )
    func retry() throws {
        let tree = try running()
        let child = hostile(tree)
        #expect(child.open())
        for _ in 0..<5 { child.subscribe(tree.stream, 1) }
        #expect(tree.sets[0].counters[.subscriptionsReplaced] == 0)
        #expect(tree.sets[0].snapshot.subscriptions == 2)
        let other = try #require(StreamName("live/other"))
        tree.bench.answers[.candidates(other)] = tree.bench.answers[.candidates(tree.stream)]
        #expect(tree.entrypoint.provide(other, at: tree.bench.now))
        child.subscribe(other, 1)
        let link = try #require(tree.sets[0].core.links.children.all.first { $0.name == "hostile" })
        #expect(link.ordered.count == 1)
        #expect(link.ordered.first.flatMap { tree.sets[0].core.streams[$0.stream]?.name.text } == "live/other")
    }

    @Test("A child that ends and starts a stream all the time gets no more backlog than the bursts of the link allow")
    func repeatedPrebursts() throws {
        var tree = try running()
        let child = hostile(tree)
        #expect(child.open())
        tree.bench.forgetSent()
        for id in 1...2_000 as ClosedRange<UInt32> {
            child.subscribe(tree.stream, id, .preburst, rate: 255)
            child.send(.unsubscribe(subscription: id))
            if id.isMultiple(of: 4) { tree.bench.run(for: .milliseconds(4)) }
        }
        // 256 bursts of 16 packets at once, and 32 a second.
        #expect(tree.bench.data(to: child.endpoint).count < 6_000)
        #expect(tree.sets[0].counters[.ordersDeferred] > 0)
        expectHealthy(&tree)
    }

    @Test("In a flood of Subscribes over eight links each message costs little, and data and probes are on time")
    func flood() throws {
        var tree = try running()
        let set = tree.sets[0]
        let children = (0..<8).map { hostile(tree, 66 + $0, "hostile-\($0)") }
        for child in children { #expect(child.open()) }
        let streams = (0..<4_000).compactMap { StreamName("flood/\($0)") }
        var id: UInt32 = 1
        let prober = HostilePeer("prober", .observer, at: Bench.endpoint(90), of: set, tree.bench, seed: 9)
        var live = 0
        for tick in 0..<100 {
            let before = set.work
            for child in children {
                for turn in 0..<35 {
                    // Half of them for one stream, half for streams that do not exist.
                    let isSame = turn.isMultiple(of: 2)
                    child.subscribe(isSame ? tree.stream : streams[Int(id) % streams.count], id)
                    id += 1
                }
            }
            #expect(set.work - before < 60_000, "tick \(tick)")
            #expect(prober.probe(), "tick \(tick)")
            tree.bench.forgetSent()
            tree.stream(for: .milliseconds(5))
            live += tree.bench.data(to: Tree.edgeEndpoint).count
        }
        #expect(live >= 98)
        #expect(id > 28_000)
        #expect(set.counters[.ordersDeferred] + set.counters[.droppedOrdersFull] > 10_000)
        expectHealthy(&tree)
    }

    @Test("Control messages beyond the limit are dropped, counted and reported once")
    func tooManyMessages() throws {
        var tree = try running()
        let child = hostile(tree)
        #expect(child.open())
        for _ in 0..<12_000 { child.renew() }
        #expect(tree.sets[0].counters[.droppedControlFlood] > 1_000)
        let told = tree.bench.alarms.filter { if case .controlFlood = $0 { true } else { false } }
        #expect(told.count == 1)
        #expect(tree.bench.sent.filter { $0.to == child.endpoint }.count < 100, "a Renew is not answered each time")
        expectHealthy(&tree)
    }

    // MARK: Links

    @Test("Links from one address do not keep others out: unused ones are evicted, half-open ones first, and reported")
    func manyLinks() throws {
        var tree = try running { $0.linksMax = 300 }
        let set = tree.sets[0]
        var refused = 0
        for port in 0..<500 as Range<UInt16> {
            let endpoint = Endpoint(address: IPAddress(v4: 0x0a00_0042), port: 1_000 + port)
            let child = HostilePeer("h-\(port)", .edge, at: endpoint, of: set, tree.bench, seed: UInt64(port) + 7)
            if !child.open() { refused += 1 }
        }
        #expect(set.snapshot.childLinks <= 260)
        #expect(refused + Int(set.counters[.linksEvicted]) >= 240)
        #expect(tree.bench.alarms.contains { if case .linksEvicted = $0 { true } else { false } })
        #expect(hostile(tree, 70, "honest").open())
        expectHealthy(&tree)
    }

    @Test("A full table of links evicts unused links, never one that carries a stream")
    func fullTable() throws {
        var tree = try running { $0.linksMax = 20 }
        let set = tree.sets[0]
        var peers: [HostilePeer] = []
        for number in 0..<60 as Range<UInt32> {
            let peer = hostile(tree, 200 + number, "h-\(number)")
            peer.open()
            peers.append(peer)
            tree.bench.run(for: .milliseconds(6))
        }
        #expect(set.snapshot.childLinks <= 20)
        #expect(set.counters[.linksEvicted] >= 40)
        expectHealthy(&tree)
        for peer in peers where set.core.links.children.all.contains(where: { $0.name == peer.name }) {
            peer.subscribe(tree.stream)
        }
        let late = hostile(tree, 300, "late")
        #expect(!late.open() && late.isRefused)
        #expect(
            tree.bench.alarms.contains(.linksRefused(.tableFull, count: 1, peer: "late", late.endpoint)))
        expectHealthy(&tree)
    }

    @Test("A node's new link from the same address replaces its old one; from different addresses, it may have four")
    func oneNode() throws {
        let tree = try running()
        let set = tree.sets[0]
        for port in 0..<100 as Range<UInt16> {
            let endpoint = Endpoint(address: IPAddress(v4: 0x0a00_0042), port: 1_000 + port)
            #expect(HostilePeer("same", .edge, at: endpoint, of: set, tree.bench, seed: UInt64(port) + 7).open())
            // A child gets at most 32 answers in ten seconds.
            tree.bench.run(for: .milliseconds(400))
        }
        #expect(set.core.links.children.all.count { $0.name == "same" } == 1)
        #expect(set.counters[.linksReplaced] == 99)
        for number in 0..<10 as Range<UInt32> { #expect(hostile(tree, 200 + number, "same").open()) }
        #expect(set.core.links.children.all.count { $0.name == "same" } == 4)
    }

    @Test("An Open that is replayed after Close opens no link")
    func ghost() throws {
        let tree = try running()
        let child = hostile(tree)
        #expect(child.open())
        let open = child.openSent
        let before = tree.sets[0].snapshot.childLinks
        child.send(.close(.leaving))
        #expect(tree.sets[0].snapshot.childLinks == before - 1)
        tree.bench.inject(open, from: child.endpoint, to: tree.sets[0])
        #expect(tree.sets[0].snapshot.childLinks == before - 1)
        #expect(child.open(), "it may come back with a new handshake")
    }

    // MARK: Reports

    @Test("Reported losses count only up to the packets sent, and one child alone changes nothing")
    func liar() throws {
        var tree = try running()
        let child = hostile(tree)
        #expect(child.open())
        for half in 1...40 as ClosedRange<UInt32> {
            child.renew(lost: half * 100_000)
            tree.stream(for: .milliseconds(500))
        }
        #expect(tree.sets[0].counters[.reportsDisbelieved] >= 3_900_000)
        #expect(tree.sets[0].linkKeeper.reports.lost == 0)
        #expect(tree.sets[0].linkKeeper.reports.received > 3_000)
        child.subscribe(tree.stream)
        for half in 41...60 as ClosedRange<UInt32> {
            child.renew(subscriptions: [1], lost: half * 100_000)
            tree.stream(for: .milliseconds(500))
        }
        #expect(tree.sets[0].linkKeeper.reports.lost == 0)
        expectHealthy(&tree)
    }

    // MARK: Numbers

    @Test("NAKs, resumes and Renews at the ends of the ranges do not affect others")
    func boundaries() throws {
        var tree = try running()
        let child = hostile(tree)
        #expect(child.open())
        let tag = try #require(tree.sets[0].core.streams.all.first?.incarnation?.tag)
        for (id, number) in [1, 2, 1 << 31, 1 << 32, WireLimits.sequenceMax - 63, WireLimits.sequenceMax].enumerated() {
            child.subscribe(tree.stream, UInt32(id + 1), .resume(tag, SequenceNumber(number)))
            child.send(
                .nak(
                    Nak(
                        subscription: UInt32(id + 1), tryNumber: 127, isLast: true,
                        runs: [.init(first: SequenceNumber(number), count: 1)])))
            child.renew(subscriptions: [UInt32(id + 1)], received: .max, lost: .max)
            tree.stream(for: .milliseconds(50))
        }
        expectHealthy(&tree)
    }

    @Test("A forged link number 2³¹ away from the newest one does not stop the link")
    func linkNumbers() throws {
        var window = LinkNumberWindow()
        for number in [1, 1 << 31, (1 << 31) + 1, 1, 0, .max, .max - 1, (1 << 31) - 1] as [UInt32] {
            _ = window.note(number)
            window.expect(next: number &+ (1 << 31))
            _ = window.hasMissing(after: number, before: number &+ (1 << 31))
        }
        var tree = try running()
        let packet = try #require(tree.bench.data(to: Tree.edgeEndpoint).last)
        for number in [0, 1 << 31, (1 << 31) + 200, .max] as [UInt32] {
            var bytes = packet.bytes
            withUnsafeBytes(of: number.bigEndian) { bytes.replaceSubrange(10..<14, with: $0) }
            tree.bench.inject(bytes, from: packet.from, to: tree.edge)
        }
        tree.stream(for: .seconds(1))
        #expect(tree.isGapless)
    }
}
