import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

@Suite("What a node may do with a valid certificate of each role")
struct PowersTests {
    private static let region = RegionID(1283)

    private func running() throws -> Tree {
        var tree = try #require(Tree(sets: 1))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        try #require(tree.isGapless && tree.numbers.count > 100)
        return tree
    }

    private func identity(_ name: String, _ role: CertifiedRole) -> SimulatedIdentity {
        SimulatedIdentity(
            name: name, role, role == .edge ? .edge(Self.region) : .none, operatorKey: Bench.operatorKey)
    }

    private func child(_ role: CertifiedRole, of target: RelayNode, _ tree: Tree) -> HostilePeer {
        HostilePeer(identity("stolen", role), at: Bench.endpoint(66), of: target, tree.bench, seed: 66)
    }

    private func exceeded(_ tree: Tree, _ power: RelayPower, _ role: CertifiedRole) -> Bool {
        tree.bench.alarms.contains { alarm in
            if case .powerExceeded("stolen", role, power, _, _) = alarm { true } else { false }
        }
    }

    @Test(
        "Edges, set reflectors and observers fetch; entrypoints and name servers get nothing",
        arguments: CertifiedRole.allCases)
    func fetch(role: CertifiedRole) throws {
        var tree = try running()
        let set = tree.sets[0]
        let peer = child(role, of: set, tree)
        try #require(peer.open())
        peer.subscribe(tree.stream)
        tree.stream(for: .milliseconds(200))
        peer.answer()
        let mayFetch = [.edge, .set, .observer].contains(role)
        #expect(peer.reply?.status == (mayFetch ? .ok : .noSource))
        #expect((peer.reply?.key != nil) == mayFetch)
        #expect(tree.bench.data(to: peer.endpoint).isEmpty != mayFetch)
        #expect((set.counters[.powersExceeded] > 0) != mayFetch)
        #expect(exceeded(tree, .fetch, role) != mayFetch)
        #expect(tree.isGapless)
    }

    @Test(
        "Only entrypoints announce: from everybody else, neither a list nor a heartbeat counts",
        arguments: CertifiedRole.allCases)
    func announce(role: CertifiedRole) throws {
        var tree = try running()
        let set = tree.sets[0]
        let peer = child(role, of: set, tree)
        try #require(peer.open())
        let entry = Announce.Entry(
            stream: try #require(StreamName("live/forged")), portset: PortsetID(7),
            incarnation: Incarnation(high: 1, low: 1))
        peer.send(.announce(Announce(PageHeader(version: 1), entries: [entry])))
        peer.send(.heartbeat(Heartbeat(version: 1, digest: 1, timestamp: 1)))
        tree.bench.run(for: .milliseconds(50))
        let link = try #require(set.childLink(at: peer.endpoint))
        #expect((link.announcements != nil) == (role == .entrypoint))
        #expect(set.counters[.powersExceeded] == (role == .entrypoint ? 0 : 2))
        #expect(exceeded(tree, .announce, role) == (role != .entrypoint))
        tree.stream(for: .milliseconds(200))
        #expect(tree.isGapless)
    }

    @Test("An entrypoint announces only streams of which the zone names it as a candidate")
    func announceForeign() throws {
        var tree = try running()
        let set = tree.sets[0]
        let peer = child(.entrypoint, of: set, tree)
        try #require(peer.open())
        let entry = Announce.Entry(
            stream: tree.stream, portset: PortsetID(7), incarnation: Incarnation(high: 9, low: 9))
        peer.send(.announce(Announce(PageHeader(version: 1), entries: [entry])))
        for _ in 0..<20 {
            tree.stream(for: .milliseconds(100))
            peer.renew()
        }
        #expect(set.counters[.announcementsRefused] == 1)
        #expect(tree.isGapless && tree.sink.lost == 0)
    }

    @Test("Name servers and observers probe; nobody else gets an answer", arguments: CertifiedRole.allCases)
    func probe(role: CertifiedRole) throws {
        let tree = try running()
        for target in [tree.entrypoint, tree.sets[0], tree.edge] {
            let peer = child(role, of: target, tree)
            let mayProbe = role == .observer || role == .nameServer
            #expect(peer.probe() == mayProbe)
            #expect(target.counters[.powersExceeded] == (mayProbe ? 0 : 1))
            #expect(target.counters[.probesAnswered] == (mayProbe ? 1 : 0))
        }
        #expect(exceeded(tree, .probe, role) == ![.observer, .nameServer].contains(role))
    }

    @Test("Data from a child is never accepted, whatever its role", arguments: CertifiedRole.allCases)
    func dataFromChild(role: CertifiedRole) throws {
        var tree = try running()
        let set = tree.sets[0]
        let peer = child(role, of: set, tree)
        try #require(peer.open())
        peer.subscribe(tree.stream)
        tree.stream(for: .milliseconds(200))
        let before = set.counters[.rejectedUnknownToken]
        let incarnation = try #require(set.stream(tree.stream)?.incarnation)
        for number in 1...20 as ClosedRange<UInt64> {
            peer.sendData(
                tree.stream, source: incarnation.source, incarnation: incarnation.incarnation,
                sequence: incarnation.index.highest + number, linkNumber: UInt32(number))
        }
        #expect(set.counters[.rejectedUnknownToken] == before + 20)
        tree.stream(for: .milliseconds(500))
        #expect(tree.isGapless && tree.sink.lost == 0)
    }

    /// An edge whose only parent is this peer.
    private func edge(below role: CertifiedRole) throws -> (bench: Bench, edge: RelayNode, parent: HostilePeer) {
        let bench = Bench()
        let stream = try #require(StreamName("live/news"))
        let place = Bench.endpoint(66)
        let answer = LookUpResult.records(
            LookUpAnswer(
                hosts: [ResolvedHost(name: "stolen", endpoint: place, priority: 0, weight: 1)], ttlSeconds: 20,
                serial: 1, portset: PortsetID(7)))
        bench.answers[.candidates(stream)] = answer
        for rank in ParentRank.allCases { bench.answers[.parents(rank, Self.region, PortsetID(7))] = answer }
        let edge = bench.add("edge", .edge, 100, region: Self.region, sink: Bench.Sink())
        let parent = HostilePeer(identity("stolen", role), at: place, of: edge, bench, seed: 4)
        edge.want(stream, at: bench.now)
        for _ in 0..<40 where !edge.core.links.parents.all.contains(where: \.isAlive) {
            bench.run(for: .milliseconds(10))
            parent.answer()
        }
        return (bench, edge, parent)
    }

    @Test("A node of a role that serves no children cannot be a parent", arguments: CertifiedRole.allCases)
    func parents(role: CertifiedRole) throws {
        let (bench, edge, _) = try edge(below: role)
        let mayServe = role == .set || role == .entrypoint
        #expect(edge.core.links.parents.all.contains { $0.isAlive } == mayServe)
        #expect((edge.counters[.powersExceeded] > 0) == !mayServe)
        let isReported = bench.alarms.contains { alarm in
            if case .parentUnfit("stolen", role, _) = alarm { true } else { false }
        }
        #expect(isReported == (role == .edge))
    }

    @Test(
        "An entrypoint accepts announcements of nobody, and sends its own to set reflectors only",
        arguments: CertifiedRole.allCases)
    func announceTargets(role: CertifiedRole) throws {
        let bench = Bench()
        let place = Bench.endpoint(66)
        bench.answers[.announceTargets(host: "ep")] = .records(
            LookUpAnswer(
                hosts: [ResolvedHost(name: "stolen", endpoint: place, priority: 0, weight: 1)], ttlSeconds: 20))
        let entrypoint = bench.add("ep", .entrypoint, 61)
        let parent = HostilePeer(identity("stolen", role), at: place, of: entrypoint, bench, seed: 6)
        for _ in 0..<40 {
            bench.run(for: .milliseconds(10))
            parent.answer()
        }
        #expect(entrypoint.core.links.parents.all.contains { $0.isAlive } == (role == .set))
        #expect((entrypoint.counters[.powersExceeded] > 0) == (role != .set))
    }

    @Test("An entrypoint as parent names only itself as a source")
    func foreignSource() throws {
        let (bench, edge, parent) = try edge(below: .entrypoint)
        bench.run(for: .milliseconds(20))
        parent.answer()
        let request = try #require(parent.subscribed)
        var reply = SubscribeReply(subscription: request.subscription, status: .ok)
        reply.incarnation = Incarnation(high: 1, low: 1)
        reply.source = NodeID(name: "ep")
        parent.send(.subscribeReply(reply))
        #expect(edge.counters[.powersExceeded] == 1)
        #expect(edge.stream(request.stream)?.incarnation == nil)
        reply.source = parent.node
        parent.send(.subscribeReply(reply))
        #expect(edge.counters[.powersExceeded] == 1)
        #expect(edge.stream(request.stream)?.incarnation?.source == parent.node)
    }
}
