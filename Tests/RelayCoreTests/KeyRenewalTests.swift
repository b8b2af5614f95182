import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

extension RelayNode {
    /// The handshakes of a simulated node.
    var identity: NodeHandshakes<SimulatedIdentityCrypto> {
        guard let own = core.context.handshakes as? NodeHandshakes<SimulatedIdentityCrypto> else {
            preconditionFailure("a node with other cryptography")
        }
        return own
    }

    /// Tables can't be copied, so macros of tests can't call their methods.
    func childLink(at endpoint: Endpoint) -> ChildLink? { core.links.child(at: endpoint) }
    func hasLink(token: UInt64) -> Bool { core.links.slot(token: token) != nil }
    func stream(_ name: StreamName) -> StreamState? { core.streams[name] }

    /// Number of keys that the node holds.
    var keyCount: Int { (core.crypto as? SimulatedCrypto)?.keyCount ?? 0 }

    /// Another certificate for the same key.
    func replaceCertificate(_ certificate: SimulatedIdentity, at now: MonotonicInstant) {
        identity.replace(certificate.credential(SimulatedIdentityCrypto(seed: 0)))
        identitiesChanged(isOwnNew: true, at: now)
    }
}

@Suite("New keys for links in use")
struct KeyRenewalTests {
    private static let region = RegionID(1283)

    /// A tree whose edge has received its stream for a second.
    private func running(sets: Int = 1) throws -> Tree {
        var tree = try #require(Tree(sets: sets))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        try #require(tree.isGapless && tree.numbers.count > 100)
        return tree
    }

    private func edgeIdentity(serial: UInt64, key: UInt64 = Bench.operatorKey) -> SimulatedIdentity {
        SimulatedIdentity(name: "edge", .edge, .edge(Self.region), operatorKey: key, serial: serial)
    }

    @Test("A new certificate is presented on the link in use, which gets new keys, and no packet is lost meanwhile")
    func newCertificate() throws {
        var tree = try running()
        let set = tree.sets[0]
        let link = try #require(set.core.links.children.all.first { $0.name == "edge" })
        let parent = try #require(tree.edge.core.links.parents.all.first)
        let (old, oldChild) = (link.parentToken, parent.childToken)
        let (keys, edgeKeys) = (set.keyCount, tree.edge.keyCount)
        tree.edge.replaceCertificate(edgeIdentity(serial: 77), at: tree.bench.now)
        let start = tree.bench.now
        while tree.edge.counters[.linksRenewed] == 0, tree.bench.now - start < .seconds(6) {
            tree.stream(for: .milliseconds(10))
        }
        tree.stream(for: .milliseconds(100))
        #expect(tree.edge.counters[.linksRenewed] == 1)
        #expect(set.counters[.linksRenewed] == 1)
        #expect(link.certificate.serial == 77)
        #expect(link.parentToken != old && parent.parentToken == link.parentToken)
        #expect(parent.childToken != oldChild && link.token == parent.childToken)
        // Both sets of keys are accepted for 5 s, and the old one is gone afterwards.
        tree.stream(for: .seconds(4))
        #expect(link.session.keys(of: old) != nil && parent.session.keys(of: oldChild) != nil)
        #expect(set.hasLink(token: old))
        tree.stream(for: .seconds(2))
        #expect(link.session.keys(of: old) == nil && parent.session.keys(of: oldChild) == nil)
        #expect(!set.hasLink(token: old) && !tree.edge.hasLink(token: oldChild))
        #expect(set.keyCount == keys && tree.edge.keyCount == edgeKeys)
        #expect(tree.isGapless && tree.sink.lost == 0)
        #expect(tree.edge.counters[.linksDied] == 0 && set.counters[.linksDistrusted] == 0)
        #expect(set.snapshot.childLinks == 1 && set.snapshot.subscriptions == 1)
    }

    @Test("After 23 hours each link gets new keys, and no packet is lost meanwhile")
    func daily() throws {
        // Long intervals, so that a day has few events.
        func slow(_ configuration: inout RelayConfiguration) {
            configuration.lease = .seconds(3_600)
            configuration.renewInterval = .seconds(600)
            configuration.linkHeartbeatInterval = .seconds(10)
            configuration.warmHeartbeatInterval = .seconds(10)
            configuration.linkSilenceMax = .seconds(200)
            configuration.warmSilenceMax = .seconds(200)
            configuration.streamSilenceMax = .seconds(200)
            configuration.fillerInterval = .seconds(60)
            configuration.heartbeatInterval = .seconds(60)
            configuration.retriesMax = 6
        }
        let bench = Bench()
        let sink = Bench.Sink()
        let stream = try #require(StreamName("live/news"))
        func answer(_ name: String, _ number: UInt32) -> LookUpResult {
            .records(
                LookUpAnswer(
                    hosts: [ResolvedHost(name: name, endpoint: Bench.endpoint(number), priority: 0, weight: 1)],
                    ttlSeconds: 3_600, serial: 1, portset: PortsetID(7)))
        }
        bench.answers[.candidates(stream)] = answer("ep", 1)
        bench.answers[.node(host: "edge")] = answer("edge", 100)
        bench.answers[.node(host: "set-0")] = answer("set-0", 10)
        for rank in ParentRank.allCases {
            bench.answers[.parents(rank, Self.region, PortsetID(7))] = answer("set-0", 10)
        }
        let entrypoint = bench.add("ep", .entrypoint, 1, slow)
        let set = bench.add("set-0", .set, 10, slow)
        let edge = bench.add("edge", .edge, 100, region: Self.region, sink: sink, slow)
        #expect(entrypoint.provide(stream, at: bench.now))
        edge.want(stream, at: bench.now)
        var count: UInt64 = 0
        func send(for span: TimeSpan) {
            for _ in 0..<span.milliseconds / 5 {
                count += 1
                withUnsafeBytes(of: count) { entrypoint.ingest($0, stream: stream, at: bench.now) }
                bench.run(for: .milliseconds(5))
            }
        }
        send(for: .seconds(1))
        let first = sink.payloads.count
        #expect(first > 100)
        for _ in 0..<23 * 6 {
            bench.run(for: .seconds(600))
            bench.forgetSent()
            if bench.now.nanoseconds >= 22 * 3_600_000_000_000 + 3_000_000_000_000 { break }
        }
        #expect(edge.counters[.linksRenewed] == 0)
        while bench.now < .zero + .seconds(82_795) { bench.run(for: .seconds(5)) }
        for _ in 0..<10 where edge.counters[.linksRenewed] == 0 || set.counters[.linksRenewed] < 2 {
            send(for: .seconds(5))
        }
        send(for: .seconds(1))
        // The edge's link to the set reflector, and the set reflector's to the entrypoint.
        #expect(edge.counters[.linksRenewed] == 1)
        #expect(set.counters[.linksRenewed] == 2)
        #expect(entrypoint.counters[.linksRenewed] == 1)
        #expect(edge.counters[.linksDied] == 0 && set.counters[.linksDied] == 0 && sink.lost == 0)
        let numbers = sink.payloads.map { payload in payload.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } }
        #expect(numbers == Array((numbers.first ?? 1)..<(numbers.first ?? 1) + UInt64(numbers.count)))
        #expect(UInt64(numbers.count) + 10 > count)
    }

    @Test("A parent keeps the old keys until the child has used the new ones")
    func unconfirmed() throws {
        var tree = try running()
        let set = tree.sets[0]
        let peer = HostilePeer("other", .edge, at: Bench.endpoint(66), of: set, tree.bench)
        try #require(peer.open())
        peer.subscribe(tree.stream)
        tree.stream(for: .milliseconds(100))
        peer.renew(subscriptions: [1])
        let link = try #require(set.childLink(at: peer.endpoint))
        let (child, parent) = (link.token, link.parentToken)
        func tokens() -> Set<[UInt8]> { Set(tree.bench.data(to: peer.endpoint).map { Array($0.bytes[2..<10]) }) }
        let before = tokens()
        #expect(before.count == 1)
        tree.bench.forgetSent()
        try #require(peer.open(renewing: parent))
        #expect(peer.token != parent)
        tree.stream(for: .seconds(2))
        #expect(tokens() == before, "the parent must not use keys that the child may not have")
        #expect(link.token == child && link.parentToken == parent)
        #expect(set.counters[.linksRenewed] == 0)
        // The same Open once more gets the same answer, and changes nothing.
        let opened = tree.bench.sent.filter { $0.to == peer.endpoint && $0.type == 0x13 }.map(\.bytes)
        tree.bench.forgetSent()
        tree.bench.inject(peer.openSent, from: peer.endpoint, to: set)
        tree.bench.run(for: .milliseconds(2))
        #expect(tree.bench.sent.filter { $0.to == peer.endpoint && $0.type == 0x13 }.map(\.bytes) == opened)
        #expect(link.parentToken == parent)
        // The first message under the new keys.
        peer.renew(subscriptions: [1])
        #expect(set.counters[.linksRenewed] == 1)
        #expect(link.parentToken == peer.token && link.token != child)
        tree.bench.forgetSent()
        tree.stream(for: .milliseconds(200))
        #expect(tokens().count == 1 && tokens().isDisjoint(with: before))
        #expect(set.snapshot.childLinks == 2 && set.counters[.linksReplaced] == 0)
        #expect(tree.isGapless)
    }

    @Test("A second offer replaces one that the child never used, and its keys are released")
    func offers() throws {
        var tree = try running()
        let set = tree.sets[0]
        let peer = HostilePeer("other", .edge, at: Bench.endpoint(66), of: set, tree.bench)
        try #require(peer.open())
        peer.renew()
        let link = try #require(set.childLink(at: peer.endpoint))
        let token = link.parentToken
        var counts = Set<Int>()
        for _ in 0..<10 {
            try #require(peer.open(renewing: token))
            counts.insert(set.keyCount)
        }
        #expect(counts.count == 1)
        #expect(link.parentToken == token)
        peer.renew()
        #expect(link.parentToken == peer.token)
        tree.stream(for: .milliseconds(100))
        #expect(tree.isGapless)
    }

    @Test("The token of another node's link, of one that is gone, or of none renews nothing: the child gets a new link")
    func foreignTokens() throws {
        var tree = try running()
        let set = tree.sets[0]
        let victim = HostilePeer("victim", .edge, at: Bench.endpoint(66), of: set, tree.bench, seed: 1)
        let thief = HostilePeer("thief", .edge, at: Bench.endpoint(67), of: set, tree.bench, seed: 2)
        try #require(victim.open())
        victim.renew()
        let link = try #require(set.childLink(at: victim.endpoint))
        let token = link.parentToken
        for wrong in [token, 1, .max] {
            try #require(thief.open(renewing: wrong))
            let own = try #require(set.childLink(at: thief.endpoint))
            #expect(own.node == thief.node && own.parentToken == thief.token)
            #expect(set.childLink(at: victim.endpoint) === link)
            #expect(link.parentToken == token && link.node == victim.node)
        }
        // Nor does the node itself renew it from another address.
        let elsewhere = HostilePeer("victim", .edge, at: Bench.endpoint(68), of: set, tree.bench, seed: 3)
        try #require(elsewhere.open(renewing: token))
        #expect(set.childLink(at: elsewhere.endpoint) !== link)
        #expect(set.childLink(at: victim.endpoint) === link)
        tree.bench.forgetSent()
        victim.renew()
        #expect(set.counters[.rejectedBadMAC] == 0)
        tree.stream(for: .milliseconds(100))
        #expect(set.counters[.linksRenewed] == 0 && tree.isGapless)
    }

    @Test("A renewal that the parent refuses leaves the link as it is, and is tried again only after half a minute")
    func refused() throws {
        var tree = try running()
        let set = tree.sets[0]
        let tokens = tree.edge.keyCount
        // A certificate of an operator whom the set reflector does not know.
        let stranger = SimulatedIdentity(
            name: "edge", .edge, .edge(Self.region), operatorKey: 1, serial: 78)
        tree.edge.replaceCertificate(stranger, at: tree.bench.now)
        tree.bench.forgetSent()
        tree.stream(for: .seconds(20))
        let hellos = tree.bench.sent.filter { $0.type == 0x10 && $0.from == Tree.edgeEndpoint }
        #expect(hellos.count == 1, "\(hellos.count)")
        #expect(set.counters[.certificatesUntrusted] == 1)
        #expect(tree.edge.counters[.linksRefused] == 1 && tree.edge.counters[.linksRenewed] == 0)
        #expect(tree.isGapless && tree.edge.counters[.linksDied] == 0)
        #expect(tree.edge.keyCount == tokens)
    }

    @Test("A parent whose answers do not arrive keeps the link under the old keys")
    func lost() throws {
        var tree = try running()
        let bench = tree.bench
        bench.loses = { $0.type == 0x13 && $0.to == Tree.edgeEndpoint }
        tree.edge.replaceCertificate(edgeIdentity(serial: 79), at: bench.now)
        tree.stream(for: .seconds(15))
        #expect(tree.edge.counters[.linksRenewed] == 0 && tree.sets[0].counters[.linksRenewed] == 0)
        #expect(tree.edge.counters[.linksDied] == 0 && tree.isGapless)
        bench.loses = { _ in false }
        tree.stream(for: .seconds(35))
        #expect(tree.edge.counters[.linksRenewed] == 1 && tree.sets[0].counters[.linksRenewed] == 1)
        #expect(tree.edge.counters[.linksDied] == 0 && tree.isGapless && tree.sink.lost == 0)
    }

    @Test("A child that never asks for new keys loses its link after 24 hours")
    func overdue() throws {
        let bench = Bench()
        let set = bench.add("set-0", .set, 10)
        let peer = HostilePeer("other", .edge, at: Bench.endpoint(66), of: set, bench)
        try #require(peer.open())
        func live(until end: MonotonicInstant) {
            while bench.now < end, peer.isOpen {
                bench.run(for: .seconds(2))
                peer.renew()
                bench.forgetSent()
                peer.answer()
            }
        }
        live(until: .zero + .seconds(86_300))
        #expect(peer.isOpen && set.snapshot.childLinks == 1)
        live(until: .zero + .seconds(86_500))
        #expect(set.snapshot.childLinks == 0)
    }
}
